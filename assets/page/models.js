// The panel of models: a drawer over the page. It asks the server once a second while it is open, and not at all otherwise.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const SECOND = 1000;
  const orders = []; // what the server is to be told next
  let drawer, news, rows = new Map(), only = "all", asking = "", acted = "", toward = "";
  let waiting = 0, ticking = 0, restart = 0, changed = false, ahead = 0; // seconds by which the server's clock differs

  const find = (selector) => drawer.querySelector(selector);
  const tell = (order) => {
    orders.push(order);
    waiting = performance.now();
    document.getElementById("models-obey")?.click();
  };
  atelier.models = {
    order: () => orders.shift() ?? "look", chosen: () => [wanted], take: (tab, model) => take(tab, model),
  };

  const build = () => {
    drawer = document.createElement("dialog");
    drawer.id = "models";
    drawer.setAttribute("aria-labelledby", "models-title");
    drawer.innerHTML = `
      <header><h2 id="models-title" tabindex="-1" autofocus></h2>
        <button type="button" class="a-close" data-do="close"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M3 3l10 10M13 3L3 13"/></svg></button></header>
      <div class="a-models-body">
        <div class="a-models-said"></div><div class="a-models-memory"></div>
        <details class="a-adding" hidden><summary></summary>
          <form class="a-ask-row"><label><span></span><input type="text" data-words="name" autocomplete="off" spellcheck="false"></label>
            <button type="submit" data-do="name" class="a-first"></button></form>
          <p class="a-note a-adding-drop"></p>
          <div class="a-adding-named"></div>
          <h3></h3><form class="a-ask-row"><label><span></span><input type="text" data-words="look_into" autocomplete="off" spellcheck="false"></label>
            <button type="submit" data-do="look_into"></button><button type="button" data-do="find"></button></form>
          <div class="a-adding-folders"></div>
        </details>
        <div class="a-filter" role="radiogroup"></div>
        <div class="a-models-list"></div><p class="a-note a-models-none" hidden></p>
        <div class="a-models-gone"></div>
        <p class="a-note a-models-programs" hidden></p>
      </div><p class="a-unseen" role="status"></p>`;
    (document.querySelector(".gradio-container .contain") ?? document.body).append(drawer); // where Gradio lets our styles reach
    drawer.addEventListener("close", () => {
      clearInterval(ticking);
      asking = acted = "";
      if (changed) atelier.listAgain();
      changed = false;
      if (!document.activeElement || document.activeElement === document.body) document.querySelector("[data-models]")?.focus();
    });
    drawer.addEventListener("click", click);
    drawer.addEventListener("change", (event) => { if (event.target.name === "models-only") { only = event.target.value; filter(); } });
    for (const what of ["dragover", "dragleave", "drop"]) drawer.addEventListener(what, drag);
    drawer.addEventListener("submit", (event) => event.preventDefault()); // its button tells
  };

  const open = () => {
    if (!drawer) build();
    if (drawer.open) return;
    find("h2").textContent ||= document.querySelector("[data-models]")?.innerText ?? "";
    drawer.showModal();
    tell("look");
    ticking = setInterval(() => {
      count();
      const late = performance.now() - waiting > 10 * SECOND; // an answer that got lost must not be the last
      if (!restart && (!waiting || late) && !document.hidden) tell("look");
    }, SECOND);
  };

  const click = (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) {
      const box = drawer.getBoundingClientRect();
      if (event.target === drawer && event.clientX < box.left) drawer.close();
      return;
    }
    const row = button.closest(".a-model"), id = row?.dataset.id ?? "", what = button.dataset.do;
    if (what === "close") drawer.close();
    else if (what === "use") {
      drawer.close();
      if (button.dataset.model) take(button.dataset.goto, button.dataset.model);
    }
    else if (what === "licence") return;
    else if (what === "ask" || what === "keep") ask(what === "ask" ? id : "");
    else {
      if (what === "delete") ask("");
      if (["delete", "download", "resume", "again", "newest"].includes(what) || what.startsWith("from_")) changed = true;
      acted = id;
      const typed = button.closest(".a-ask-row")?.querySelector(`[data-words="${what}"]`);
      if (typed && !typed.value.trim()) { typed.focus(); return; }
      tell([what, typed ? "" : button.dataset.with, button.dataset.with ? "" : id, typed?.value.trim()].filter(Boolean).join(" "));
      if (typed?.type === "password") typed.value = "";
      if (["add", "use_folder", "forget_folder"].includes(what)) changed = true;
      if (what === "restart") comeBack();
    }
  };

  // ---- a file, a folder or a link is dropped: a file stays where it is, the server looks for it there
  const drag = (event) => {
    event.preventDefault(); // the browser would open it
    const part = find(".a-adding"), { dataTransfer: dropped, type } = event;
    drawer.classList.toggle("a-dropping", type === "dragover" && !part.hidden);
    if (type !== "drop" || part.hidden) return;
    const [file] = dropped.files, folder = dropped.items[0]?.webkitGetAsEntry?.()?.isDirectory;
    const [link] = (dropped.getData("text/uri-list") || dropped.getData("text/plain")).trim().split("\n");
    if (!file && !link) return;
    part.open = true;
    if (!file) part.querySelector("[data-words=name]").value = link;
    tell(file ? `dropped ${file.name}/${folder ? "" : file.size}` : `name ${link}`);
  };

  // ---- its tab opens with the model chosen; it may be the first time that it opens
  let wanted = "";
  const take = async (tab, model) => {
    await atelier.settled(tab);
    wanted = model;
    await atelier.click(`${tab}-choose`);
  };

  // ---- deleting asks first
  const ask = (id) => {
    const before = asking;
    asking = id;
    for (const row of rows.values()) row.classList.toggle("a-asking", row.dataset.id === asking);
    const target = id ? rows.get(id)?.querySelector("[data-do=keep]") : rows.get(before)?.querySelector("[data-do=ask]");
    target?.focus();
  };

  // ---- drawing: only what differs, so that the focus and what is read out stay where they are
  const fill = (part, markup) => {
    if (part.drawn === markup) return;
    const held = part.contains(document.activeElement) ? document.activeElement.dataset.do : null;
    part.drawn = markup;
    part.innerHTML = markup;
    if (held === null) return;
    const again = part.querySelector(`[data-do="${held}"]`) ?? part.querySelector(".a-model-do [data-do]");
    (again ?? (part.matches(".a-model") ? part : find("h2"))).focus({ preventScroll: true });
  };

  const row = (model) => {
    let made = rows.get(model.id);
    if (!made) {
      made = document.createElement("li");
      made.className = "a-model";
      made.tabIndex = -1; // holds the focus while it has no buttons
      made.dataset.id = model.id;
      rows.set(model.id, made);
    }
    const before = made.dataset.state;
    Object.assign(made.dataset, { state: model.state, here: model.here, memory: model.memory });
    fill(made, model.html);
    made.classList.toggle("a-asking", asking === model.id && !!made.querySelector(".a-model-ask"));
    if (before && before !== model.state && acted === model.id) {
      find("[role=status]").textContent = `${model.title}: ${made.querySelector(".a-model-state b").innerText}`;
    }
    return made;
  };

  atelier.models.draw = (told) => {
    waiting = 0;
    if (!drawer || !told || told === news) return;
    news = told;
    const panel = JSON.parse(told);
    drawer.words = panel.words;
    ahead = panel.now - Date.now() / SECOND;
    find("h2").textContent = panel.words.title;
    find(".a-close").setAttribute("aria-label", panel.words.close);
    if (!restart) fill(find(".a-models-said"), panel.said);
    fill(find(".a-models-memory"), panel.memory);
    fill(find(".a-models-gone"), panel.gone);
    const programs = find(".a-models-programs");
    programs.hidden = !panel.programs;
    programs.textContent = panel.programs.replace("{address}", new URL("v1", document.baseURI).href);
    if (panel.adding) adding(panel);
    const list = find(".a-models-list"), known = new Set();
    for (const { task, title, rows: models } of panel.groups) {
      let group = list.querySelector(`[data-task="${task}"]`);
      if (!group) {
        group = document.createElement("section");
        group.dataset.task = task;
        group.innerHTML = `<h3 id="models-${task}"></h3><ul aria-labelledby="models-${task}"></ul>`;
        list.append(group);
      }
      group.firstElementChild.textContent = title;
      models.forEach((model, at) => {
        const made = row(model), there = group.lastElementChild;
        known.add(model.id);
        if (there.children[at] !== made) there.insertBefore(made, there.children[at] ?? null);
      });
    }
    for (const [id, old] of rows) if (!known.has(id)) { old.remove(); rows.delete(id); }
    filters(panel);
    filter();
    count();
    rows.get(toward)?.scrollIntoView({ block: "center" });
    toward = "";
  };

  const adding = ({ words, adding: told }) => {
    const part = find(".a-adding");
    if (part.hidden) {
      const [name, folder] = part.querySelectorAll("form");
      const put = (form, label, example, ...buttons) => {
        form.querySelector("span").textContent = label;
        form.querySelector("input").placeholder = example;
        form.querySelectorAll("button").forEach((button, at) => { button.textContent = buttons[at]; });
      };
      put(name, words.add_what, words.add_example, words.add_look);
      put(folder, words.find_folder, "", words.find_look, words.find_here);
      part.hidden = false;
    }
    find(".a-adding summary").textContent = words.add_title;
    find(".a-adding h3").textContent = words.find_title;
    find(".a-adding-drop").textContent = words.add_drop;
    fill(find(".a-adding-named"), told.named);
    fill(find(".a-adding-folders"), told.folders);
  };

  const shows = { all: () => true, here: (model) => model.dataset.here === "true", memory: (model) => model.dataset.memory === "true" };
  const filters = ({ filters: names, words }) => {
    const bar = find(".a-filter");
    bar.setAttribute("aria-label", words.show);
    for (const [name, label] of Object.entries(names)) {
      let choice = bar.querySelector(`[value=${name}]`)?.parentElement;
      if (!choice) {
        choice = document.createElement("label");
        choice.innerHTML = `<input type="radio" name="models-only" value="${name}"><span></span><b></b>`;
        choice.firstElementChild.checked = name === only;
        bar.append(choice);
      }
      choice.children[1].textContent = label;
      choice.children[2].textContent = [...rows.values()].filter(shows[name]).length;
    }
  };
  const filter = () => {
    for (const model of rows.values()) model.hidden = !shows[only](model);
    for (const group of drawer.querySelectorAll("section[data-task]")) group.hidden = !group.querySelector(".a-model:not([hidden])");
    const none = find(".a-models-none");
    none.hidden = only === "all" || [...rows.values()].some((model) => !model.hidden);
    none.textContent = drawer.words?.[`none_${only}`] ?? "";
  };

  // ---- time that runs down; the server says until when
  const count = () => {
    for (const time of drawer.querySelectorAll("[data-until]")) {
      const left = Math.max(Math.round(Number(time.dataset.until) - Date.now() / SECOND - ahead), 0);
      time.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    }
  };

  // ---- the studio starts again: wait until another process answers, then load the page anew
  const comeBack = () => {
    const before = window.gradio_config?.app_id, began = performance.now();
    const { restarting, restart_late: late } = drawer.words;
    restart = setInterval(async () => {
      fill(find(".a-models-said"), `<p class="a-note" role="status">${performance.now() - began > 90 * SECOND ? late : restarting}</p>`);
      try {
        const answer = await fetch("gradio_api/app_id", { cache: "no-store" });
        if (answer.status === 401 || (answer.ok && (await answer.json()).app_id !== before)) location.reload();
      } catch { /* not there yet */ }
    }, SECOND);
  };

  document.addEventListener("click", (event) => {
    const way = event.target.closest?.("[data-panel]");
    if (way || event.target.closest?.("[data-models]")) open();
    if (!way) return;
    toward = way.dataset.model;
    changed = true;
    tell(`${way.dataset.panel} ${toward}`);
  });
})();
