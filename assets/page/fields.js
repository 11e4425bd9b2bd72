// Fields of the image and the music tab: parts that open and stay open, keys in the prompt, pictures dropped on the
// column.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const OPEN = "atelier_open_";
  const { stored } = atelier;
  const { type } = atelier;

  // ---- parts that open
  const fold = (id, open) => {
    const part = document.getElementById(id), button = document.getElementById(id + "-fold");
    if (!part || !button) return;
    const opens = open && !part.dataset.open;
    if (open) part.dataset.open = "yes"; else delete part.dataset.open;
    button.setAttribute("aria-expanded", String(open));
    button.setAttribute("aria-controls", id);
    if (!opens) return;
    dispatchEvent(new Event("resize")); // the picture editor measures itself
    document.getElementById(id + "-open")?.click();
  };
  atelier.unfold = (id) => {
    fold(id, true);
    stored.set(OPEN + id, "yes");
    document.getElementById(id)?.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".a-fold-button");
    if (!button) return;
    const id = button.id.slice(0, -"-fold".length), open = !document.getElementById(id)?.dataset.open;
    fold(id, open);
    stored.set(OPEN + id, open ? "yes" : "");
  });
  const settle = () => {
    for (const button of document.querySelectorAll(".a-icon-button")) {
      const name = button.textContent.trim();
      if (button.title !== name) button.title = name;
    }
    const upscalers = document.querySelector("[data-upscaler2]")?.dataset ?? {};
    for (const scale of [2, 4]) {
      const name = upscalers[`upscaler${scale}`] ?? "";
      for (const button of document.querySelectorAll(`#image-upscale${scale}`)) if (button.title !== name) button.title = name;
    }
    for (const facts of document.querySelectorAll(".a-facts:not([data-kept])")) {
      facts.dataset.kept = "yes";
      if (stored.get(FACTS) === "yes") facts.open = true;
    }
    for (const button of document.querySelectorAll(".a-fold-button:not([aria-expanded])")) {
      const id = button.id.slice(0, -"-fold".length);
      if (document.getElementById(id)) fold(id, stored.get(OPEN + id) === "yes" && !id.endsWith("-recent"));
    }
  };

  // ---- facts about a picture: open or closed as they were left
  const FACTS = "atelier_facts";
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.(".a-facts")) stored.set(FACTS, event.target.open ? "yes" : "");
  }, true);

  // A download that was just prepared: the link is drawn a moment after its file is known.
  atelier.press = (selector) => {
    const button = document.querySelector(selector);
    setTimeout(() => (button?.querySelector("a, button") ?? button)?.click(), 100);
  };

  // ---- keys in the prompt: Ctrl+Up/Down weighs the word, Alt+Up/Down walks through earlier prompts
  const ATTENTION = /\(([^()]*?):(-?[0-9.]+)\)/g;
  const weighed = (text, from, to, step) => {
    for (const found of text.matchAll(ATTENTION)) {
      const end = found.index + found[0].length;
      if (found.index <= from && to <= end) {
        const weight = Math.round((Number(found[2]) + step) * 100) / 100;
        const put = weight === 1 ? found[1] : `(${found[1]}:${weight})`;
        return [text.slice(0, found.index) + put + text.slice(end), found.index, found.index + put.length];
      }
    }
    if (from === to) {
      const edge = /[\s,.()|{}<>:]/;
      while (from > 0 && !edge.test(text[from - 1])) from -= 1;
      while (to < text.length && !edge.test(text[to])) to += 1;
    }
    while (from < to && text[from] === " ") from += 1;
    while (to > from && text[to - 1] === " ") to -= 1;
    if (from === to) return null;
    const put = `(${text.slice(from, to)}:${Math.round((1 + step) * 100) / 100})`;
    return [text.slice(0, from) + put + text.slice(to), from, from + put.length];
  };
  const WALKED = "#image-prompt, #image-negative-prompt, #music-prompt, #music-negative-prompt";
  let walk = null; // {name, at, draft, last}
  const earlier = (input, back) => {
    let prompts = [];
    const name = input.closest(WALKED).id;
    try { prompts = JSON.parse(document.querySelector(`[data-earlier=${name}]`)?.dataset.prompts ?? "[]"); } catch { /* none */ }
    if (walk?.name !== name || input.value !== walk.last) walk = { name, at: -1, draft: input.value };
    const at = Math.min(Math.max(walk.at + (back ? 1 : -1), -1), prompts.length - 1);
    if (at === walk.at) return;
    walk.at = at;
    walk.last = at < 0 ? walk.draft : prompts[at];
    type(input, walk.last);
  };
  document.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    const input = event.target.closest?.("textarea, input");
    if (!input?.closest(WALKED) || event.shiftKey || event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && input.closest("#tab-image")) {
      event.preventDefault();
      const put = weighed(input.value, input.selectionStart, input.selectionEnd, event.key === "ArrowUp" ? 0.1 : -0.1);
      if (!put) return;
      type(input, put[0]);
      input.setSelectionRange(put[1], put[2]);
    } else if (event.altKey && !event.ctrlKey) {
      event.preventDefault();
      earlier(input, event.key === "ArrowUp");
    }
  }, true);

  // ---- a picture to start from that the browser cannot show (TIFF, HEIC, a damaged one): the studio reads it, or says
  // why not; the editor would stay empty without a word
  const looked = new WeakSet(), SHOWN = /^image\/(png|jpeg|webp|gif|bmp|avif)$/;
  const handOver = (file, other) => {
    const input = document.querySelector(`#${other} input[type=file]`);
    if (input) atelier.choose(input, file);
  };
  // The picture editor takes nothing before its canvas is there and set up, which on a slow machine comes later than
  // the field for files.
  const canvas = async () => {
    const there = () => document.querySelector("#image-picture canvas");
    const late = !there();
    await atelier.until(there);
    if (late) await new Promise((done) => setTimeout(done, 300));
  };
  const look = (event, file, other, again) => {
    if (!file || looked.has(file)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    createImageBitmap(file).then(async (picture) => {
      picture.close();
      looked.add(file);
      if (other === "image-other") {
        await canvas();
        atelier.shelve("image-picture", file);
      }
      again();
    }, () => handOver(file, other));
  };
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (input.type !== "file" || !input.closest?.("#image-picture")) return;
    look(event, input.files?.[0], "image-other", () => input.dispatchEvent(new Event("change", { bubbles: true })));
  }, true);
  document.addEventListener("drop", (event) => {
    const target = event.target, file = event.dataTransfer?.files?.[0];
    const editor = target.closest?.("#image-picture");
    // the caption tab's picture takes as it is what Gradio lets in, and says what is damaged when it is read
    if (!editor && (!target.closest?.("#caption-image") || SHOWN.test(file?.type))) return;
    look(event, file, editor ? "image-other" : "caption-unseen", () => {
      const carried = new DataTransfer();
      carried.items.add(file);
      target.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: carried }));
    });
  }, true);

  // ---- a result dropped anywhere on the column of its tab brings its settings; the editor and the
  // sound to start from take their own files
  atelier.dropped(
    (over) => (over.closest("#image-picture, #music-sound") ? null : over.closest("#image-input, #music-input")),
    (column, [file]) => {
      const input = column.querySelector(".a-below input[type=file]");
      return input ? atelier.choose(input, file) : false;
    },
  );

  atelier.watch(settle);
})();
