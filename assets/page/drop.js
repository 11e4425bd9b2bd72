// A file that was made here, dropped where nothing else takes it: the tab that made it opens, filled in as it was then.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const STAYS = 8000, CHOICE = 20_000; // milliseconds that a line stays, and one with something to press
  const TAKES = "dialog, input[type=file], .block:has(input[type=file]), button:has(input[type=file])";
  const say = atelier.sayer("page");
  let line = null, going = 0;
  const tell = (words, lasting = false, choice = null) => {
    if (!line) {
      line = document.createElement("p");
      line.id = "a-dropped";
      line.setAttribute("role", "status");
      (document.querySelector(".gradio-container .contain") ?? document.body).append(line);
    }
    clearTimeout(going);
    line.textContent = words;
    line.hidden = !words;
    if (choice) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: choice.label });
      button.addEventListener("click", () => { tell(""); choice.act(); });
      line.append(" ", button);
    }
    if (words && !lasting) going = setTimeout(() => { line.hidden = true; }, choice ? CHOICE : STAYS);
  };
  let dropped = ""; // what is said of a file that a tab takes up, until it has
  atelier.tell = (words, choice) => { tell(dropped || words, false, choice); dropped = ""; };

  const restore = async (tab, file) => {
    document.getElementById(`tab-${tab}-button`)?.click();
    await atelier.settled(tab);
    const input = await atelier.until(() => document.querySelector(`#${tab}-restore input[type=file], #${tab}-input .a-below input[type=file]`));
    if (input) atelier.choose(input, file);
  };
  const shared = async (file) => { // a studio without a library: what the tabs themselves read
    const tab = file.type.startsWith("image/") ? "image" : /^audio\/|\.midi?$/i.test(file.type || file.name) ? "music" : "";
    if (!tab) throw new Error(atelier.say("error.not_recognised.what").replace("{name}", file.name));
    await restore(tab, file);
  };
  const opened = async (file) => {
    const { ask, send, give, reopen } = atelier.library.tools;
    const found = await ask({ do: "recognise", file: await send(file) });
    if (found.way === "item") await reopen(found.item, found.item);
    else if (found.way === "code") await give("code", "", () => atelier.editor.open(found.words, found.syntax));
    else await restore(found.way, file);
    return found.way === "item" && !["chat", "code"].includes(found.item.kind);
  };
  const take = async (file) => {
    tell(say("dropping", { name: file.name }), true);
    dropped = say("dropped", { name: file.name });
    try {
      const told = await (document.querySelector("[data-library]") ? opened : shared)(file);
      if (dropped) tell(dropped);
      if (!told) dropped = ""; // else the tab says so, with a step back
    } catch (error) {
      dropped = "";
      tell(error.message);
    }
  };

  // Whoever takes a file itself hears of it before, and says so.
  const free = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files") && !event.defaultPrevented && !event.target.closest?.(TAKES);
  addEventListener("dragover", (event) => {
    if (!free(event)) return;
    event.preventDefault();
    if (line?.textContent !== say("drop") || line.hidden) tell(say("drop"));
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget && line?.textContent === say("drop")) tell(""); });
  addEventListener("drop", (event) => {
    if (!free(event)) return;
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
})();
