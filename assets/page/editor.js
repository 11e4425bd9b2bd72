// The code tab's editor: where the cursor is, and a suggestion that appears there, selected until it is kept.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  let from = null; // where the suggestion begins
  let length = 0; // how long it is now
  let busy = false; // our own changes are not the person's

  const box = () => document.querySelector("#code-editor");

  // CodeMirror keeps the view on its content element; the name of that property differs between its versions.
  const view = () => {
    const content = document.querySelector("#code-editor .cm-content");
    return content?.cmTile?.view ?? content?.cmView?.view ?? content?.cmView?.rootView?.view ?? null;
  };

  const change = (spec) => {
    busy = true;
    try { view()?.dispatch(spec); } finally { busy = false; }
  };

  const close = () => {
    from = null;
    length = 0;
    box()?.classList.remove("a-suggesting");
  };

  atelier.editor = {
    suggesting: () => from !== null && length > 0,

    // [text before the cursor, text behind it]; remembers the place for the suggestion
    aroundCursor() {
      const editor = view();
      if (!editor) return ["", ""];
      if (from !== null) this.discard();
      const text = editor.state.doc.toString();
      const at = editor.state.selection.main.head;
      from = at;
      length = 0;
      return [text.slice(0, at), text.slice(at)];
    },

    suggest(text) {
      const editor = view();
      if (!editor || from === null) return;
      change({
        changes: { from, to: from + length, insert: text },
        selection: { anchor: from, head: from + text.length },
        scrollIntoView: true,
      });
      length = text.length;
      box()?.classList.toggle("a-suggesting", length > 0);
      editor.focus();
    },

    accept() {
      if (from !== null) change({ selection: { anchor: from + length } });
      close();
      view()?.focus();
    },

    discard() {
      if (from !== null && length) change({ changes: { from, to: from + length, insert: "" }, selection: { anchor: from } });
      close();
      view()?.focus();
    },
  };

  document.addEventListener("keydown", (event) => {
    if (!atelier.editor.suggesting() || !event.target.closest?.("#code-editor")) return;
    if (event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      event.stopPropagation();
      document.querySelector("#code-accept")?.click();
    } else if (!busy && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      close(); // typing over the selection replaces it, as everywhere
    }
  }, true);
})();
