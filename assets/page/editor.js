// The code tab's editor: where the cursor is, and a suggestion that appears there, selected until it is kept.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  let from = null; // where the suggestion begins
  let suggestion = ""; // what it is now
  const DRAFT = "atelier_draft_code";

  const box = () => document.querySelector("#code-editor");

  // CodeMirror keeps the view on its content element; the name of that property differs between its versions.
  const view = () => {
    const content = document.querySelector("#code-editor .cm-content");
    return content?.cmTile?.view ?? content?.cmView?.view ?? content?.cmView?.rootView?.view ?? null;
  };

  // A suggestion is no edit of the person's: it enters the undo history only when it is kept, as one step.
  const put = (text, spec, kept = false) => {
    const editor = view();
    const { addToHistory } = editor.state.update({}).constructor;
    editor.dispatch({
      changes: { from, to: from + suggestion.length, insert: text },
      annotations: addToHistory.of(kept),
      userEvent: "input.complete",
      ...spec,
    });
  };

  const close = () => {
    from = null;
    suggestion = "";
    box()?.classList.remove("a-suggesting");
  };

  // Whether the suggestion still stands where it was put.
  const stands = () => from !== null && view()?.state.sliceDoc(from, from + suggestion.length) === suggestion;

  atelier.editor = {
    suggesting: () => from !== null && suggestion !== "",

    // [text before the cursor, text behind it]; remembers the place for the suggestion
    aroundCursor() {
      const editor = view();
      if (!editor) return ["", ""];
      if (from !== null) this.discard();
      const text = editor.state.doc.toString();
      const at = editor.state.selection.main.head;
      from = at;
      suggestion = "";
      return [text.slice(0, at), text.slice(at)];
    },

    suggest(text) {
      const editor = view();
      if (!editor || !stands()) return;
      put(text, { selection: { anchor: from, head: from + text.length }, scrollIntoView: true });
      suggestion = text;
      box()?.classList.toggle("a-suggesting", text !== "");
      editor.focus();
    },

    accept() {
      if (stands()) {
        const text = suggestion;
        put("", {});
        suggestion = "";
        put(text, { selection: { anchor: from + text.length } }, true);
      }
      close();
      remember();
      view()?.focus();
    },

    // what was written is there again when the page is opened again
    restore() {
      const content = document.querySelector("#code-editor .cm-content:not([data-restored])");
      const editor = content && view();
      if (!editor) return;
      content.dataset.restored = "yes";
      let draft = null;
      try { draft = localStorage.getItem(DRAFT); } catch { /* private windows keep nothing */ }
      if (draft === null) return;
      let tries = 6; // Gradio puts its own text in once more while it draws
      const put = () => {
        const { doc } = editor.state;
        if (draft !== doc.toString()) editor.dispatch({ changes: { from: 0, to: doc.length, insert: draft } });
        tries -= 1;
        if (tries) setTimeout(put, 50);
      };
      put();
    },

    discard() {
      if (stands()) put("", { selection: { anchor: from } });
      close();
      view()?.focus();
    },
  };

  const remember = () => {
    const editor = view();
    if (!editor || atelier.editor.suggesting()) return;
    try { localStorage.setItem(DRAFT, editor.state.doc.toString()); } catch { /* full, or a private window */ }
  };
  for (const kind of ["keyup", "input", "paste", "cut", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.closest?.("#code-editor")) setTimeout(remember); // the editor takes the event first
    }, true);
  }

  // An edit of the person's own ends the suggestion: what is selected is replaced, as everywhere.
  const overtake = () => {
    close();
    document.querySelector("#code-discard")?.click(); // hides both buttons; there is nothing left to take away
  };

  const editing = (event) => {
    if (event.altKey) return false;
    if (event.ctrlKey || event.metaKey) return /^[zyxv]$/i.test(event.key);
    return event.key.length === 1 || ["Enter", "Backspace", "Delete"].includes(event.key);
  };

  document.addEventListener("keydown", (event) => {
    if (!atelier.editor.suggesting() || !event.target.closest?.("#code-editor")) return;
    if (event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      event.stopPropagation();
      document.querySelector("#code-accept")?.click();
    } else if (editing(event)) {
      overtake();
    }
  }, true);
  for (const kind of ["paste", "cut", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (atelier.editor.suggesting() && event.target.closest?.("#code-editor")) overtake();
    }, true);
  }
})();
