// Tabs whose parts come when they are first opened (tabs/shell/lazy_tabs.py).
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const PATIENCE = 10000; // milliseconds until a tab that did not come is asked for again
  const asked = new Map(); // tab -> when
  const here = new Set();
  const ask = (tab) => {
    const opener = document.getElementById(`open-${tab}`);
    if (!opener || here.has(tab) || performance.now() - (asked.get(tab) ?? -PATIENCE) < PATIENCE) return;
    asked.set(tab, performance.now());
    opener.click();
  };
  const settle = () => {
    const chosen = document.querySelector("#tabs > .tab-wrapper [role=tab][aria-selected=true]");
    if (chosen) ask(chosen.id.replace(/^tab-|-button$/g, ""));
  };

  atelier.brought = (tab) => { here.add(tab); }; // Gradio calls this
  // Before a tab's fields are changed from elsewhere, it is fetched: Gradio calls this.
  atelier.opened = async (tab, values) => {
    for (const end = performance.now() + PATIENCE; !here.has(tab) && document.getElementById(`open-${tab}`) && performance.now() < end;) {
      ask(tab);
      await new Promise((done) => setTimeout(done, 20));
    }
    return values;
  };
  // A tab's fields are on the page, which they are from its first showing on.
  atelier.drawn = async (tab) => {
    while (!document.querySelector(`#tab-${tab} > .column > *`)) await new Promise((done) => setTimeout(done, 20));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  };

  const ready = () => {
    new MutationObserver(settle).observe(document.body, {
      childList: true, subtree: true, attributes: true, attributeFilter: ["aria-selected"],
    });
    settle();
  };
  if (document.body) ready(); else document.addEventListener("DOMContentLoaded", ready);
})();
