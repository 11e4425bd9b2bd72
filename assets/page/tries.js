// Things to try: one press fills the prompt and runs it.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const SOON = 60; // milliseconds until Gradio knows what stands in a field
  atelier.run = (tab) => setTimeout(() => document.getElementById(`${tab}-run`)?.click(), SOON);
  document.addEventListener("click", (event) => {
    const advised = event.target.closest?.("[data-advised]");
    if (advised) { // Gradio asks for it
      atelier.advised = advised.dataset.advised;
      document.getElementById("image-advised")?.click();
    }
    const preset = event.target.closest?.("[data-preset]");
    if (preset) {
      atelier.preset = preset.dataset.preset;
      document.getElementById(preset.closest("[id$=-cards]").id.replace("-cards", "-take"))?.click();
    }
    const again = event.target.closest?.("[data-again]")?.closest("[id^=tab-]");
    if (again) atelier.run(again.id.slice("tab-".length));
    const button = event.target.closest?.("[data-try]");
    const tab = button?.closest("[id^=tab-]")?.id.slice("tab-".length);
    const field = tab && document.querySelector(`#${tab}-prompt textarea`);
    if (!field) return;
    atelier.put(field, (button.querySelector("[data-say], [lang]") ?? button).textContent);
    atelier.run(tab);
  });
})();
