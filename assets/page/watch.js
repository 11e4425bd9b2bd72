// One look at what has changed on the page, a moment later, for all scripts: Gradio changes it hundreds of times while it
// draws, and eight observers that each looked at once took as long as the drawing.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const SOON = 16; // milliseconds
  // Attributes that tell something, which Gradio changes in place where HTML of ours is drawn anew.
  const TOLD = [
    "aria-label", "aria-selected", "aria-valuenow", "data-abc", "data-advised", "data-all", "data-at", "data-base",
    "data-batch", "data-caption", "data-chat", "data-chat-do", "data-choose", "data-chosen", "data-copy", "data-do",
    "data-drawn", "data-earlier", "data-family", "data-files-listed", "data-files-now", "data-find", "data-goto",
    "data-halt", "data-id", "data-job", "data-kind", "data-lab", "data-language", "data-list-do", "data-live",
    "data-lora", "data-made", "data-mark", "data-model", "data-name", "data-offer", "data-order", "data-panel",
    "data-pause", "data-pick", "data-place", "data-play", "data-preset", "data-prompts", "data-region", "data-run",
    "data-said", "data-say", "data-says", "data-seconds", "data-share", "data-src", "data-state", "data-step",
    "data-tab", "data-take", "data-tool", "data-until", "data-upscaler2", "data-upscaler4", "data-url", "data-view",
    "data-with", "data-words", "lang", "title",
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
