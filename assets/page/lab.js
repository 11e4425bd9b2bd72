// "How it works": its script and its style come when it is opened for the first time (assets/page/lab/), so that the page
// of everybody else is no heavier for it. An address with `?lab=` leads to it, `?lab=noise` to one experiment.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const lab = (atelier.lab = {});
  let coming = null;
  const fetched = (script, style) => new Promise((done, fail) => {
    const place = `${window.gradio_config?.root || ""}/atelier/`, { make } = atelier;
    const sheet = make("link", { rel: "stylesheet", href: place + style });
    sheet.addEventListener("load", () => { // drawn only once it can look right
      const code = make("script", { src: place + script });
      code.addEventListener("load", done);
      code.addEventListener("error", fail);
      document.head.append(code);
    });
    sheet.addEventListener("error", fail);
    document.head.append(sheet);
  });
  const open = async (name = "") => {
    const button = await atelier.until(() => document.querySelector("[data-lab]"), 60000);
    if (!button) return;
    const [script, style, sheet] = button.dataset.lab.split(" ");
    lab.sheet = sheet; // pictures that come with the page, side by side
    coming ??= fetched(script, style);
    try { await coming; } catch { coming = null; return; } // the studio is away: the next press asks again
    lab.show(name);
  };
  document.addEventListener("click", (event) => { if (event.target.closest?.("[data-lab]")) open(); });
  const named = new URLSearchParams(location.search).get("lab");
  if (named !== null) addEventListener("load", () => open(named));
})();
