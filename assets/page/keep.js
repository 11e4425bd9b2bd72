// What a person typed or chose is there again: after a reload, a restart, in another language. One mechanism for all
// fields (tabs/shell/remember.py), and one step back where the page itself put another text in the place of theirs.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const KEY = "atelier_fields_", SOON = 150; // milliseconds
  const { stored } = atelier;
  const latest = new Map(); // tab -> field -> value; what a page begins with is not in it
  const due = new Map();

  const read = (tab) => {
    if (!latest.has(tab)) {
      let found = null;
      try { found = JSON.parse(stored.get(KEY + tab)); } catch { /* as good as none */ }
      latest.set(tab, found && typeof found === "object" && !Array.isArray(found) ? found : {});
    }
    return latest.get(tab);
  };
  const write = (tab) => {
    clearTimeout(due.get(tab));
    due.delete(tab);
    stored.set(KEY + tab, JSON.stringify(latest.get(tab)));
  };
  const flush = () => { for (const tab of [...due.keys()]) write(tab); };
  addEventListener("pagehide", () => { // Gradio tells of what is typed a moment later, which there may not be
    for (const tab of filled) {
      for (const name of all.get(tab) ?? []) {
        const mine = typed.get(name), kept = read(tab);
        if (mine === undefined || area(name)?.value !== mine || (kept[name] ?? "") === mine) continue;
        latest.set(tab, { ...kept, [name]: mine });
        due.set(tab, due.get(tab) ?? 0);
      }
    }
    flush();
  });
  document.addEventListener("visibilitychange", flush);

  // ---- files: their bytes are kept by the browser, since the studio clears away what was uploaded
  const MOST = 64_000_000;
  const files = (value) => {
    if (!value || typeof value !== "object") return [];
    if (typeof value.path === "string" && typeof value.url === "string") return [value];
    return Object.values(value).flatMap(files);
  };
  const on = atelier.shelf("atelier", ["files"], "files");
  const lay = async (file) => {
    try {
      if (await on("readonly", (shelf) => shelf.getKey(file.path))) return;
      const answer = await fetch(file.url);
      const bytes = answer.ok ? await answer.blob() : null;
      if (bytes && bytes.size <= MOST) await on("readwrite", (shelf) => shelf.put(bytes, file.path));
    } catch { /* a private window has no shelf */ }
  };
  const clear = async () => {
    try {
      flush(); // tabs that were not opened this time have files too: those stand in the store alone
      const tabs = Object.keys(localStorage).filter((key) => key.startsWith(KEY)).map((key) => key.slice(KEY.length));
      const wanted = new Set(tabs.map(read).flatMap(files).map((file) => file.path));
      for (const path of await on("readonly", (shelf) => shelf.getAllKeys())) {
        if (!wanted.has(path) && !path.startsWith(OWN)) await on("readwrite", (shelf) => shelf.delete(path));
      }
    } catch { /* the same */ }
  };
  // The picture editor's: it takes them as if they were chosen once more.
  const OWN = "field:", holding = new Set();
  atelier.holds = (name) => holding.has(name); // whether there is a picture in a picture editor
  atelier.shelve = async (name, file) => {
    if (file) holding.add(name); else holding.delete(name);
    try { await on("readwrite", (shelf) => file ? shelf.put(file, OWN + name) : shelf.delete(OWN + name)); } catch { /* the same */ }
  };
  atelier.shelveFrom = async (name, address) => {
    const answer = address ? await fetch(address) : null;
    if (answer?.ok) await atelier.shelve(name, new File([await answer.blob()], "start.png", { type: "image/png" }));
  };
  const unshelve = async (name) => {
    let file = null;
    try { file = await on("readonly", (shelf) => shelf.get(OWN + name)); } catch { return; }
    if (file) atelier.unfold("image-start"); // what has a say in the next picture is to be seen
    const input = file && await atelier.until(() => document.querySelector(`#${name} input[type=file]`));
    if (input) atelier.choose(input, file); // fields.js has it wait for the canvas
  };
  const fetched = async (file) => { // the file where the studio still has it, else sent once more; null where it is gone
    try {
      if ((await fetch(file.url, { method: "HEAD" })).ok) return file;
      const bytes = await on("readonly", (shelf) => shelf.get(file.path));
      if (!bytes) return null;
      const answer = await atelier.upload(new File([bytes], file.orig_name || "file", { type: file.mime_type || bytes.type }));
      if (!answer.ok) return null;
      const [path] = await answer.json();
      const again = { ...file, path, url: `${atelier.api()}/file=${path}` };
      await on("readwrite", (shelf) => shelf.put(bytes, path));
      return again;
    } catch { return null; }
  };
  const renewed = async (value) => {
    if (!value || typeof value !== "object") return value;
    if (typeof value.path === "string" && typeof value.url === "string") return fetched(value);
    if (Array.isArray(value)) return (await Promise.all(value.map(renewed))).filter((one) => one !== null);
    const parts = await Promise.all(Object.entries(value).map(async ([name, part]) => [name, await renewed(part)]));
    return Object.fromEntries(parts);
  };

  // ---- Gradio calls these: with a field that changes, and with all fields of a tab when it is opened
  const early = new Map(), filled = new Set(), all = new Map(), began = new Map();
  const came = new Map(); // tab -> what was kept when it was opened
  // What a field was left with, whatever has become of it since: a list drops a value before it knows the choice.
  atelier.left = (tab, names, now) => names.map((name, i) => (came.get(tab) && name in came.get(tab) ? came.get(tab)[name] : now[i]));
  // What fields hold now, by name, for one step back after another tab or the library put something into them.
  atelier.heldNow = (tab) => ({ ...began.get(tab), ...read(tab) });
  const hearers = [];
  atelier.onKept = (hear) => hearers.push(hear);
  atelier.values = (tab) => read(tab); // what a tab's fields hold; what was never changed is not among it
  atelier.fields = (tab) => all.get(tab) ?? []; // the names of a tab's fields
  atelier.keep = (tab, name, now) => {
    if (!filled.has(tab)) { // what the page begins with is no choice of a person's; what another tab sends is
      early.set(tab, { ...early.get(tab), [name]: now });
      return;
    }
    const kept = read(tab), before = kept[name];
    if (JSON.stringify(before) === JSON.stringify(now)) return;
    replaced(name, before, now);
    latest.set(tab, { ...kept, [name]: now });
    for (const hear of hearers) hear(tab, name);
    clearTimeout(due.get(tab));
    due.set(tab, setTimeout(() => write(tab), SOON));
    const had = new Set(files(before).map((file) => file.path)), have = files(now);
    for (const file of have) if (!had.has(file.path)) lay(file);
    if ([...had].some((path) => !have.some((file) => file.path === path))) clear();
  };
  const empty = (value) => value === null || value === undefined || value === "" || value === false || (Array.isArray(value) && !value.length);
  const same = (one, other) => (empty(one) && empty(other)) || JSON.stringify(one) === JSON.stringify(other);
  const fits = (value, now) => value === null || now === null || now === undefined
    || (typeof value === typeof now && Array.isArray(value) === Array.isArray(now));
  atelier.recall = async (tab, names, now) => {
    all.set(tab, names);
    began.set(tab, Object.fromEntries(names.map((name, i) => [name, now[i]])));
    await atelier.drawn(tab); // a field that is drawn later would say once more what it began with
    const kept = read(tab);
    came.set(tab, { ...kept });
    const values = await Promise.all(names.map(async (name, i) => {
      if (!(name in kept) || !fits(kept[name], now[i]) || typed.has(name)) return undefined; // it stays as it is
      if (name in (early.get(tab) ?? {}) && !same(early.get(tab)[name], now[i])) return undefined;
      if (typeof kept[name] === "string") typed.set(name, kept[name]);
      return renewed(kept[name]);
    }));
    if (tab === "image") unshelve("image-picture");
    setTimeout(() => {
      filled.add(tab);
      const ready = document.documentElement.dataset;
      ready.ready = [...new Set([...(ready.ready || "").split(" "), tab])].join(" ").trim();
    }, 0);
    return values;
  };

  // A tab's fields hold what was kept.
  atelier.settled = async (tab) => {
    while (!filled.has(tab)) await new Promise((done) => setTimeout(done, 50));
  };

  // ---- one step back where the page put a text in the place of what was typed
  const steps = new Map(); // field -> {before, after}
  const typed = new Map(); // field -> what the person typed last, or had typed when the page was left
  const area = (name) => document.querySelector(`#${name} textarea`);
  const named = (field) => field.closest(".block[id]")?.id;
  // The page writes into a field, as a button with an example does.
  atelier.put = (field, words) => {
    const name = named(field), before = typed.get(name);
    atelier.type(field, words);
    typed.set(name, before);
  };
  const replaced = (name, before, after) => {
    if (before === after || typeof after !== "string") return;
    const field = area(name), mine = typed.get(name); // not `before`: what was typed a moment ago may not have been told
    if (field && field.value !== after) return; // told late: it stands there no more
    if (mine === after || !after.trim()) {
      dismiss(name);
      if (mine !== after) typed.delete(name); // it was sent, or taken away
    } else if (field && mine?.trim()) {
      steps.set(name, { before: mine, after });
      offer(name);
    }
  };
  const dismiss = (name) => {
    steps.delete(name);
    document.querySelector(`#${name} > .a-undo`)?.remove();
  };
  const back = (name) => {
    const step = steps.get(name), field = area(name);
    dismiss(name);
    if (!step || !field) return;
    atelier.type(field, step.before);
    field.focus();
  };
  const offer = (name) => {
    const field = document.getElementById(name);
    field.querySelector(":scope > .a-undo")?.remove();
    const button = document.createElement("button");
    button.type = "button";
    button.className = "a-undo";
    button.textContent = atelier.say("page.undo_replaced");
    button.addEventListener("click", () => back(name));
    field.append(button);
  };
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("textarea, input")) typed.set(named(event.target), event.target.value);
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    const name = event.target.closest?.(".block[id]")?.id;
    if (!steps.has(name) || steps.get(name).after !== event.target.value) return;
    event.preventDefault(); // the browser's own step back would glue both texts together
    back(name);
  }, true);
})();
