// The queue: every open job, those that are over, and those from before, in a drawer over the page. Drawn here from tables
// of texts (tabs/shell/queue_panel.py): nothing of what people wrote is read as HTML. It asks once a second while it is open.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const SECOND = 1000;
  let drawer = null, ticking = 0, turn = 0, shown = "", wanted = "", held = false, later = null;

  const say = atelier.sayer("queue");
  const find = (selector) => drawer.querySelector(selector);
  const { make } = atelier;
  const tell = (words) => { find(".a-queue-said").textContent = words; };

  // ---- talking to the studio
  const order = async (how) => {
    const mine = (turn += 1);
    try {
      const answer = await fetch(`${window.gradio_config?.root || ""}/atelier/queue`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(how) });
      let told = null;
      try { told = await answer.json(); } catch { /* not ours */ }
      if (!answer.ok) throw new Error(told?.detail || say("failed_to_ask"));
      if (mine === turn) draw(told);
      return told;
    } catch (error) {
      if (mine === turn || how.do !== "look") tell(error instanceof TypeError ? say("failed_to_ask") : error.message);
      return null;
    }
  };

  // ---- the window
  const build = () => {
    drawer = make("dialog", { id: "queue", aria: { labelledby: "queue-title" } });
    drawer.innerHTML = `
      <header><h2 id="queue-title" tabindex="-1" autofocus></h2>
        <button type="button" class="a-close" data-do="close"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3l10 10M13 3L3 13"/></svg></button></header>
      <p class="a-queue-said" role="status"></p>
      <div class="a-queue-body"></div>`;
    (document.querySelector(".gradio-container .contain") ?? document.body).append(drawer); // where Gradio lets our styles reach
    drawer.addEventListener("click", click);
    // While a button is held down nothing is drawn: another would stand in its place, and the press be nobody's.
    for (const name of ["pointerdown", "keydown"]) drawer.addEventListener(name, () => { held = true; });
    for (const name of ["pointerup", "pointercancel", "keyup", "blur"]) {
      window.addEventListener(name, () => {
        held = false;
        if (later) setTimeout(() => { if (later && !held) draw(later); });
      });
    }
    drawer.addEventListener("close", () => {
      clearInterval(ticking);
      if (!document.activeElement || document.activeElement === document.body) document.querySelector("[data-queue]")?.focus();
    });
  };
  const open = () => {
    if (!drawer) build();
    if (drawer.open) return;
    shown = "";
    find("h2").textContent = say("title");
    find(".a-close").setAttribute("aria-label", say("close"));
    tell("");
    drawer.showModal();
    order({ do: "look" });
    ticking = setInterval(() => { if (!document.hidden) order({ do: "look" }); }, SECOND);
  };

  // ---- what it shows
  const about = (row) => [row.task, row.title].filter(Boolean).join(": ");
  const button = (what, row, more = {}) => make("button", {
    type: "button", textContent: say(more.says ?? what), className: more.first ? "a-first" : "", disabled: Boolean(more.off),
    data: { do: what, id: row.id ?? "", key: `${what} ${row.id ?? ""}` }, aria: row.id ? { label: `${say(more.says ?? what)}: ${about(row)}` } : {},
  });
  const line = (row, ...buttons) => {
    const title = make("p", { className: "a-queue-title" }, make("b", { textContent: row.task }), make("span", { textContent: row.title, title: row.title }));
    const words = make("p", { className: `a-queue-words${row.failed ? " a-queue-failed" : ""}` }, make("span", { textContent: row.words }));
    if (row.model) words.append(make("span", { textContent: row.model }));
    const made = make("li", { data: { job: row.id }, className: row.held ? "a-queue-held" : "" }, make("span", { className: "a-queue-place", textContent: row.place ? String(row.place) : "", aria: { hidden: "true" } }), make("div", {}, title, words));
    if (row.why) made.lastElementChild.append(make("p", { className: "a-queue-why", textContent: row.why }));
    if (typeof row.share === "number") {
      const fill = make("i");
      fill.style.width = `${Math.round(100 * row.share)}%`;
      made.lastElementChild.append(make("div", { className: "a-queue-track", aria: { hidden: "true" } }, fill));
    }
    made.append(make("div", { className: "a-queue-do" }, ...buttons));
    return made;
  };
  const waits = (row) => line(row,
    ...(row.waits && !row.held ? [button("up", row, { off: row.first }), button("down", row, { off: row.last }), button("front", row, { says: "to_front", off: row.first })] : []),
    ...(row.holds ? [button(row.held ? "resume" : "hold", row, { first: row.held })] : []),
    ...(row.tab ? [button("show", row)] : []),
    button("cancel", row, { says: row.waits ? "cancel" : row.stopping ? "stopping" : "stop", off: row.stopping }));
  const over = (row) => line(row, ...(row.again ? [button("repeat", row)] : []), ...(row.opens && row.tab ? [button("show", row)] : []));
  const earlier = (row) => line(row, button("go_on", row, { says: row.ran ? "repeat" : "go_on", first: true }), button("drop", row));
  const part = (key, rows, how, ...more) => rows.length ? [make("section", { aria: { labelledby: `queue-${key}` }, data: { part: key } },
    make("h3", { id: `queue-${key}`, textContent: say(key) }), ...more, make(key === "now" ? "ol" : "ul", {}, ...rows.map(how)))] : [];

  let told = { open: [], over: [], earlier: [] };
  const draw = (now) => {
    later = held ? now : null;
    if (held) return;
    const key = JSON.stringify([now, document.documentElement.lang]);
    told = now;
    if (key === shown) return;
    shown = key;
    const body = find(".a-queue-body"), focused = body.contains(document.activeElement) ? document.activeElement : null;
    const at = focused ? [...body.querySelectorAll("li")].indexOf(focused.closest("li")) : -1, last = focused?.dataset.key;
    const all = make("div", { className: "a-queue-all" }, make("p", { className: "a-note", textContent: say("earlier_help") }),
      ...(now.earlier.length > 1 ? [button("go_on_all", {}), button("drop_all", {})] : []));
    body.replaceChildren(
      ...part("earlier", now.earlier, earlier, all),
      ...part("now", now.open, waits),
      ...(now.open.length ? [] : [make("p", { className: "a-note a-queue-none", textContent: say("empty") })]),
      ...part("over", now.over, over));
    if (!focused || !drawer.open) return;
    // The same button, another of the same job, the job that stands there now, or the heading: never nowhere.
    const same = [...body.querySelectorAll("button")].find((one) => one.dataset.key === last && !one.disabled);
    const near = [...body.querySelectorAll("button:not(:disabled)")].find((one) => one.dataset.id && one.dataset.id === focused.dataset.id);
    const row = [...body.querySelectorAll("li")].at(Math.max(at, 0));
    (same ?? near ?? row?.querySelector("button:not(:disabled)") ?? find("h2")).focus();
  };

  // ---- what is pressed
  const SAID = { hold: "is_held", resume: "goes_on", cancel: "is_cancelled", drop: "dropped", drop_all: "dropped", go_on: "went_on", go_on_all: "went_on" };
  const click = async (event) => {
    const pressed = event.target.closest("[data-do]"), what = pressed?.dataset.do, id = pressed?.dataset.id;
    if (!what) {
      if (event.target === drawer && event.clientX < drawer.getBoundingClientRect().left) drawer.close();
      return;
    }
    const row = [...told.open, ...told.over, ...told.earlier].find((one) => one.id === id);
    if (what === "close") { drawer.close(); return; }
    if (what === "show") { show(row); return; }
    if (what === "repeat") {
      wanted = id;
      pressed.disabled = true; // once is enough
      document.getElementById("queue-again")?.click();
      return;
    }
    const every = what.endsWith("_all"), order_ = every ? what.slice(0, -"_all".length) : what;
    const done = await order({ do: order_, id: id ?? "", ids: every ? told.earlier.map((one) => one.id) : [id ?? ""] });
    if (!done) return;
    const now = done.open.find((one) => one.id === id);
    tell(SAID[what] ? say(SAID[what]) : now?.place ? say("moved", { place: now.place }) : "");
  };

  // A job in its tab: what was made as it was, else whatever the tab did last.
  const show = async (row) => {
    drawer.close();
    document.getElementById(`tab-${row.tab}-button`)?.click();
    await atelier.opened(row.tab);
    await atelier.drawn(row.tab);
    if (row.item) { atelier.takeUp(row.item, row.tab); return; }
    if (row.chat) {
      const there = document.querySelector(`#chat-sidebar [data-id="${CSS.escape(row.chat)}"] [data-list-do=open]`);
      if (there) { there.click(); return; }
    }
    const stop = document.getElementById(`${row.tab}-stop`);
    if (!stop?.offsetParent) for (const again of document.querySelectorAll(`#tab-${row.tab} .a-localised-idle`)) again.click();
  };

  document.addEventListener("click", (event) => { if (event.target.closest?.("[data-queue]")) open(); });
  atelier.queue = {
    again: () => wanted, // Gradio asks for it
    repeated: (said) => {
      tell(said || say("repeated"));
      shown = "";
      order({ do: "look" });
    },
  };
})();
