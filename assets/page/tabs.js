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
  // ---- the open tab stands in the address, so that Back, a reload and a link lead to it
  const button = (tab) => document.getElementById(`tab-${tab}-button`);
  const named = () => decodeURIComponent(location.hash.slice(1));
  let open = null, first = null;
  // Called before Gradio begins: it opens the tab that the address names, and no other before it.
  atelier.begin = () => {
    const parts = window.gradio_config?.components ?? [];
    const tabs = parts.find((part) => part.props?.elem_id === "tabs");
    first = tabs?.props.selected ?? null;
    if (tabs && parts.some((part) => part.type === "tabitem" && part.props.id === named())) tabs.props.selected = named();
  };
  const settle = () => {
    const chosen = document.querySelector("#tabs > .tab-wrapper [role=tab][aria-selected=true]");
    if (!chosen) return;
    const tab = chosen.id.replace(/^tab-|-button$/g, "");
    if (open !== null && tab !== open && tab !== (named() || first)) {
      history.pushState(null, "", `#${tab}`);
    }
    // A list that is open would stay behind as an empty bar.
    if (open !== null && tab !== open && document.activeElement?.matches?.("[role=combobox], [role=listbox]")) document.activeElement.blur();
    open = tab;
    ask(tab);
  };
  addEventListener("popstate", () => button(named() || first)?.click());

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

  atelier.watch(settle);
})();
