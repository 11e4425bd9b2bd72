// One look at what has changed on the page, a moment later, for all scripts: Gradio changes it hundreds of times while it
// draws, and eight observers that each looked at once took as long as the drawing.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const SOON = 16; // milliseconds
  // Attributes that tell something, which Gradio changes in place where HTML of ours is drawn anew.
  const TOLD = [
    "aria-label", "aria-selected", "aria-valuenow", "data-chat", "data-drawn", "data-family", "data-files-listed", "data-files-now", "data-job", "data-made", "data-mark", "data-share", "data-state", "lang", "title",
  ];
  const looks = [];
  let due = false;
  const run = () => {
    due = false;
    for (const look of looks) {
      try { look(); } catch (error) { reportError(error); } // one that fails keeps nobody else from looking
    }
  };
  const mark = () => {
    if (due) return;
    due = true;
    setTimeout(run, SOON);
  };
  // Have a function called at first and after changes.
  atelier.watch = (look) => {
    looks.push(look);
    if (document.body) mark();
  };
  const ready = () => {
    new MutationObserver(mark).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: TOLD });
    mark();
  };
  if (document.body) ready(); else document.addEventListener("DOMContentLoaded", ready);
})();
