// Where the keyboard is: a button that is gone hands the focus on, so that it is never nowhere. While a job runs it is
// on Stop, then on the result's heading.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const EVERY = 100, MOST = 36000; // milliseconds, and looks: an hour
  let watching = null;
  const shown = (element) => (element?.offsetParent ? element : null);
  const watch = (tab) => {
    clearInterval(watching);
    let left = MOST, ran = false;
    watching = setInterval(() => {
      const stop = shown(document.getElementById(`${tab}-stop`));
      ran ||= Boolean(stop);
      left -= 1;
      const nowhere = !document.activeElement || document.activeElement === document.body || !shown(document.activeElement);
      if (left < 0 || !shown(document.getElementById(`tab-${tab}`))) {
        clearInterval(watching);
      } else if (nowhere && stop) {
        stop.focus();
      } else if (ran && !stop) {
        clearInterval(watching);
        if (nowhere) (shown(document.getElementById(`${tab}-heading`)?.querySelector("h2")) ?? shown(document.getElementById(`${tab}-run`)))?.focus();
      }
    }, EVERY);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".a-run-button");
    if (button && event.detail === 0) watch(button.id.replace(/-run$/, "")); // pressed with the keyboard, or by our keys
  }, true);
  atelier.watch(() => {
    for (const heading of document.querySelectorAll("[id$=-heading] h2:not([tabindex])")) heading.tabIndex = -1;
  });
})();
