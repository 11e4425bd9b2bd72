// The code tab's editor: where the cursor is, and a suggestion that appears there, selected until it is kept.
//
// The suggestion stands in the text while it is shown, outside of the history of undo. Tab keeps it, as one step that
// undo takes back, Ctrl or Cmd with the right arrow its first word, Shift+Tab its first line, Alt+] and Alt+[ show
// another; Esc, typing, undo, or a cursor that goes elsewhere takes it away, and ends the run that writes it.
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
  let choices = []; // completions to choose from, the best first: {text, parses}
  let chosen = 0; // which of them is shown
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
    count();
  };

  // Which of how many is shown, and whether the file is correct with it.
  const count = () => {
    const bar = document.querySelector("#code-choices .a-choices");
    if (!bar) return;
    const shown = from !== null && suggestion !== "" && choices.length > 0;
    const mark = shown ? choices[chosen].parses : null, several = choices.length > 1;
    if (bar.hidden !== !(shown && (several || mark !== null))) bar.hidden = !bar.hidden;
    const put = (part, words) => { if (part.textContent !== words) part.textContent = words; };
    const told = atelier.say("code.choice").replace("{number}", chosen + 1).replace("{count}", choices.length);
    put(bar.querySelector(".a-choice-count"), several && shown ? told : "");
    const sign = bar.querySelector(".a-choice-mark");
    put(sign, mark === null || mark === undefined ? "" : atelier.say(mark ? "code.parses" : "code.parses_not"));
    sign.classList.toggle("a-wrong", mark === false);
    for (const button of bar.querySelectorAll("button")) {
      button.hidden = !several;
      const name = atelier.say(Number(button.dataset.step) < 0 ? "code.before" : "code.next");
      if (button.title !== name) button.title = name;
      if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
    }
  };
  atelier.watch(count); // in another language
  document.addEventListener("click", (event) => {
    const step = event.target.closest?.("#code-choices [data-step]");
    if (step) atelier.editor.step(Number(step.dataset.step));
  });

  const close = () => {
    from = null;
    suggestion = taken = "";
    choices = [];
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
    if ((job || waiting) && stop?.offsetParent) stop.click();
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
    const { id, text } = pending, listed = pending.choices;
    const { before, after } = place;
    if (editor.state.doc.toString() !== before + after || stored.get(SETTLED) === id) return;
    job = id;
    from = before.length;
    pending = null;
    placed.add(editor);
    choices = listed;
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
      const editor = await come();
      if (!editor) return;
      const { doc } = editor.state;
      const end = text.endsWith("\n") ? text.length - 1 : text.length; // a listing ends with one that is not meant
      editor.dispatch({
        changes: { from: 0, to: doc.length, insert: text.slice(0, end) }, selection: { anchor: end }, userEvent: "input.paste",
      });
      remember();
      editor.focus();
      this.speak(language);
    },

    // A file: what stood there before is another one's, to which undo must not lead. `line` counts from 1.
    async load(text, language, line = 0) {
      const editor = await come();
      if (!editor) return;
      const { state } = editor;
      editor.setState(state.constructor.create({ doc: text, extensions: state.config.base }));
      const { addToHistory } = editor.state.update({}).constructor;
      for (const change of [{ from: 0, insert: " " }, { from: 0, to: 1 }]) { // Gradio hears of changes alone
        editor.dispatch({ changes: change, annotations: addToHistory.of(false) });
      }
      const at = line ? editor.state.doc.line(Math.min(line, editor.state.doc.lines)).to : 0;
      editor.dispatch({ selection: { anchor: at }, scrollIntoView: true });
      remember();
      editor.focus();
      this.speak(language);
    },
    colour: (on) => box()?.classList.toggle("a-plain", !on),
    speak(language) {
      wanted = language || "-";
      document.getElementById("code-open")?.click();
    },
    text: () => (stands() ? without() : view()?.state.doc.toString() ?? null),

    // What is selected, or all of it: {from, text}; null where the editor is not there
    selected() {
      const editor = view();
      if (!editor) return null;
      if (from !== null) dismiss(suggestion ? { selection: { anchor: from } } : {});
      const { from: start, to } = editor.state.selection.main;
      return start === to ? { from: 0, text: editor.state.doc.toString() } : { from: start, text: editor.state.sliceDoc(start, to) };
    },

    // One step that undo takes back: `text` instead of what stands at `start`..`end`.
    replace(start, end, text) {
      const editor = view();
      if (!editor) return;
      editor.dispatch({
        changes: { from: start, to: end, insert: text }, selection: { anchor: start, head: start + text.length },
        scrollIntoView: true, userEvent: "input.complete",
      });
      remember();
      editor.focus();
    },
    wanted: () => wanted,

    // [text before the cursor, text behind it, what the file is called]; `run`: remembers the place for the suggestion
    aroundCursor(run) {
      const editor = view(), name = atelier.project?.name() ?? "";
      if (!editor) return ["", "", name];
      if (stands()) put("", { selection: { anchor: from } });
      close();
      const text = editor.state.doc.toString();
      if (!placed.has(editor)) editor.dispatch({ selection: { anchor: text.length } }); // nobody chose the beginning
      const at = editor.state.selection.main.head;
      if (run) {
        from = at;
        waiting = true;
        pending = null;
      }
      return [text.slice(0, at), text.slice(at), name];
    },

    // [before, after] where a completion may be offered while somebody types: at a cursor that they put there, with
    // nothing selected, suggested or on its way; null elsewhere
    typing() {
      const editor = view(), { main } = editor?.state.selection ?? {};
      if (!editor?.hasFocus || !placed.has(editor) || from !== null || main.from !== main.to || editor.composing) return null;
      if (document.querySelector("#code-stop")?.offsetParent) return null;
      const text = editor.state.doc.toString();
      return [text.slice(0, main.head), text.slice(main.head)];
    },
    // Such a completion, where all is still as it was when it was asked for
    offer(text, before, after) {
      const now = this.typing();
      if (!text || !now || now[0] !== before || now[1] !== after) return false;
      job = null;
      from = before.length;
      grow(text, false);
      return true;
    },

    // {id, before, after}: the text that a suggestion is for which another page asked for
    place(told) {
      place = JSON.parse(told);
      adopt();
    },

    // news: {id, text, choices} of a job: the suggestion so far, and at its end all of them
    suggest(news) {
      const { id, text, choices: listed } = JSON.parse(news);
      if (waiting && !known.has(id)) [job, waiting] = [id, false];
      known.add(id);
      if (from === null || id !== job) {
        pending = id === job ? null : { id, text, choices: listed };
        adopt();
        return;
      }
      const fitting = listed.filter((one) => one.text.startsWith(taken)); // a part of it may have been kept already
      const best = fitting[0]?.text ?? text;
      if (stands() && best.startsWith(taken)) {
        [choices, chosen] = [fitting, 0];
        grow(best.slice(taken.length), suggestion === ""); // once: the person may be in another field by now
      }
    },

    // another of the completions: 1 the next, -1 the one before
    step(by) {
      if (!stands() || choices.length < 2) return;
      chosen = (chosen + by + choices.length) % choices.length;
      grow(choices[chosen].text.slice(taken.length), true);
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
      document.dispatchEvent(new CustomEvent("a-code-kept"));
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
      choices = choices.filter((one) => one.text.startsWith(taken));
      chosen = Math.max(choices.findIndex((one) => one.text === taken + rest), 0);
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

  // The tab, opened, with its editor, in which no suggestion stands.
  const come = async () => {
    document.getElementById("tab-code-button")?.click();
    await atelier.opened("code");
    await atelier.drawn("code");
    const editor = await atelier.until(view, 5000);
    if (!editor) return null;
    if (from !== null) dismiss();
    placed.add(editor);
    return editor;
  };
  const without = () => {
    const { doc } = view().state;
    return doc.sliceString(0, from) + doc.sliceString(from + suggestion.length);
  };

  const remember = () => {
    const editor = view();
    if (editor && !atelier.editor.suggesting()) stored.set(DRAFT, editor.state.doc.toString());
    atelier.project?.changed();
  };
  for (const kind of ["keyup", "input", "paste", "cut", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.closest?.("#code-editor")) setTimeout(remember); // the editor takes the event first
    }, true);
  }

  // ---- an edit of the person's own comes after the suggestion is gone, so that undo never brings it back
  const overtaking = (event) => event.target.closest?.("#code-editor") && atelier.editor.suggesting();
  document.addEventListener("keydown", (event) => {
    if (!overtaking(event)) return;
    if (event.altKey) {
      const by = { BracketRight: 1, BracketLeft: -1 }[event.code]; // by the key's place: with Option a Mac types signs
      if (!by || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      atelier.editor.step(by);
      return;
    }
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
