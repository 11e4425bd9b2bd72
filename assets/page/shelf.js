// Adaptations as cards: search, pictures when they come into view, arrow keys, and a press that puts one into the fields
// with the words that call it (tabs/image/lora_shelf.py).
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const place = () => document.getElementById("image-shelf-cards");
  const cards = () => [...(place()?.querySelectorAll(".a-shelf-card") ?? [])];
  const seen = () => cards().filter((card) => !card.hidden);
  const prompt = () => document.querySelector("#image-prompt textarea");
  const added = new Map(); // adaptation -> what was written behind the prompt for it

  const filter = (search) => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const card of cards()) {
      card.hidden = !words.every((word) => card.dataset.find.includes(word));
      if (!card.hidden) left += 1;
    }
    const count = place().querySelector(".a-shelf-count");
    const all = !words.length;
    count.textContent = all ? count.dataset.all : left ? `${left} / ${cards().length}` : atelier.say("image.shelf_nothing");
    settle();
  };

  // One card can be reached with Tab, the others from there with the arrows.
  const settle = () => {
    const shown = seen();
    if (!shown.length) return;
    const now = shown.find((card) => card.tabIndex === 0) ?? shown[0];
    for (const card of cards()) {
      const index = card === now ? 0 : -1;
      if (card.tabIndex !== index) card.tabIndex = index;
    }
  };
  const go = (card) => {
    if (!card) return;
    for (const one of cards()) one.tabIndex = -1;
    card.tabIndex = 0;
    card.focus();
    card.scrollIntoView({ block: "nearest" });
  };

  const chosen = () => atelier.values("image")["image-loras"] ?? [];
  const paint = () => {
    const all = cards();
    if (!all.length) return;
    const names = chosen(), model = document.querySelector("#image-shelf-model [data-family]");
    for (const card of all) {
      const image = card.querySelector("img[data-src]");
      if (image) {
        image.src = (window.gradio_config?.root || "") + image.dataset.src;
        image.removeAttribute("data-src");
      }
      const pressed = String(names.includes(card.dataset.lora));
      if (card.getAttribute("aria-pressed") !== pressed) card.setAttribute("aria-pressed", pressed);
      const wanted = model?.dataset.family, made = card.dataset.family;
      const says = wanted && made && wanted !== made ? model.dataset.says.replace("{base}", () => card.dataset.base) : "";
      card.classList.toggle("a-unfit", Boolean(says));
      const line = card.querySelector(".a-shelf-not");
      if (line.textContent !== says) line.textContent = says;
    }
    settle();
  };

  // A card is put in or taken out by what the list holds at the press, which Gradio hands over: what was kept of it (see
  // chosen) lags behind a second press, and the words would stay where the adaptation goes.
  let picked = null;
  const take = (card) => {
    picked = card;
    document.getElementById("image-shelf-take")?.click();
  };
  atelier.taken = (names) => {
    const name = picked.dataset.lora;
    word(picked, name, names.includes(name));
    return name;
  };
  const word = (card, name, out) => {
    const field = prompt();
    if (!field) return;
    if (out) {
      const words = added.get(name);
      added.delete(name);
      if (words && field.value.includes(words)) atelier.put(field, field.value.replace(words, () => ""));
      return;
    }
    const there = field.value.toLowerCase();
    const words = JSON.parse(card.dataset.words || "[]").filter((word) => !there.includes(word.toLowerCase())).join(", ");
    if (!words) return;
    const before = field.value.replace(/[\s,]+$/, "");
    const more = before ? `, ${words}` : words;
    added.set(name, more);
    atelier.put(field, before + more);
  };

  document.addEventListener("input", (event) => {
    if (event.target.matches?.(".a-shelf-search")) filter(event.target);
  });
  document.addEventListener("click", (event) => {
    const card = event.target.closest?.(".a-shelf-card");
    if (!card) return;
    go(card);
    take(card);
  });
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = seen();
    if (event.target.matches?.(".a-shelf-search")) {
      if (event.key !== "ArrowDown" && event.key !== "Enter") return;
      event.preventDefault();
      go(shown[0]);
      return;
    }
    const at = shown.indexOf(event.target.closest?.(".a-shelf-card"));
    if (at < 0) return;
    const across = Math.max(shown.findIndex((card) => card.offsetTop !== shown[0].offsetTop), 0) || shown.length;
    const way = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -at, End: shown.length - 1 - at }[event.key];
    if (way === undefined) return;
    event.preventDefault();
    if (event.key === "ArrowUp" && at - across < 0) place().querySelector(".a-shelf-search").focus();
    else go(shown[at + way]);
  });
  atelier.onKept((tab, name) => { if (tab === "image" && name === "image-loras") paint(); });
  atelier.watch(paint);
})();
