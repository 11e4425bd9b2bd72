// Keys and theme.
(() => {
  const THEME = "atelier_theme";
  const atelier = (window.atelier = window.atelier || {});
  const { stored } = atelier;

  // ---- theme: the person's choice, else the system's
  const dark = () => (stored.get(THEME) || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const paint = () => {
    document.documentElement.classList.toggle("dark", dark());
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      if (button.getAttribute("aria-pressed") !== String(dark())) button.setAttribute("aria-pressed", String(dark()));
    }
    if (document.body && document.body.classList.contains("dark") !== dark()) document.body.classList.toggle("dark", dark());
  };
  paint(); // before anything is drawn
  if (/Mac|iPhone|iPad/.test(navigator.platform)) document.documentElement.classList.add("a-mac");

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-theme-switch]")) return;
    stored.set(THEME, dark() ? "light" : "dark");
    paint();
  });

  // ---- keys
  const tabs = () => [...document.querySelectorAll("#tabs > .tab-wrapper [role=tab]")].filter((tab) => tab.offsetParent);
  const shown = (selector) => [...document.querySelectorAll(selector)].find((button) => button.offsetParent);
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector("dialog[open]") || event.target.closest?.(".a-edit")) return;
    const completes = event.code === "Space" && event.ctrlKey && !event.altKey && event.target.closest?.("#code-editor");
    if (completes || (event.key === "Enter" && (event.ctrlKey || event.metaKey))) {
      const run = (event.shiftKey && shown(".a-later-button")) || shown(".a-run-button");
      if (!run) return;
      event.preventDefault();
      event.stopPropagation();
      document.activeElement?.dispatchEvent(new Event("change", { bubbles: true }));
      run.click();
    } else if (event.key === "Escape") {
      if (shown("ul.options, [role=listbox]")) return; // an open list closes first
      if (atelier.editor?.suggesting()) {
        shown("#code-discard")?.click();
        return;
      }
      shown(".a-stop-button")?.click();
    } else if (event.altKey && event.key === "Enter") {
      const skip = shown(".a-skip-button");
      if (skip) { event.preventDefault(); event.stopPropagation(); skip.click(); }
    } else if (event.altKey && /^[1-9]$/.test(event.key)) {
      const tab = tabs()[Number(event.key) - 1];
      if (tab) { event.preventDefault(); tab.click(); tab.focus(); }
    }
  }, true);

  // ---- screen readers hear progress politely, and the name of every field
  const polite = () => {
    for (const live of document.querySelectorAll(".prose.a-live:not([aria-live], [id$=-progress] *)")) {
      live.setAttribute("aria-live", "polite");
      live.setAttribute("aria-atomic", "true");
    }
    for (const empty of document.querySelectorAll(".empty[aria-label]:not([role])")) empty.setAttribute("role", "img");
    for (const icon of document.querySelectorAll("button > img[alt$=' icon']")) icon.alt = ""; // the button says it
    // Where Gradio puts a copy button into a field's label, the label names the button and not the field.
    for (const area of document.querySelectorAll("label:has(.icon-button-wrapper) textarea")) {
      const name = area.closest("label").querySelector("[data-testid=block-info]")?.textContent.trim();
      if (name && area.getAttribute("aria-label") !== name) area.setAttribute("aria-label", name);
    }
  };

  // ---- an offer under an error: the tab's hidden button takes its place along
  document.addEventListener("click", (event) => {
    const offer = event.target.closest?.("[data-offer]");
    const tab = offer?.closest("[id$=-progress]")?.id.replace("-progress", "");
    if (!tab) return;
    atelier.offered = offer.dataset.offer;
    for (const each of offer.parentElement.children) each.disabled = true; // once is enough
    document.getElementById(`${tab}-offer`)?.click();
  });

  // ---- the conversation follows the answer, unless the person scrolled up to read
  let following = true;
  const bottom = () => document.documentElement.scrollHeight - innerHeight;
  addEventListener("scroll", () => { following = scrollY >= bottom() - 160; }, { passive: true });
  const follow = () => {
    const talk = document.querySelector("#chat-talk");
    if (!talk || talk.dataset.followed) return;
    talk.dataset.followed = "yes";
    new MutationObserver(() => {
      if (following && talk.offsetParent) scrollTo({ top: bottom(), behavior: "instant" });
    }).observe(talk, { childList: true, subtree: true, characterData: true });
  };

  // ---- an error that appears outside the window comes into it
  const reveal = () => {
    for (const error of document.querySelectorAll(".a-error:not([data-seen])")) {
      error.dataset.seen = "yes";
      const { top, bottom: end } = error.getBoundingClientRect();
      if (error.offsetParent && (top < 0 || end > innerHeight - 48)) error.scrollIntoView({ block: "center" });
    }
  };

  // ---- the lists of models say what is on disk, also when a run, the panel or another page fetched it
  const asked = new WeakMap(); // list -> what was on disk when it was last asked for
  const list = () => {
    const now = document.querySelector("[data-files-now]")?.dataset.filesNow;
    for (const listed of now ? document.querySelectorAll("[data-files-listed]") : []) {
      const picker = listed.closest(".a-picker");
      if (listed.dataset.filesListed === now || asked.get(picker) === now) continue;
      asked.set(picker, now);
      picker.querySelector(".a-models-changed")?.click();
    }
  };
  atelier.listAgain = () => document.querySelectorAll(".a-models-changed").forEach((button) => button.click());

  const ready = () => {
    paint();
    new MutationObserver(paint).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    const settle = () => {
      if (document.querySelector("#tabs, .gradio-container button")) document.getElementById("a-frame")?.remove();
      paint(); polite(); atelier.editor?.restore(); follow(); reveal(); list();
    };
    atelier.watch(settle);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  };
  if (document.body) ready(); else document.addEventListener("DOMContentLoaded", ready);
})();
