// The menus "Use in" of results: beside their own buttons, whatever else takes the result up, from the table that the
// library has too (tabs/library/pieces.py). They are asked for when the menu opens, so that a new taker stands there by itself.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  let turn = 0;
  document.addEventListener("a-menu", async (event) => {
    const part = event.target.querySelector?.("[data-uses]");
    if (!part) return;
    const mine = (turn += 1), { from, but, words } = part.dataset;
    const id = part.dataset.id || document.querySelector(`${from} [data-chosen]`)?.dataset.chosen;
    if (part.dataset.shown !== id) part.replaceChildren();
    if (!id) return;
    const { get, make, use, say } = atelier.library.tools;
    let about = null;
    try { about = await get("/about", { id }); } catch { return; } // it was deleted
    if (mine !== turn || !part.isConnected) return;
    const own = (but ?? "").split(" "), uses = about.uses.filter((one) => !own.includes(one.name));
    const held = part.contains(document.activeElement);
    part.dataset.shown = id;
    part.replaceChildren(...uses.map((one) => {
      const button = make("button", { type: "button", textContent: one.says, data: { use: one.name } });
      // a person may have changed the words that are shown
      button.addEventListener("click", (click) => use(one.tab, id, one, (words && document.querySelector(words)?.value) || about.words, click.shiftKey));
      return button;
    }), ...(uses.length ? [make("p", { className: "a-note", textContent: say("shift") })] : []));
    event.detail.place();
    if (held || (event.detail.keys && !event.target.contains(document.activeElement))) part.querySelector("button")?.focus();
  });
})();
