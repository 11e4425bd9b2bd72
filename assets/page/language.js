// The page's language. Runs before Gradio starts, which asks the navigator: no label is drawn in another one first.
// Changed without a reload: Gradio's labels by its own function for that, what the studio writes by asking for it again
// (Page.localised), and the texts of the page's own parts here.
(() => {
  const LANGUAGE = "atelier_language";
  const atelier = (window.atelier = window.atelier || {});
  const { stored } = atelier;
  const root = document.documentElement;

  const cookie = (name) => document.cookie.split("; ").find((c) => c.startsWith(name + "="))?.split("=")[1];
  const chosen = cookie(LANGUAGE) || stored.get(LANGUAGE); // in another site's frame there may be no cookies
  const usual = navigator.language || "en";
  root.lang = chosen || (usual.toLowerCase().startsWith("zh") ? "zh-CN" : "en");
  Object.defineProperty(navigator, "language", { get: () => root.lang, configurable: true });
  Object.defineProperty(navigator, "languages", { get: () => [root.lang], configurable: true });

  // ---- texts of the page's own parts: the same table that Gradio looks labels up in
  const said = (key, language) => window.gradio_config?.i18n_translations?.[language]?.[key] ?? key;
  atelier.say = (key) => said(key, root.lang);
  const say = () => {
    for (const part of document.querySelectorAll("[data-say]")) {
      const words = atelier.say(part.dataset.say);
      if (part.textContent !== words) part.textContent = words;
    }
    for (const tab of document.querySelectorAll("#tabs > .tab-wrapper [data-tab-id]")) { // of one that never was open
      const name = [...tab.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
      if (name && name.data !== atelier.say(`tab.${tab.dataset.tabId}`)) name.data = atelier.say(`tab.${tab.dataset.tabId}`);
    }
  };

  const turn = async (language) => {
    stored.set(LANGUAGE, language);
    document.cookie = `${LANGUAGE}=${language}; path=/; max-age=31536000; samesite=lax`;
    const core = [...document.querySelectorAll("link[rel=modulepreload], script[type=module]")].map((each) => each.href || each.src)
      .concat(performance.getEntriesByType("resource").map((each) => each.name)).find((name) => /\/assets\/core-[\w-]+\.js$/.test(name));
    const { changeLocale } = core ? await import(core) : {};
    if (!changeLocale) { location.reload(); return; } // another Gradio: nothing is lost by it
    root.lang = language;
    await changeLocale(language);
    say();
    atelier.listAgain();
    for (const again of document.querySelectorAll(".a-localised")) again.click();
    for (const again of document.querySelectorAll(".a-localised-idle")) {
      const runs = [...again.closest(".tabitem").querySelectorAll(".a-stop-button")].some((stop) => !stop.closest(".hidden, .hide"));
      if (!runs) again.click();
    }
  };
  document.addEventListener("click", (event) => {
    const language = event.target.closest?.(".a-switch")?.dataset.language;
    if (language) turn(language).catch(() => location.reload());
  });

  const ready = () => atelier.watch(say);
  if (document.body) ready(); else document.addEventListener("DOMContentLoaded", ready);
})();
