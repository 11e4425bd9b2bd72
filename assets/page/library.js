// The library: everything that was made, over the whole window. Drawn here from tables of texts (tabs/door/library_desk.py):
// nothing of what people or models wrote is read as HTML. What is looked at closely is in library_view.js.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const SOON = 250; // milliseconds after the last letter until it is searched
  let desk = null; // the dialog
  let asked = 0, following = "", loading = false, waiting = 0;
  let asking = {}; // the filters
  let items = []; // what is shown, in order
  const chosen = new Set();
  let last = ""; // the one that was selected last, where Shift begins
  let undo = ""; // by what the last deletion is taken back
  let uses = ""; // the thing that a tab takes up
  let runs = null; // the tab that runs once it has taken something up

  const say = atelier.sayer("library");
  const root = () => `${window.gradio_config?.root || ""}/atelier/library`;
  const find = (selector) => desk.querySelector(selector);
  const address = (what, item, more = {}) => `${root()}/${what}?${new URLSearchParams({ id: item.id, v: item.mark, ...more })}`;
  const { make } = atelier;
  const button = (what, label, more = {}) => make("button", { type: "button", textContent: label, data: { do: what }, ...more });

  // ---- talking to the studio
  const heard = async (answer) => {
    let told = null;
    try { told = await answer.json(); } catch { /* not ours */ }
    if (answer.ok) return told;
    throw new Error(told?.detail || say("failed"));
  };
  const get = async (what, more = {}) => heard(await fetch(`${root()}${what}?${new URLSearchParams(more)}`, { cache: "no-store" }));
  const ask = async (how) => heard(await fetch(`${root()}/do`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(how) }));
  const order = async (how) => {
    try {
      return await ask(how);
    } catch (error) {
      tell(error.message || say("failed"));
      return null;
    }
  };
  const tell = (words, back = "") => {
    undo = back;
    const line = find(".a-lib-said");
    line.replaceChildren(make("span", { textContent: words }));
    if (back) line.append(button("undo", say("undo")));
    line.hidden = !words;
  };

  // ---- the window
  const build = () => {
    desk = make("dialog", { id: "library", aria: { labelledby: "library-title" } });
    desk.innerHTML = `
      <header><h2 id="library-title" tabindex="-1"></h2><input type="search" class="a-lib-search" autocomplete="off" spellcheck="false" maxlength="200">
        <div class="a-lib-tools"><input type="file" multiple hidden class="a-lib-files"></div>
        <button type="button" class="a-close" data-do="close"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3l10 10M13 3L3 13"/></svg></button></header>
      <div class="a-lib-filters"><div class="a-filter" role="radiogroup"></div></div>
      <p class="a-lib-count" role="status"></p>
      <div class="a-lib-body"><div class="a-lib-grid"></div><aside class="a-lib-details" hidden tabindex="-1"></aside></div>
      <div class="a-lib-bar" role="group" hidden></div><p class="a-lib-said" role="status" hidden></p>`;
    (document.querySelector(".gradio-container .contain") ?? document.body).append(desk);
    desk.addEventListener("click", click);
    desk.addEventListener("keydown", keys);
    desk.addEventListener("cancel", (event) => { if (atelier.library.back()) event.preventDefault(); });
    desk.addEventListener("close", () => {
      atelier.library.quiet();
      if (!document.activeElement || document.activeElement === document.body) document.querySelector("[data-library]")?.focus();
    });
    let due = 0;
    find(".a-lib-search").addEventListener("input", () => { clearTimeout(due); due = setTimeout(look, SOON); });
    desk.addEventListener("change", (event) => {
      if (event.target.matches(".a-lib-files")) takeIn(event.target.files);
      else if (event.target.closest(".a-lib-filters")) look();
    });
    for (const what of ["dragover", "dragleave", "drop"]) desk.addEventListener(what, drag);
    find(".a-lib-grid").append(make("div", { className: "a-lib-end" }));
    find(".a-lib-grid").addEventListener("scroll", () => { if (near()) more(); }, { passive: true });
  };

  const words = () => { // the fixed texts, in the page's language
    find("h2").textContent = say("title");
    find(".a-close").setAttribute("aria-label", say("close"));
    const search = find(".a-lib-search");
    search.placeholder = say("search");
    search.setAttribute("aria-label", say("search"));
    find(".a-lib-tools").replaceChildren(find(".a-lib-files"), button("chains", say("chains")), button("disk", say("disk")), button("import", say("import")));
    find(".a-lib-grid").dataset.drop = say("drop");
  };

  const open = () => {
    if (!desk) build();
    if (desk.open) return;
    words();
    facets = null;
    desk.showModal();
    find("h2").focus();
    look();
  };

  // ---- asking
  const filters = () => {
    const field = (name) => find(`.a-lib-filters [name="${name}"]`)?.value ?? "";
    const told = { text: find(".a-lib-search").value.trim(), task: find(".a-lib-filters [name=library-task]:checked")?.value ?? "" };
    for (const name of ["model", "tag", "collection", "since", "until"]) told[name] = field(name);
    if (find(".a-lib-filters [name=starred]")?.checked) told.starred = "1";
    return Object.fromEntries(Object.entries(told).filter(([, value]) => value));
  };
  const filtered = () => Object.keys(asking).length > 0;

  const look = async () => {
    const turn = (asked += 1);
    clearTimeout(waiting);
    asking = filters();
    loading = true;
    try {
      const found = await get("", { ...asking, first: "1" });
      if (turn !== asked) return;
      items = [];
      following = found.following;
      const grid = find(".a-lib-grid");
      grid.querySelectorAll(".a-lib-day, .a-lib-none").forEach((part) => part.remove());
      draw(found.items);
      offer(found);
      count(found);
      for (const id of [...chosen]) if (!filtered() && !items.some((one) => one.id === id) && !following) chosen.delete(id);
      bar();
      if (!found.whole) waiting = setTimeout(() => { if (desk.open) look(); }, 800);
      grid.scrollTop = 0;
    } catch (error) {
      if (turn === asked) tell(error.message);
    } finally {
      if (turn === asked) loading = false;
    }
    if (turn === asked && near()) more();
  };
  // An observer would be told of a change alone, and a quick scroll to the end is none.
  const near = () => find(".a-lib-end").getBoundingClientRect().top < innerHeight + 1200;
  const more = async () => {
    if (loading || !following || !desk.open) return;
    const turn = asked;
    loading = true;
    try {
      const found = await get("", { ...asking, after: following });
      if (turn !== asked) return;
      following = found.following;
      draw(found.items);
    } catch (error) {
      tell(error.message);
    } finally {
      if (turn === asked) loading = false;
    }
    if (turn === asked && near()) more();
  };

  const count = ({ count: number, more: beyond, whole }) => {
    const shown = number.toLocaleString(document.documentElement.lang);
    const told = beyond ? say("count_more", { count: shown }) : number === 1 ? say("one") : say("count", { count: shown });
    find(".a-lib-count").textContent = whole ? told : `${told} · ${say("looking")}`;
    if (number) return;
    const none = make("div", { className: "a-lib-none" }, make("p", { textContent: say(filtered() ? "nothing" : "empty") }));
    if (filtered()) none.append(button("all", say("show_all")));
    find(".a-lib-end").before(none);
  };

  // ---- the filters: what there is of each
  let facets = null;
  const offer = (found) => {
    const now = JSON.stringify([found.tasks, found.models, found.tags, found.collections, document.documentElement.lang]);
    if (now === facets) return;
    facets = now;
    const radios = find(".a-filter"), total = Object.values(found.tasks).reduce((sum, one) => sum + one, 0);
    const before = radios.querySelector(":checked")?.value ?? "";
    radios.setAttribute("aria-label", say("filter"));
    radios.replaceChildren(...["", ...Object.keys(found.tasks)].map((task) => make("label", {},
      make("input", { type: "radio", name: "library-task", value: task, checked: task === before }),
      make("span", { textContent: task ? atelier.say(`tab.${task}`) : say("all") }),
      make("b", { textContent: String(task ? found.tasks[task] : total) }))));
    const held = Object.fromEntries([...desk.querySelectorAll(".a-lib-filters [name]")].filter((one) => one.type !== "radio").map((one) => [one.name, one.type === "checkbox" ? one.checked : one.value]));
    const list = (name, any, options) => {
      const choice = make("select", { name, aria: { label: say(name) } }, make("option", { value: "", textContent: say(any) }),
        ...options.map(([value, label]) => make("option", { value, textContent: label })));
      choice.value = held[name] ?? "";
      return choice;
    };
    const named = (table) => Object.entries(table).map(([name, number]) => [name, `${name} (${number})`]);
    const day = (name) => make("label", { className: "a-lib-date" }, make("span", { textContent: say(name) }), make("input", { type: "date", name, value: held[name] ?? "" }));
    const parts = [list("model", "any_model", found.models.map((one) => [one.id, `${one.title} (${one.count})`]))];
    if (Object.keys(found.tags).length || held.tag) parts.push(list("tag", "any_tag", named(found.tags)));
    if (Object.keys(found.collections).length || held.collection) parts.push(list("collection", "any_collection", named(found.collections)));
    parts.push(make("label", { className: "a-lib-starred" }, make("input", { type: "checkbox", name: "starred", checked: held.starred === true }), make("span", { textContent: say("starred") })));
    parts.push(day("since"), day("until"));
    radios.parentElement.replaceChildren(radios, ...parts);
  };

  // ---- the grid, by day
  const name = (day) => {
    const now = new Date(), that = new Date(`${day}T12:00:00`);
    const ago = Math.round((new Date(now.getFullYear(), now.getMonth(), now.getDate(), 12) - that) / 86_400_000);
    if (ago === 0 || ago === 1) return say(ago ? "yesterday" : "today");
    return that.toLocaleDateString(document.documentElement.lang, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
  };
  const tile = (item) => {
    const kind = say(`kind_${item.kind === "text" && item.foreign ? "words" : item.kind}`), label = [kind, item.title, item.time, item.star ? say("starred") : ""].filter(Boolean).join(", ");
    const shown = make("button", { type: "button", className: `a-lib-open a-lib-${item.kind}`, tabIndex: -1, title: item.title, data: { do: "details" }, aria: { label } });
    if (item.kind === "picture") shown.append(make("img", { src: address("small", item), alt: "", loading: "lazy", decoding: "async", width: 256, height: 256 }));
    else shown.append(make("b", { textContent: kind }), make("span", { textContent: item.title }));
    const mark = make("input", { type: "checkbox", className: "a-lib-check", tabIndex: -1, checked: chosen.has(item.id), aria: { label: `${say("select")}: ${item.title}` } });
    const made = make("li", { className: "a-lib-tile", data: { id: item.id } }, shown, mark);
    made.classList.toggle("a-lib-star", item.star);
    made.classList.toggle("a-lib-chosen", chosen.has(item.id));
    return made;
  };
  const draw = (found) => {
    const end = find(".a-lib-end");
    for (const item of found) {
      let day = find(`.a-lib-day[data-day="${item.day}"]`);
      if (!day) {
        const id = `library-${item.day}`;
        day = make("section", { className: "a-lib-day", data: { day: item.day } }, make("h3", { id, textContent: name(item.day) }), make("ul", { aria: { labelledby: id } }));
        end.before(day);
      }
      day.lastElementChild.append(tile(item));
      items.push(item);
    }
    const all = tiles();
    if (all.length && !all.some((one) => one.tabIndex === 0)) all[0].tabIndex = 0;
  };
  const tiles = () => [...desk.querySelectorAll(".a-lib-open")];
  const of = (id) => items.find((one) => one.id === id);
  const row = (id) => desk.querySelector(`.a-lib-tile[data-id="${CSS.escape(id)}"]`);
  const redraw = (changed) => {
    for (const item of changed) {
      const at = items.findIndex((one) => one.id === item.id), before = row(item.id);
      if (at < 0 || !before) continue;
      items[at] = item;
      const held = before.contains(document.activeElement), reached = before.firstElementChild.tabIndex, made = tile(item);
      made.firstElementChild.tabIndex = reached;
      before.replaceWith(made);
      if (held) made.firstElementChild.focus();
    }
  };

  // ---- choosing several
  const choose = (id, on, range) => {
    const ids = items.map((one) => one.id), from = ids.indexOf(last), to = ids.indexOf(id);
    const some = range && from >= 0 ? ids.slice(Math.min(from, to), Math.max(from, to) + 1) : [id];
    for (const one of some) {
      if (on) chosen.add(one); else chosen.delete(one);
      const part = row(one);
      part?.classList.toggle("a-lib-chosen", on);
      if (part) part.lastElementChild.checked = on;
    }
    last = id;
    bar();
  };
  const none = () => { for (const id of [...chosen]) choose(id, false); };
  const bar = () => {
    const line = find(".a-lib-bar");
    line.hidden = !chosen.size;
    if (!chosen.size) { line.replaceChildren(); return; }
    const held = line.contains(document.activeElement) ? document.activeElement.dataset.do : "";
    const pictures = [...chosen].map(of).filter((one) => one?.kind === "picture").length;
    const starred = [...chosen].every((id) => of(id)?.star);
    const label = (what, key) => make("form", { className: "a-lib-name", data: { name: what } }, make("input", { type: "text", maxLength: 200, placeholder: say(key), aria: { label: say(key) } }), make("button", { type: "submit", textContent: say(what === "tag" ? "add_tag" : "add_collection") }));
    line.setAttribute("aria-label", say("actions"));
    line.replaceChildren(
      make("b", { textContent: say("selected", { count: chosen.size }) }),
      button(starred ? "unstar" : "star", say(starred ? "unstar" : "star")),
      ...(pictures >= 2 && pictures <= 4 && pictures === chosen.size ? [button("compare", say("compare"))] : []),
      ...(pictures ? [button("slideshow", say("slideshow"))] : []),
      label("tag", "tag_name"), label("collect", "collection_name"),
      button("chains", say("run_chain")), ...(pictures === chosen.size ? [button("caption-many", say("caption_many"))] : []),
      button("export-zip", say("export_zip")), ...(pictures ? [button("export-imagefolder", say("export_imagefolder"))] : []),
      button("delete", say("delete"), { className: "a-lib-delete" }), button("none", say("select_none")),
    );
    if (held) line.querySelector(`[data-do="${held}"]`)?.focus();
  };

  // ---- doing
  const star = async (ids, on) => {
    const done = await order({ do: on ? "star" : "unstar", ids });
    if (done) { redraw(done.items); bar(); }
    return done;
  };
  const remove = async (ids) => {
    const at = Math.max(items.findIndex((one) => one.id === ids[0]), 0);
    const done = await order({ do: "delete", ids });
    if (!done) return;
    atelier.library.back();
    for (const id of ids) chosen.delete(id);
    await look();
    tell(say("deleted", { count: done.count }), done.token);
    go(tiles()[Math.min(at, tiles().length - 1)] ?? find("h2"));
  };
  const bringBack = async (token) => {
    const done = await order({ do: "restore", token });
    if (!done) return;
    tell(say("restored"));
    await look();
    go(row(done.ids[0])?.firstElementChild ?? find("h2"));
  };
  const pack = async (ids, form) => {
    tell(say("packing"));
    const done = await order({ do: "export", ids, form });
    if (!done) return;
    tell(say("exported", { count: done.count }));
    save(done.address, done.name);
  };
  const save = (href, download) => {
    const link = make("a", { href, download });
    desk.append(link);
    link.click();
    link.remove();
  };
  const send = async (file) => {
    const [path] = await heard(await atelier.upload(file));
    return { path, name: file.name };
  };
  const takeIn = async (files) => {
    if (!files.length) return;
    tell(say("importing"));
    const sent = [];
    try {
      for (const file of files) sent.push(await send(file));
    } catch (error) { tell(error.message); return; }
    find(".a-lib-files").value = "";
    const done = await order({ do: "import", files: sent });
    if (!done) return;
    await look();
    tell([done.ids.length ? say("imported", { count: done.ids.length }) : "", ...done.refused].filter(Boolean).join(" "));
  };
  const drag = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    desk.classList.toggle("a-lib-dropping", event.type === "dragover");
    if (event.type === "drop") takeIn([...event.dataTransfer.files]);
  };

  // A tab takes something up: it may be the first time that it opens, and what was kept for it comes first.
  const give = async (tab, id, how, run) => {
    desk?.close();
    document.getElementById(`tab-${tab}-button`)?.click();
    await atelier.settled(tab);
    uses = id;
    runs = run ? tab : null;
    await how();
  };
  const { until, click: press } = atelier;
  let before = null, back = ""; // what a tab's fields held, and by what they get it back
  const pressed = (tab, name) => {
    const drawn = [...document.querySelectorAll(".block.a-hidden[id] textarea")].map((area) => [area.closest(".block[id]").id, area.value]);
    [before, back] = [{ ...Object.fromEntries(drawn), ...atelier.heldNow(tab) }, `${name}-back`];
    return press(name);
  };
  const use = (tab, id, what, words, run) => give(tab, id, async () => {
    if (what.press) return pressed(tab, what.press);
    if (what.fold) atelier.unfold(what.fold);
    const field = await until(() => document.querySelector(`#${what.type} textarea`));
    if (field) { atelier.put(field, what.words ?? words); field.focus(); }
    atelier.library.took();
  }, run);
  const reopen = (item, about) => {
    if (item.kind === "chat") {
      const id = item.id.split("/")[1];
      const row = () => document.querySelector(`#chat-sidebar [data-id="${id}"] [data-list-do=open]`);
      return give("chat", item.id, async () => (await until(row))?.click());
    }
    if (item.kind === "code") return give("code", item.id, async () => { await press("library-code-open"); await atelier.editor.open(about.words, about.syntax); });
    return give(item.tab, item.id, () => pressed(item.tab, `library-${item.tab}-open`));
  };

  // ---- keys: one tile can be reached with Tab, the others from there with the arrows
  const go = (target) => {
    if (!target) return;
    if (target.matches(".a-lib-open")) {
      for (const one of tiles()) if (one.tabIndex === 0) one.tabIndex = -1;
      target.tabIndex = 0;
      target.scrollIntoView({ block: "nearest" });
    }
    target.focus();
  };
  // The tile above or below: the one whose middle is nearest, in the next row, which may be of another day.
  const upright = (from, way) => {
    const { left, top } = from.getBoundingClientRect(), all = tiles(), rows = all.map((one) => one.getBoundingClientRect());
    const tops = rows.map((one) => Math.round(one.top)).filter((one) => (one - Math.round(top)) * way > 2);
    if (!tops.length) return null;
    const next = way > 0 ? Math.min(...tops) : Math.max(...tops);
    const there = all.map((one, i) => [one, rows[i]]).filter(([, at]) => Math.abs(at.top - next) < 3);
    return there.sort((a, b) => Math.abs(a[1].left - left) - Math.abs(b[1].left - left))[0]?.[0];
  };
  const keys = (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowDown" && event.target.matches(".a-lib-search")) {
      event.preventDefault();
      go(tiles().find((one) => one.tabIndex === 0));
      return;
    }
    const now = event.target.closest(".a-lib-grid .a-lib-open"), id = now?.parentElement.dataset.id;
    if (!now) return;
    const all = tiles(), at = all.indexOf(now);
    const sides = { ArrowRight: all[at + 1], ArrowLeft: all[at - 1], Home: all[0], End: all[all.length - 1] };
    if (event.key in sides) go(sides[event.key]);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") go(upright(now, event.key === "ArrowDown" ? 1 : -1));
    else if (event.key === " ") choose(id, !chosen.has(id), event.shiftKey);
    else if (event.key === "s") star([id], !of(id).star);
    else if (event.key === "Delete") remove(chosen.has(id) ? [...chosen] : [id]);
    else return;
    event.preventDefault();
  };

  const click = (event) => {
    const check = event.target.closest(".a-lib-check");
    if (check) { choose(check.parentElement.dataset.id, check.checked, event.shiftKey); return; }
    const pressed = event.target.closest("[data-do]"), what = pressed?.dataset.do;
    if (!what) return;
    const ids = [...chosen];
    if (what === "close") desk.close();
    else if (what === "details") { const id = pressed.parentElement.dataset.id; go(pressed); atelier.library.details(of(id)); }
    else if (what === "all") { find(".a-lib-search").value = ""; facets = null; find(".a-lib-filters").replaceChildren(make("div", { className: "a-filter", role: "radiogroup" })); look(); }
    else if (what === "none") none();
    else if (what === "star" || what === "unstar") star(ids, what === "star");
    else if (what === "delete") remove(ids);
    else if (what === "undo") bringBack(undo);
    else if (what === "import") find(".a-lib-files").click();
    else if (what.startsWith("export-")) pack(ids, what.slice("export-".length));
    else if (what === "caption-many") give("caption", JSON.stringify(ids), () => press("library-caption-many"));
    else if (what === "compare") atelier.library.compare(ids.map(of));
    else if (what === "slideshow") atelier.library.slideshow(ids.map(of).filter((one) => one?.kind === "picture"));
    else atelier.library.act(what, pressed, event);
  };
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest?.("#library form[data-name]");
    if (!form) return;
    event.preventDefault();
    const names = form.querySelector("input").value.split(/[,，、]/).map((one) => one.trim()).filter(Boolean);
    if (!names.length) { form.querySelector("input").focus(); return; }
    const one = form.dataset.id, done = await order({ do: form.dataset.name, ids: one ? [one] : [...chosen], names });
    if (!done) return;
    form.querySelector("input").value = "";
    tell(`${names.join(", ")}: ${say("selected", { count: done.items.length })}`);
    if (one) atelier.library.details(of(one));
    facets = null;
    const found = await get("", { ...asking, first: "1" });
    offer(found);
  });

  document.addEventListener("click", (event) => { if (event.target.closest?.("[data-library]")) open(); });

  atelier.library = {
    taking: () => uses, // Gradio asks for it
    took: () => { // a tab has what it was given
      const tab = runs;
      runs = null;
      if (tab) atelier.run(tab);
      const undo = document.getElementById(back);
      back = "";
      if (undo) atelier.tell(say("taken"), { label: say("undo"), act: () => undo.click() });
    },
    held: (names) => names.map((name) => before?.[name]), // Gradio asks for it, to put it back
    back: () => false, quiet: () => {}, // library_view.js
    tools: { say, get, ask, order, send, give, tell, make, button, find, address, star, remove, bringBack, save, use, reopen, look, of, items: () => items, chosen: () => [...chosen], go, row },
  };
})();
