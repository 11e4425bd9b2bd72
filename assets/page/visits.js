// Conversations of a visitor to a public studio, which keeps none: this browser does. Whatever changes there is fetched
// (tabs/chat/kept_by_browser.py); what the studio has forgotten, since the visitor was away or it was started anew, is
// brought back before anything is shown.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const SOON = 300, EVERY = 15 * 60_000, PATIENCE = 20_000; // milliseconds
  const BATCH = 4_000_000; // letters that are sent at once
  const heads = atelier.shelf("atelier_chats", ["heads", "files"], "heads"); // {id, stamp, updated, size}
  const files = atelier.shelf("atelier_chats", ["heads", "files"], "files"); // id -> its JSON
  const line = () => document.querySelector("[data-kept-told]"); // it is there where the studio keeps none
  const say = (key, values = {}) => Object.entries(values).reduce((words, [name, value]) => words.replace(`{${name}}`, value), atelier.say(key));
  const tell = (words) => { if (line() && words) line().textContent = words; };
  const root = () => window.gradio_config?.root || "";

  const ask = async (body) => {
    const answer = await fetch(`${root()}/atelier/chats`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || answer.statusText);
    return answer.json();
  };
  const forget = async (id) => {
    await heads("readwrite", (shelf) => shelf.delete(id));
    await files("readwrite", (shelf) => shelf.delete(id));
  };
  const keep = async ({ id, stamp, updated, file }) => {
    await files("readwrite", (shelf) => shelf.put(file, id));
    await heads("readwrite", (shelf) => shelf.put({ id, stamp, updated, size: file.length }, id));
  };
  const send = async (batch) => {
    const answer = await atelier.upload(new File([JSON.stringify(batch)], "conversations.json", { type: "application/json" }));
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || answer.statusText);
    const [path] = await answer.json();
    return ask({ give: { path } });
  };

  // What the studio has not: the newest first, some at a time. How many could be brought back, and how many not.
  const bring = async (known, missing) => {
    const wanted = missing.filter((id) => known.has(id)).sort((one, other) => (known.get(other).updated > known.get(one).updated ? 1 : -1));
    let batch = {}, size = 0, brought = 0, lost = 0;
    const give = async () => {
      if (!Object.keys(batch).length) return;
      const { here, refused } = await send(batch);
      for (const [id, stamp] of Object.entries(here)) await heads("readwrite", (shelf) => shelf.put({ ...known.get(id), stamp }, id));
      for (const id of refused) await forget(id);
      brought += Object.keys(here).length;
      lost += refused.length;
      [batch, size] = [{}, 0];
    };
    for (const id of wanted) {
      const file = await files("readonly", (shelf) => shelf.get(id));
      if (typeof file !== "string" || !file) { // it was too large to be kept
        await forget(id);
        continue;
      }
      if (size && size + file.length > BATCH) await give();
      batch[id] = file;
      size += file.length;
    }
    await give();
    return { brought, lost };
  };

  // Whether the list is another one by now.
  const once = async () => {
    const known = new Map();
    let more = true, changed = false, brought = 0, lost = 0;
    while (more) {
      known.clear();
      for (const head of await heads("readonly", (shelf) => shelf.getAll())) known.set(head.id, head);
      const told = await ask({ have: Object.fromEntries([...known.values()].map(({ id, stamp }) => [id, stamp])) });
      for (const id of told.gone) await forget(id);
      for (const one of told.changed) {
        try {
          await keep(one);
        } catch (error) {
          tell(say("chat.kept_full"));
          throw error;
        }
      }
      told.told.forEach(tell);
      changed ||= told.told.length > 0;
      if (told.missing.length && !brought) ({ brought, lost } = await bring(known, told.missing));
      more = told.more;
    }
    if (lost) tell(say("chat.kept_lost", { count: lost }));
    return changed || brought > 0;
  };

  // ---- one at a time; what changes meanwhile is looked at next
  let under = null, again = false;
  const sync = () => {
    again = true;
    under ??= (async () => {
      let changed = false;
      try {
        while (again) {
          again = false;
          changed = (await once()) || changed;
        }
      } catch (error) {
        if (error?.name === "ShelfError") tell(say("chat.kept_not"));
      }
      under = null;
      return changed;
    })();
    return under;
  };

  // Gradio calls this before it asks what to show. What takes too long comes into the list later.
  let first = null;
  atelier.broughtBack = () => {
    if (!line()) return Promise.resolve();
    if (!first) {
      const done = sync();
      const slow = new Promise((late) => setTimeout(() => late("late"), PATIENCE));
      first = Promise.race([done, slow]).then((how) => { if (how === "late") done.then(list); });
    }
    return first;
  };
  const list = (changed) => { if (changed) atelier.listOrders({ do: "look" }); };

  let shown = null, due = 0;
  const soon = (after) => {
    clearTimeout(due);
    due = setTimeout(() => sync().then(list), after);
  };
  atelier.watch(() => {
    if (!line() || !first) return;
    const talk = document.querySelector("#chat-said [data-chat]")?.dataset, rows = document.querySelector("#chat-list .a-chats");
    const now = [talk?.chat, talk?.mark, rows?.dataset.state].join(" ");
    if (now === shown) return;
    shown = now;
    soon(SOON);
  });
  document.addEventListener("focusout", (event) => { // settings of a conversation are its own
    if (first && line() && event.target.closest?.("#tab-chat")) soon(4 * SOON);
  });
  setInterval(() => { if (first && line()) soon(0); }, EVERY);
  document.addEventListener("visibilitychange", () => { if (first && line()) soon(0); });
  addEventListener("online", () => { if (first && line()) soon(0); });
})();
