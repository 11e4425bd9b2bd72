// The code tab: completions that come by themselves after a pause in the typing (live.js).
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const PAUSE = 350; // milliseconds
  const SLOW = 1.2; // seconds until a completion is there
  const open = () => document.getElementById("tab-code-button")?.getAttribute("aria-selected") === "true" && !document.hidden;
  const ticked = () => document.querySelector("#code-as-typed input[type=checkbox]");
  let due = 0;

  const tell = (words) => {
    const line = document.querySelector(".a-typed-why");
    if (!line) return;
    line.textContent = words;
    line.hidden = !words;
  };
  const body = () => {
    const around = atelier.editor.typing();
    if (!around || !around[0].trim()) return null;
    return { before: around[0], after: around[1], name: atelier.project?.name() ?? "", fields: atelier.values("code") };
  };
  const show = async (answer, { before, after }) => {
    const { text, seconds, why } = await answer.json();
    tell(why ?? "");
    if (why) return null;
    atelier.editor.offer(text, before, after);
    return seconds;
  };
  const live = atelier.live({
    address: "/atelier/completion", switch: ticked, slowLine: ".a-typed-slow", insists: "atelier_typed_insists",
    slow: SLOW, patient: Infinity, open, body, show, nothing: () => {},
  });
  const soon = () => {
    clearTimeout(due);
    live.drop(); // what is under way is for a text that is no more
    due = setTimeout(live.ask, PAUSE);
  };
  for (const kind of ["input", "compositionend"]) {
    document.addEventListener(kind, (event) => {
      if (event.isTrusted && event.target.closest?.("#code-editor")) soon();
    }, true);
  }
  document.addEventListener("a-code-kept", soon);
  document.addEventListener("change", (event) => {
    if (event.target === ticked() && event.isTrusted) { live.turned(); tell(""); }
  });
})();
