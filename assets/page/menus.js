// Buttons that open a short list of further buttons (tabs/shared/widgets.py: menu). Esc and a click elsewhere close it.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const list = (button) => document.getElementById(button.id.slice(0, -"-menu".length));
  const open = () => document.querySelector(".a-menu-list[data-open]");
  const close = (focus = false) => {
    const shown = open();
    if (!shown) return;
    delete shown.dataset.open;
    const button = document.getElementById(`${shown.id}-menu`);
    button?.setAttribute("aria-expanded", "false");
    if (focus) button?.focus();
  };
  const settle = () => {
    for (const button of document.querySelectorAll(".a-menu-button:not([aria-expanded])")) {
      button.setAttribute("aria-expanded", "false");
      button.setAttribute("aria-controls", button.id.slice(0, -"-menu".length));
    }
  };
  document.addEventListener("click", (event) => {
    if (!event.isTrusted) return; // a script's, which nobody's hand did
    const button = event.target.closest?.(".a-menu-button");
    const other = button && !list(button)?.dataset.open;
    close();
    if (!other) return;
    const shown = list(button);
    shown.dataset.open = "yes";
    const place = () => {
      const { left, bottom } = button.getBoundingClientRect();
      shown.classList.toggle("a-from-right", left > innerWidth / 2);
      shown.classList.toggle("a-upward", bottom + shown.offsetHeight > innerHeight - 48); // the strip stands there
    };
    place();
    button.setAttribute("aria-expanded", "true");
    shown.dispatchEvent(new CustomEvent("a-menu", { bubbles: true, detail: { place, keys: event.detail === 0 } }));
    if (event.detail === 0) shown.querySelector("button, a")?.focus(); // opened with the keyboard
  });
  const RUNS = { ArrowDown: 1, ArrowUp: -1 };
  document.addEventListener("keydown", (event) => {
    const shown = open();
    if (!shown) return;
    if (event.key === "Escape") {
      close(true);
    } else if (event.key in RUNS && shown.contains(document.activeElement)) {
      const entries = [...shown.querySelectorAll("button, a")].filter((one) => one.offsetParent);
      const at = entries.indexOf(document.activeElement) + RUNS[event.key];
      entries[(at + entries.length) % entries.length]?.focus();
    } else {
      if (event.key === "Tab") close();
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
  atelier.watch(settle);
})();
