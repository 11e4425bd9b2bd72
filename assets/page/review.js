// The code tab: the selection handed over to a conversation, and what comes back of it, line by line against it, to be
// taken or left (tabs/code/review.py). Taken, it is one step that undo takes back.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const HANDED = "atelier_code_handed";
  const FORGOTTEN = 3_600_000; // milliseconds after which code of a chat has to do with something else
  const { stored } = atelier;
  const box = () => document.querySelector("#code-change .a-change");
  const handed = () => { try { return JSON.parse(stored.get(HANDED)); } catch { return null; } };

  const hand = async (wish) => {
    const selected = atelier.editor.selected();
    if (!selected?.text.trim()) return;
    stored.set(HANDED, JSON.stringify({ wish, when: Date.now(), ...selected }));
    let fence = "```";
    while (selected.text.includes(fence)) fence += "`";
    const language = (document.querySelector("#code-language input")?.value ?? "").toLowerCase();
    document.getElementById("tab-chat-button")?.click();
    await atelier.opened("chat");
    await atelier.settled("chat"); // what stood in its field comes first
    const field = document.querySelector("#chat-prompt textarea");
    if (!field) return;
    atelier.put(field, `${atelier.say(`code.ask_${wish}`)}\n\n${fence}${language}\n${selected.text.replace(/\n+$/, "")}\n${fence}`);
    await atelier.until(() => field.offsetParent, 2000);
    field.focus();
  };

  // Where what was handed over stands now: {from, text}, as it was, or as it became by an answer; null where it is no more.
  const place = (known) => {
    const whole = atelier.editor.text();
    if (!known || whole === null || !(Date.now() - known.when < FORGOTTEN)) return null;
    const wordings = [known.text, known.earlier].filter((text) => text);
    for (const text of wordings) if (whole.slice(known.from, known.from + text.length) === text) return { from: known.from, text };
    for (const text of wordings) if (whole.includes(text)) return { from: whole.indexOf(text), text };
    return null;
  };

  const shut = () => {
    const part = box();
    if (part) { part.hidden = true; part.replaceChildren(); }
  };
  const open = atelier.editor.open.bind(atelier.editor);
  const propose = async (known, found, words, language) => {
    const adds = known.wish === "test"; // a test replaces nothing
    const answer = await fetch(`${window.gradio_config?.root || ""}/atelier/review`, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ before: adds ? "" : found.text, after: words }),
    }).catch(() => null);
    const part = box();
    if (!answer?.ok || !part) { open(words, language); return; }
    const { html, text, same } = await answer.json();
    const take = same ? null : () => {
      const now = place(known);
      if (now?.text !== found.text) return; // it was changed meanwhile
      const end = now.from + now.text.length;
      const put = adds ? `${now.text.endsWith("\n") ? "\n" : "\n\n"}${text}` : text;
      atelier.editor.replace(adds ? end : now.from, end, put);
      if (!adds) stored.set(HANDED, JSON.stringify({ ...known, from: now.from, text, earlier: now.text }));
    };
    show(same ? "code.change_same" : "code.change_title", html, take, [["code.replace_all", () => open(words, language)]]);
  };

  // A change, line by line. `take` puts it there; null where there is nothing to take.
  const show = (key, html, take, more = []) => {
    const part = box();
    if (!part) return;
    const title = document.createElement("h2"), lines = document.createElement("pre"), row = document.createElement("div");
    title.textContent = atelier.say(key);
    title.tabIndex = -1;
    lines.innerHTML = html; // escaped by the studio
    row.className = "a-change-row";
    for (const [name, act] of [...(take ? [["code.take_change", take]] : []), ["code.leave_change", () => {}], ...more]) {
      const one = Object.assign(document.createElement("button"), { type: "button", textContent: atelier.say(name) });
      one.addEventListener("click", () => { shut(); act(); });
      row.append(one);
    }
    part.replaceChildren(title, lines, row);
    part.hidden = false;
    title.focus({ preventScroll: true });
    document.getElementById("code-change").scrollIntoView({ block: "nearest" });
  };
  // A line in its place: a text by its key, or in words.
  const tell = (key, words = "") => {
    const part = box(), line = document.createElement("p");
    if (!part) return;
    line.textContent = key ? atelier.say(key) : words;
    line.setAttribute("role", "status");
    part.replaceChildren(line);
    part.hidden = false;
    setTimeout(() => { if (part.firstChild === line) shut(); }, 8000);
  };

  atelier.editor.open = async (words, language) => {
    document.getElementById("tab-code-button")?.click();
    await atelier.opened("code");
    await atelier.drawn("code");
    await atelier.until(() => atelier.editor.text() !== null, 3000);
    shut();
    const known = handed(), found = place(known);
    return found ? propose(known, found, words, language) : open(words, language);
  };
  atelier.review = { hand, show, tell };
})();
