// The code tab: a folder of the person's own beside the editor, as a tree with a search; its files opened and saved.
// The studio reads and writes them (tabs/code/project.py); what is open, and how it was when it was saved, is kept here.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const OPEN = "atelier_code_open", PAUSE = 250; // milliseconds
  const { stored } = atelier;
  const say = (key, values = {}) => Object.entries(values).reduce((words, [name, value]) => words.replace(`{${name}}`, value), atelier.say(key));
  const side = () => document.getElementById("code-tree");
  const tree = () => document.querySelector("#code-tree .a-tree");
  const note = (words) => { const line = document.querySelector("#code-tree .a-tree-note"); if (line) line.textContent = words; };
  const field = () => document.querySelector("#code-root textarea, #code-root input");
  const root = () => (field()?.value ?? "").trim();

  // ---- what is open: {root, file, stamp, sum}
  const read = () => { try { return JSON.parse(stored.get(OPEN)); } catch { return null; } };
  let open = read();
  const keep = (now) => { open = now; stored.set(OPEN, JSON.stringify(now)); draw(); };
  const sum = (text) => { // a mark of a text, to tell whether it is still the one that was saved
    let [one, other] = [0xdeadbeef, 0x41c6ce57];
    for (let at = 0; at < text.length; at += 1) {
      const sign = text.charCodeAt(at);
      one = Math.imul(one ^ sign, 2654435761);
      other = Math.imul(other ^ sign, 1597334677);
    }
    return `${text.length} ${one >>> 0} ${other >>> 0}`;
  };
  const text = () => atelier.editor.text();
  const unsaved = () => Boolean(open) && text() !== null && sum(text()) !== open.sum;

  // ---- the studio
  const ask = async (what, message) => {
    const answer = await fetch(`${window.gradio_config?.root || ""}/atelier/project/${what}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ root: root(), ...message }),
    }).catch(() => null);
    if (!answer) throw new Error(say("code.no_answer"));
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(found.error ?? say("code.no_answer"));
    return found;
  };

  // ---- a question in the bar; what was chosen, or null
  let answered = null;
  const box = () => document.querySelector("#code-file .a-ask");
  const shut = (choice = null) => {
    const part = box();
    if (part) { part.hidden = true; part.replaceChildren(); }
    answered?.(choice);
    answered = null;
  };
  const question = (words, choices, named = false) => new Promise((done) => {
    shut();
    const part = box();
    if (!part) { done(null); return; }
    answered = done;
    const line = document.createElement("span");
    line.textContent = words;
    part.append(line);
    let input = null;
    if (named) {
      input = document.createElement("input");
      input.type = "text";
      input.setAttribute("aria-label", say("code.file_name"));
      input.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); event.stopPropagation(); shut(input.value.trim() || null); }
      });
      part.append(input);
    }
    for (const [name, key] of choices) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = say(key);
      button.addEventListener("click", () => shut(input && name ? input.value.trim() || null : name));
      part.append(button);
    }
    part.hidden = false;
    (input ?? part.querySelector("button"))?.focus();
  });
  const tell = (error) => question(error.message, [[null, "code.cancel"]]);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.closest?.("#code-file .a-ask")) {
      event.stopPropagation();
      shut();
    }
  }, true);

  // ---- open and save
  const leave = async () => { // whether what is open may go
    if (!unsaved()) return true;
    const choice = await question(say("code.unsaved_in", { file: open.file }), [["save", "code.save"], ["go", "code.throw_away"], [null, "code.cancel"]]);
    return choice === "go" || (choice === "save" && save());
  };
  const show = async (file, line = 0) => {
    shut();
    try {
      if (!(await leave())) return;
      const found = await ask("read", { file });
      await atelier.editor.load(found.text, found.language, line);
      keep({ root: root(), file, stamp: found.stamp, sum: sum(found.text) });
    } catch (error) { tell(error); }
  };
  const over = async (file, words) => { // in the place of what is there now
    let stamp = "";
    try { stamp = (await ask("read", { file })).stamp; } catch { /* it has gone */ }
    return ask("save", { file, text: words, stamp });
  };
  const save = async () => {
    const words = text();
    if (words === null || !root()) return false;
    try {
      const mine = open && open.root === root() ? open : null;
      const file = mine?.file ?? await question(say("code.save_as"), [["name", "code.save"], [null, "code.cancel"]], true);
      if (!file) return false;
      let done = await ask("save", { file, text: words, stamp: mine?.stamp ?? "" });
      if (done.changed) {
        const choices = [["over", "code.save_over"], ...(mine ? [["read", "code.read_again"]] : []), [null, "code.cancel"]];
        const choice = await question(say(mine ? "code.changed_on_disk" : "code.name_taken", { file }), choices);
        if (choice === "read") {
          const found = await ask("read", { file });
          await atelier.editor.load(found.text, found.language);
          keep({ root: root(), file, stamp: found.stamp, sum: sum(found.text) });
        }
        if (choice !== "over") return false;
        done = await over(file, words);
      }
      if (!done.stamp) return false;
      keep({ root: root(), file, stamp: done.stamp, sum: sum(words) });
      if (!mine) list();
      return true;
    } catch (error) { tell(error); return false; }
  };
  const fresh = async () => {
    if (!(await leave())) return;
    await atelier.editor.load("", "");
    keep(null);
  };

  const here = (button, file) => {
    if (file === open?.file) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  };

  // ---- the bar over the editor
  const draw = () => {
    const bar = document.querySelector("#code-file .a-file");
    if (!bar) return;
    const shown = Boolean(root());
    if (document.getElementById("code-file").hidden === shown) document.getElementById("code-file").hidden = !shown;
    if (!shown) return;
    const changed = unsaved();
    const now = JSON.stringify([open?.file, changed, document.documentElement.lang]);
    if (bar.dataset.now === now) return;
    bar.dataset.now = now;
    const part = (tag, name, words, more = {}) => Object.assign(document.createElement(tag), { className: name, textContent: words, ...more });
    const buttons = [["new", "code.new_file"], ["save", "code.save"]].map(([act, key]) => {
      const button = part("button", "", say(key), { type: "button", disabled: act === "save" && Boolean(open) && !changed });
      button.dataset.file = act;
      return button;
    });
    bar.replaceChildren(
      part("span", "a-file-name", open?.file ?? say("code.untitled")),
      part("span", "a-file-state", open ? say(changed ? "code.unsaved" : "code.saved") : ""), ...buttons,
    );
    for (const each of document.querySelectorAll("#code-tree [data-leaf]")) here(each, each.dataset.leaf);
  };
  addEventListener("beforeunload", (event) => { if (unsaved() && !draftKept()) event.preventDefault(); });
  const draftKept = () => stored.get("atelier_draft_code") === text(); // it is there again when the page is opened again

  // ---- the tree
  const entry = (one) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = one.name;
    button.title = one.file;
    if (one.folder) {
      button.dataset.branch = one.file;
      button.setAttribute("aria-expanded", "false");
    } else {
      button.dataset.leaf = one.file;
      here(button, one.file);
    }
    item.append(button);
    return item;
  };
  const branch = async (folder) => {
    const { entries, more } = await ask("list", { folder }), found = document.createElement("ul");
    found.append(...entries.map(entry));
    if (more) note(say("code.more_entries"));
    return found;
  };
  let asked = 0;
  const list = async () => {
    const part = tree(), mine = ++asked;
    if (!part) return;
    draw();
    if (!root()) { part.replaceChildren(); note(""); return; }
    note("");
    try {
      const found = await branch("");
      if (mine !== asked) return;
      part.replaceChildren(found);
      if (!found.children.length) note(say("code.folder_empty"));
    } catch (error) {
      if (mine !== asked) return;
      part.replaceChildren();
      note(error.message);
    }
  };
  const toggle = async (button) => {
    const item = button.parentElement, shown = item.querySelector(":scope > ul");
    button.setAttribute("aria-expanded", String(!shown));
    if (shown) { shown.remove(); return; }
    try { item.append(await branch(button.dataset.branch)); } catch (error) { note(error.message); }
  };
  const search = async (words) => {
    const part = tree(), mine = ++asked;
    if (!words.trim()) { list(); return; }
    try {
      const { hits, more } = await ask("search", { words });
      if (mine !== asked) return;
      const found = document.createElement("ul");
      for (const hit of hits) {
        const item = entry({ name: hit.line ? `${hit.file}:${hit.line}` : hit.file, file: hit.file, folder: false });
        if (hit.line) {
          item.firstChild.dataset.line = hit.line;
          item.firstChild.append(Object.assign(document.createElement("small"), { textContent: hit.text }));
        }
        found.append(item);
      }
      part.replaceChildren(found);
      note(more ? say("code.more_found") : hits.length ? "" : say("code.nothing_found"));
    } catch (error) { if (mine === asked) note(error.message); }
  };

  let due = 0, listed = null;
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.(".a-tree-search")) return;
    clearTimeout(due);
    due = setTimeout(() => search(event.target.value), PAUSE);
  });
  const chosen = () => { if (listed !== root()) { listed = root(); list(); } };
  document.addEventListener("change", (event) => { if (event.target === field()) chosen(); });
  document.addEventListener("keydown", (event) => {
    if (event.target === field() && event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) chosen();
    if (event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey
      && document.getElementById("code-file") && event.target.closest?.("#tab-code")) {
      event.preventDefault();
      save();
    }
  }, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#code-tree button, #code-file [data-file]");
    if (!button) return;
    if (button.dataset.branch !== undefined) toggle(button);
    else if (button.dataset.leaf !== undefined) show(button.dataset.leaf, Number(button.dataset.line ?? 0));
    else if (button.dataset.file === "save") save();
    else if (button.dataset.file === "new") fresh();
  });
  atelier.project = {
    name: () => (open && open.root === root() ? open.file : ""),
    changed: draw,
  };
  atelier.watch(() => {
    if (!side()) return;
    const search = side().querySelector(".a-tree-search"), name = say("code.search");
    if (search && search.placeholder !== name) { search.placeholder = name; search.setAttribute("aria-label", name); }
    if (listed === null && (document.documentElement.dataset.ready ?? "").split(" ").includes("code")) chosen();
    draw();
  });
})();
