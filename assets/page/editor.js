// The code tab's editor: where the cursor is, and a suggestion that appears there, selected until it is kept.
//
// The suggestion stands in the text while it is shown, outside of the history of undo. Tab keeps it, as one step that
// undo takes back, Ctrl or Cmd with the right arrow its first word, Shift+Tab its first line; Esc, typing, undo, or a cursor that goes elsewhere takes it away, and ends the run that writes it.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const DRAFT = "atelier_draft_code";
  const SETTLED = "atelier_settled_code"; // the job whose suggestion was kept or thrown away last
  let from = null; // where the suggestion begins
  let suggestion = ""; // what it is now
  let taken = ""; // what of it was kept already
  let job = null; // whose it is
  let waiting = false; // Run was pressed, and no news has come of it
  let ours = false; // this very change is made by us
  let restoring = false;
  let wanted = ""; // the language of what was opened last
  let pending = null; // news of a job that this page did not start
  let place = null; // such a job's id, and the text before and behind its suggestion
  const known = new Set(); // jobs that news came of
  const placed = new WeakSet(); // editors in which the person put the cursor somewhere

  const box = () => document.querySelector("#code-editor");
  const { stored } = atelier;

  // CodeMirror keeps the view on its content element; the name of that property differs between its versions.
  const view = () => {
    const content = document.querySelector("#code-editor .cm-content");
    const editor = content?.cmTile?.view ?? content?.cmView?.view ?? content?.cmView?.rootView?.view ?? null;
    if (editor) listen(editor);
    return editor;
  };

  // Gradio configures the editor anew where the language changes, so this is looked at each time.
  const listen = (editor) => {
    const View = editor.constructor;
    if (editor.state.facet(View.updateListener).includes(heard)) return;
    const { appendConfig } = View.scrollIntoView(0).constructor;
    editor.dispatch({ effects: appendConfig.of(View.updateListener.of(heard)) });
  };

  // What the person does to text or cursor while a suggestion is shown or awaited ends it.
  const heard = (update) => {
    if (ours || from === null) return;
    if (update.docChanged) {
      const to = from + suggestion.length;
      const [start, end] = [update.changes.mapPos(from, 1), update.changes.mapPos(to, -1)];
      from = suggestion && update.state.sliceDoc(start, end) === suggestion ? start : null;
      setTimeout(dismiss); // a view cannot be changed while it tells of a change
    } else if (update.selectionSet && suggestion) {
      const { from: start, to } = update.state.selection.main;
      if (start !== from || to !== from + suggestion.length) setTimeout(dismiss);
    }
  };

  // A suggestion is no edit of the person's: it enters the undo history only when it is kept, as one step.
  const put = (text, spec, kept = false) => {
    const editor = view();
    const { addToHistory } = editor.state.update({}).constructor;
    ours = true;
    try {
      editor.dispatch({
        changes: { from, to: from + suggestion.length, insert: text },
        annotations: addToHistory.of(kept),
        userEvent: "input.complete",
        ...spec,
      });
    } finally {
      ours = false;
    }
  };

  const mark = () => {
    const shown = from !== null && suggestion !== "";
    box()?.classList.toggle("a-suggesting", shown);
    document.body.classList.toggle("a-code-suggests", shown); // shows the buttons and the line that tells the keys
  };

  const close = () => {
    from = null;
    suggestion = taken = "";
    waiting = false;
    mark();
  };

  // Whether the suggestion still stands where it was put.
  const stands = () => {
    const state = view()?.state;
    return Boolean(state) && from !== null && from + suggestion.length <= state.doc.length
      && state.sliceDoc(from, from + suggestion.length) === suggestion;
  };

  // The person has decided: what the model still writes of it is not wanted.
  const settle = () => {
    if (job) stored.set(SETTLED, job);
    const stop = document.querySelector("#code-stop");
    if (stop?.offsetParent) stop.click();
    close();
    remember();
  };

  const dismiss = (spec = {}) => {
    if (stands()) put("", spec);
    settle();
  };

  // A suggestion that was being written, or came, while the page was closed: shown where the text is still the same.
  const adopt = () => {
    const editor = view();
    if (!pending || pending.id !== place?.id || !editor || restoring || from !== null || waiting) return;
    const { id, text } = pending;
    const { before, after } = place;
    if (editor.state.doc.toString() !== before + after || stored.get(SETTLED) === id) return;
    job = id;
    from = before.length;
    pending = null;
    placed.add(editor);
    grow(text, document.activeElement === document.body);
  };

  const grow = (text, focus) => {
    const editor = view();
    put(text, { selection: { anchor: from, head: from + text.length }, scrollIntoView: true });
    suggestion = text;
    mark();
    if (focus && box()?.offsetParent) editor.focus();
  };

  atelier.editor = {
    suggesting: () => from !== null && suggestion !== "",

    // Text from elsewhere, instead of what is there, which undo brings back; Gradio asks for its language.
    async open(text, language) {
      document.getElementById("tab-code-button")?.click();
      await atelier.opened("code");
      await atelier.drawn("code");
      for (let tries = 100; !view() && tries > 0; tries -= 1) await new Promise((done) => setTimeout(done, 50));
      const editor = view();
      if (!editor) return;
      if (from !== null) dismiss();
      placed.add(editor);
      const { doc } = editor.state;
      const end = text.endsWith("\n") ? text.length - 1 : text.length; // a listing ends with one that is not meant
      editor.dispatch({
        changes: { from: 0, to: doc.length, insert: text.slice(0, end) }, selection: { anchor: end }, userEvent: "input.paste",
      });
      remember();
      editor.focus();
      wanted = language;
      document.getElementById("code-open")?.click();
    },
    wanted: () => wanted,

    // [text before the cursor, text behind it]; remembers the place for the suggestion
    aroundCursor() {
      const editor = view();
      if (!editor) return ["", ""];
      if (stands()) put("", { selection: { anchor: from } });
      close();
      const text = editor.state.doc.toString();
      if (!placed.has(editor)) editor.dispatch({ selection: { anchor: text.length } }); // nobody chose the beginning
      const at = editor.state.selection.main.head;
      from = at;
      waiting = true;
      pending = null;
      return [text.slice(0, at), text.slice(at)];
    },

    // {id, before, after}: the text that a suggestion is for which another page asked for
    place(told) {
      place = JSON.parse(told);
      adopt();
    },

    // news: the job's id, a line break, the suggestion so far
    suggest(news) {
      const id = news.slice(0, news.indexOf("\n"));
      const text = news.slice(news.indexOf("\n") + 1);
      if (waiting && !known.has(id)) [job, waiting] = [id, false];
      known.add(id);
      if (from === null || id !== job) {
        pending = id === job ? null : { id, text };
        adopt();
      } else if (stands() && text.startsWith(taken)) {
        grow(text.slice(taken.length), suggestion === ""); // once: the person may be in another field by now
      }
    },

    accept() {
      if (stands() && suggestion) {
        const text = suggestion;
        put("", {});
        suggestion = "";
        put(text, { selection: { anchor: from + text.length } }, true);
      }
      settle();
      view()?.focus();
    },

    // the first word or line of it; the rest goes on being a suggestion
    acceptPart(kind) {
      const part = (kind === "line" ? /^[^\n]*\n?/ : /^\s*(?:\w+|[^\w\s]+)/).exec(suggestion)?.[0] ?? "";
      if (!stands() || !part) return;
      if (part.length === suggestion.length) return this.accept();
      const rest = suggestion.slice(part.length);
      put("", {});
      suggestion = "";
      put(part, { selection: { anchor: from + part.length } }, true);
      from += part.length;
      taken += part;
      grow(rest, true);
    },

    discard() {
      dismiss(from === null ? {} : { selection: { anchor: from } });
      view()?.focus();
    },

    // what was written is there again when the page is opened again
    restore() {
      const content = document.querySelector("#code-editor .cm-content:not([data-restored])");
      const editor = content && view();
      if (!editor) return;
      content.dataset.restored = "yes";
      // Who comes with Tab and presses the keys of Run has not chosen a place.
      const MOVES = /^(Arrow|Home|End|Page)/;
      for (const kind of ["pointerdown", "beforeinput"]) content.addEventListener(kind, () => placed.add(editor), true);
      content.addEventListener("keydown", (event) => { if (MOVES.test(event.key)) placed.add(editor); }, true);
      const draft = stored.get(DRAFT);
      let tries = 6; // Gradio puts its own text in once more while it draws
      restoring = true;
      const put = () => {
        const { doc } = editor.state;
        if (placed.has(editor)) tries = 0; // the person writes already
        else if (draft !== null && draft !== doc.toString() && from === null) {
          editor.dispatch({ changes: { from: 0, to: doc.length, insert: draft }, selection: { anchor: draft.length } });
        }
        tries -= 1;
        restoring = tries > 0;
        if (restoring) setTimeout(put, 50);
        else adopt();
      };
      put();
    },
  };

  const remember = () => {
    const editor = view();
    if (editor && !atelier.editor.suggesting()) stored.set(DRAFT, editor.state.doc.toString());
  };
  for (const kind of ["keyup", "input", "paste", "cut", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.closest?.("#code-editor")) setTimeout(remember); // the editor takes the event first
    }, true);
  }

  // ---- an edit of the person's own comes after the suggestion is gone, so that undo never brings it back
  const overtaking = (event) => event.target.closest?.("#code-editor") && atelier.editor.suggesting();
  document.addEventListener("keydown", (event) => {
    if (!overtaking(event) || event.altKey) return;
    const command = event.ctrlKey || event.metaKey;
    const alone = command ? /^[zy]$/i.test(event.key) : ["Backspace", "Delete"].includes(event.key);
    if (event.key === "Tab" && !command) {
      if (event.shiftKey) atelier.editor.acceptPart("line");
      else atelier.editor.accept();
    } else if (event.key === "ArrowRight" && command && !event.shiftKey) {
      atelier.editor.acceptPart("word");
    } else if (alone) {
      atelier.editor.discard();
    } else {
      if (!command && (event.key.length === 1 || event.key === "Enter")) atelier.editor.discard();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }, true);
  for (const kind of ["paste", "drop", "compositionstart"]) {
    document.addEventListener(kind, (event) => { if (overtaking(event)) atelier.editor.discard(); }, true);
  }
})();
