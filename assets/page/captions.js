// The list of the caption tab: what is typed into its fields is saved, a moment after the last key or when the field is left.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const PAUSE = 700; // milliseconds
  const waiting = new Map(); // "run/picture" -> text, not sent yet
  let timer = 0;
  const send = () => {
    clearTimeout(timer);
    if (waiting.size) document.getElementById("caption-save")?.click();
  };
  atelier.typed = () => {
    const found = JSON.stringify([...waiting].map(([key, text]) => [...key.split("/"), text]));
    waiting.clear();
    return found;
  };
  document.addEventListener("input", (event) => {
    const field = event.target.closest?.("textarea[data-caption]");
    if (!field) return;
    event.stopPropagation();
    waiting.set(field.closest("[data-run]").dataset.run + "/" + field.dataset.caption, field.value);
    clearTimeout(timer);
    timer = setTimeout(send, PAUSE);
  }, true);
  document.addEventListener("focusout", (event) => { if (event.target.closest?.("textarea[data-caption]")) send(); });
  addEventListener("pagehide", send);
  // ---- a caption that stands beside another picture than its own shows its own
  const picture = () => document.querySelector("#caption-image img")?.src ?? "";
  let own = "";
  document.addEventListener("click", (event) => { if (event.target.closest?.("#caption-run")) own = picture(); }, true);
  atelier.watch(() => {
    const details = document.querySelector("#caption-details");
    if (!details) return;
    const apart = own && picture() !== own && details.textContent.trim();
    let shown = details.querySelector(":scope > .a-own");
    if (!apart) { shown?.remove(); return; }
    if (shown?.firstChild.src === own) return;
    shown?.remove();
    shown = document.createElement("figure");
    shown.className = "a-own";
    const image = document.createElement("img"), words = document.createElement("figcaption");
    image.src = own;
    image.alt = "";
    words.textContent = atelier.say("caption.of_this");
    shown.append(image, words);
    details.append(shown);
  });
  // A new list is drawn into the old one, and a field that was typed into keeps its words: not for another picture.
  new MutationObserver(() => {
    const list = document.querySelector("#caption-list [data-drawn]");
    if (!list || list.dataset.drawn === list.known) return;
    list.known = list.dataset.drawn;
    for (const field of list.querySelectorAll("textarea[data-caption]")) field.value = field.defaultValue;
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-drawn"] });
})();
