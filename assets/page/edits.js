// The code tab: what the person changed lately, and the next edit that a model made for it tells from that, shown as a
// change to take or leave (tabs/code/next_edit.py).
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const PAUSE = 800, MOST = 5; // milliseconds after which a change is over; changes that are remembered
  let before = null; // the text before the change under way
  let file = null; // whose it is
  let due = 0, recent = [];

  // The lines that differ, with one on each side.
  const changed = (old, now) => {
    const [one, other] = [old.split("\n"), now.split("\n")];
    const most = Math.min(one.length, other.length);
    let head = 0, tail = 0;
    while (head < most && one[head] === other[head]) head += 1;
    while (tail < most - head && one[one.length - 1 - tail] === other[other.length - 1 - tail]) tail += 1;
    [head, tail] = [Math.max(head - 1, 0), Math.max(tail - 1, 0)];
    return { before: one.slice(head, one.length - tail).join("\n"), after: other.slice(head, other.length - tail).join("\n") };
  };
  const name = () => atelier.project?.name() ?? "";
  const settle = () => {
    clearTimeout(due);
    const now = atelier.editor.text();
    if (now === null) return;
    if (before !== null && file === name() && before !== now) {
      recent = [{ name: file || "file", ...changed(before, now) }, ...recent].slice(0, MOST);
    }
    [before, file] = [now, name()];
  };
  document.addEventListener("beforeinput", (event) => {
    if (before === null && event.target.closest?.("#code-editor")) [before, file] = [atelier.editor.text(), name()];
  }, true);
  document.addEventListener("input", (event) => {
    if (!event.target.closest?.("#code-editor")) return;
    clearTimeout(due);
    due = setTimeout(settle, PAUSE);
  }, true);

  const ask = async () => {
    settle();
    if (!recent.length) { atelier.review.tell("code.edit_first"); return; }
    const around = atelier.editor.aroundCursor(false), asked = atelier.editor.text();
    const answer = await fetch(`${window.gradio_config?.root || ""}/atelier/next-edit`, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ before: around[0], after: around[1], name: around[2], fields: atelier.values("code"), edits: recent }),
    }).catch(() => null);
    if (!answer || answer.status === 204) { atelier.review.tell("code.edit_busy"); return; }
    const found = await answer.json();
    if (!answer.ok) { atelier.review.tell(null, found.error); return; }
    if (found.same) { atelier.review.tell("code.edit_none"); return; }
    atelier.review.show("code.edit_title", found.html, () => {
      if (atelier.editor.text() !== asked) return; // it was changed meanwhile
      atelier.editor.replace(found.start, found.end, found.text);
      settle();
    });
  };
  atelier.edits = { ask };
})();
