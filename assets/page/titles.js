// Gradio's own titles and drop zones in the page's language: it has them in English, or does not change them with it.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const NAMED = ["title", "aria-label"];
  const AS_GRADIO_HAS_IT = { "将图像拖放到此处": "gradio.drop_image" };
  let known = null, patterns = null;
  const learn = () => {
    known = new Map(Object.entries(AS_GRADIO_HAS_IT));
    patterns = [];
    for (const table of Object.values(window.gradio_config?.i18n_translations ?? {})) {
      for (const [key, words] of Object.entries(table)) {
        if (!key.startsWith("gradio.")) continue;
        known.set(words, key);
        const names = [...words.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);
        const parts = words.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
        if (names.length) patterns.push({ key, names, as: new RegExp(`^${parts.join("([\\d.]+)")}$`) });
      }
    }
  };
  const translated = (words) => {
    if (known.has(words)) return atelier.say(known.get(words));
    for (const { key, names, as } of patterns) {
      const found = as.exec(words);
      if (found) return names.reduce((said, name, i) => said.replace(`{${name}}`, found[i + 1]), atelier.say(key));
    }
    return words;
  };
  atelier.watch(() => {
    if (!known) learn();
    for (const part of document.querySelectorAll("#tabs :is([title], [aria-label])")) {
      for (const name of NAMED) {
        const words = part.getAttribute(name);
        if (words && translated(words) !== words) part.setAttribute(name, translated(words));
      }
    }
    for (const zone of document.querySelectorAll("#tabs .wrap:has(> .icon-wrap)")) {
      const texts = document.createTreeWalker(zone, NodeFilter.SHOW_TEXT);
      for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const words = text.data.replace(/^[\s-]+|[\s-]+$/g, ""), now = translated(words);
        if (words && now !== words) text.data = text.data.replace(words, now);
      }
    }
  });
})();
