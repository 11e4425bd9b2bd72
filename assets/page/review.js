// The code tab: the selection handed over to a conversation, and what comes back of it, line by line against it, to be
// taken or left (tabs/code/review.py). Taken, it is one step that undo takes back.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const HANDED = "atelier_code_handed";
  const { stored } = atelier;
  const box = () => document.querySelector("#code-change .a-change");
  const handed = () => { try { return JSON.parse(stored.get(HANDED)); } catch { return null; } };

  const hand = async (wish) => {
    const selected = atelier.editor.selected();
    if (!selected?.text.trim()) return;
    stored.set(HANDED, JSON.stringify({ wish, ...selected }));
    let fence = "```";
    while (selected.text.includes(fence)) fence += "`";
    const language = (document.querySelector("#code-language input")?.value ?? "").toLowerCase();
    const field = document.querySelector("#chat-prompt textarea");
    document.getElementById("tab-chat-button")?.click();
    if (!field) return;
    atelier.put(field, `${atelier.say(`code.ask_${wish}`)}\n\n${fence}${language}\n${selected.text.replace(/\n+$/, "")}\n${fence}`);
    for (let tries = 40; !field.offsetParent && tries; tries -= 1) await new Promise((done) => setTimeout(done, 50));
    field.focus();
  };

  // Where what was handed over stands now; null where it is no more.
  const place = (known) => {
    const text = atelier.editor.text();
    if (!known || text === null) return null;
    if (text.slice(known.from, known.from + known.text.length) === known.text) return known.from;
    const found = text.indexOf(known.text);
    return found < 0 ? null : found;
  };

  const shut = () => {
    const part = box();
    if (part) { part.hidden = true; part.replaceChildren(); }
  };
  const open = atelier.editor.open.bind(atelier.editor);
  const propose = async (known, start, words, language) => {
    const adds = known.wish === "test"; // a test replaces nothing
    const answer = await fetch(`${window.gradio_config?.root || ""}/atelier/review`, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ before: adds ? "" : known.text, after: words }),
    }).catch(() => null);
    const part = box();
    if (!answer?.ok || !part) { open(words, language); return; }
    const { html, text, same } = await answer.json();
    const title = document.createElement("h3"), lines = document.createElement("pre"), row = document.createElement("div");
    title.textContent = atelier.say(same ? "code.change_same" : "code.change_title");
    title.tabIndex = -1;
    lines.innerHTML = html; // escaped by the studio
    row.className = "a-change-row";
    const button = (key, act) => {
      const one = Object.assign(document.createElement("button"), { type: "button", textContent: atelier.say(key) });
      one.addEventListener("click", () => { shut(); act(); });
      row.append(one);
    };
    if (!same) {
      button("code.take_change", () => {
        const now = place(known), end = now + known.text.length;
        if (now === null) return;
        const put = adds ? `${known.text.endsWith("\n") ? "\n" : "\n\n"}${text}` : text;
        atelier.editor.replace(adds ? end : now, end, put);
        if (!adds) stored.set(HANDED, JSON.stringify({ ...known, from: now, text }));
      });
    }
    button("code.leave_change", () => {});
    button("code.replace_all", () => open(words, language));
    part.replaceChildren(title, lines, row);
    part.hidden = false;
    title.focus();
    part.scrollIntoView({ block: "nearest" });
  };

  atelier.editor.open = async (words, language) => {
    document.getElementById("tab-code-button")?.click();
    await atelier.opened("code");
    await atelier.drawn("code");
    for (let tries = 60; atelier.editor.text() === null && tries; tries -= 1) await new Promise((done) => setTimeout(done, 50));
    shut();
    const known = handed(), start = place(known);
    if (start === null) return open(words, language);
    return propose(known, start, words, language);
  };
  atelier.review = { hand };
})();
