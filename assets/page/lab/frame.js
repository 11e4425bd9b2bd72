// The frame of the lab: the window, the list of experiments, and what each of them has alike. An experiment is a script
// that calls `atelier.lab.add(name, build)`: `build(place, tools)` draws it once into its place and may return
// { shown(), hidden(), picture(), film(), tab() } (see `tools` below for what it is given).
(() => {
  const atelier = window.atelier, { make, stored } = atelier, lab = atelier.lab;
  const AGAIN = 400; // milliseconds until it is asked again where the studio had other work
  const LARGE = "atelier_lab_large";
  const builders = new Map(), built = new Map();
  let desk = null, told = null, spoken = "", open = "";

  const say = (key, more = {}) => (told.texts[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => more[name] ?? all);
  const find = (selector) => desk.querySelector(selector);
  const of = (name) => told.experiments.find((one) => one.name === name);
  const icon = (path) => `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;

  // ---- asking. Of one experiment the newest question counts: the one before it is given up.
  const flights = new Map();
  const post = async (name, body, signal) => fetch(`${window.gradio_config?.root || ""}/atelier/lab/${name}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal, cache: "no-store",
  });
  const heard = async (answer) => {
    let found = null;
    try { found = await answer.json(); } catch { /* not ours */ }
    if (answer.ok) return found;
    throw new Error(found?.detail || say("failed"));
  };
  const ask = async (name, question, body) => {
    flights.get(name)?.abort();
    const flight = new AbortController(), line = find(`[data-experiment="${name}"] .a-lab-status`);
    flights.set(name, flight);
    const mine = () => flights.get(name) === flight;
    line.classList.remove("a-lab-wrong");
    const slow = setTimeout(() => { if (mine()) line.textContent = say("computing"); }, 700);
    try {
      for (;;) {
        const answer = await post(`${name}/${question}`, { model: chosen(name), ...body }, flight.signal);
        if (!mine()) return null;
        if (answer.status !== 204) {
          const found = await heard(answer);
          if (mine()) line.textContent = "";
          return mine() ? found : null;
        }
        clearTimeout(slow);
        line.textContent = say("waiting"); // a job of somebody's is being computed, and goes first
        await new Promise((done) => setTimeout(done, AGAIN));
        if (!mine()) return null;
      }
    } catch (error) {
      if (flight.signal.aborted || !mine()) return null;
      line.textContent = error instanceof TypeError ? say("away") : error.message;
      line.classList.add("a-lab-wrong");
      return null;
    } finally {
      clearTimeout(slow);
      if (mine()) desk.dataset.busy = "";
    }
  };
  const chosen = (name) => find(`[data-experiment="${name}"] .a-lab-model select`)?.value ?? "";

  // ---- pieces
  // A slider with its name, its value and, where there is one, a line of help. `more`: min, max, step, value, format(value),
  // help, on(value). It answers `set(value)`, which tells nobody.
  const slider = (name, { min, max, step = "any", value, format = String, help = "", on }) => {
    const output = make("output", { textContent: format(value) });
    const input = make("input", { type: "range", min, max, step, value, aria: { label: name, valuetext: format(value) } });
    const show = () => {
      const words = format(Number(input.value));
      output.textContent = words;
      input.setAttribute("aria-valuetext", words);
    };
    input.addEventListener("input", () => { show(); on(Number(input.value)); });
    const made = make("label", { className: "a-lab-slider" }, make("span", { textContent: name }), output, input);
    if (help) made.append(make("small", { textContent: help }));
    return Object.assign(made, { set(to) { input.value = to; show(); }, input });
  };
  // One of a few, as buttons that are pressed. choices: [[value, words], …]
  const choice = (name, choices, value, on) => {
    const made = make("div", { className: "a-lab-choice", role: "radiogroup", aria: { label: name } });
    for (const [one, words] of choices) {
      const input = make("input", { type: "radio", name: `lab-${name}`, value: one, checked: one === value });
      input.addEventListener("change", () => on(one));
      made.append(make("label", {}, input, make("span", { textContent: words })));
    }
    return made;
  };
  const svg = (tag, attributes = {}, ...inside) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };
  const button = (words, on, more = {}) => {
    const made = make("button", { type: "button", textContent: words, ...more });
    made.addEventListener("click", on);
    return made;
  };

  // ---- pictures to keep
  const save = (blob, name) => {
    const link = make("a", { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  // What is drawn as SVG, in the colours that it has on the page, twice as large, on the page's ground.
  const drawn = async (drawing) => {
    const copy = drawing.cloneNode(true), box = drawing.getBoundingClientRect();
    const parts = [drawing, ...drawing.querySelectorAll("*")], copies = [copy, ...copy.querySelectorAll("*")];
    parts.forEach((part, at) => {
      const look = getComputedStyle(part);
      for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor"]) copies[at].style.setProperty(name, look.getPropertyValue(name));
      copies[at].style.setProperty("animation", "none");
    });
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", box.width);
    copy.setAttribute("height", box.height);
    const shown = new Image();
    shown.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
    await shown.decode();
    const canvas = make("canvas", { width: box.width * 2, height: box.height * 2 }), pen = canvas.getContext("2d");
    pen.fillStyle = getComputedStyle(desk).backgroundColor;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(shown, 0, 0, canvas.width, canvas.height);
    return canvas;
  };
  // What moves, as a film that the studio makes. `name`: the experiment; `file`: what else the file is called.
  const keepFilm = async (name, question, body, file = name) => {
    const found = await ask(name, question, body);
    if (!found) return;
    const bytes = Uint8Array.from(atob(found.film.slice(found.film.indexOf(",") + 1)), (one) => one.charCodeAt(0));
    save(new Blob([bytes], { type: "image/gif" }), `atelier-${file}.gif`);
  };
  const blob = (canvas) => new Promise((done) => canvas.toBlob(done, "image/png"));

  // ---- the same in the tab: its fields by their ids, filled as if they had been typed
  const fill = async (tab, fields) => {
    close();
    document.getElementById(`tab-${tab}-button`)?.click();
    await atelier.drawn(tab);
    for (const [id, value] of Object.entries(fields)) {
      const field = await atelier.until(() => document.querySelector(`#${id} textarea, #${id} input:not([type=file])`));
      if (!field) continue;
      atelier.type(field, String(value));
      field.dispatchEvent(new Event("change", { bubbles: true }));
      field.dispatchEvent(new Event("blur"));
    }
    document.querySelector(`#${Object.keys(fields)[0]} textarea`)?.focus();
  };

  // ---- one experiment
  const code = (one) => one.code.map(({ file, line, text }) => make("figure", { className: "a-lab-code" },
    make("figcaption", { textContent: say("code_from", { file, line }) }), make("pre", { tabIndex: 0, aria: { label: file } }, make("code", { textContent: text }))));
  const draw = (one) => {
    const number = told.experiments.indexOf(one) + 1, words = (key) => say(`${one.name}.${key}`);
    const title = make("h3", { id: `lab-${one.name}`, tabIndex: -1, textContent: words("title") });
    const models = make("div", { className: "a-lab-model" });
    if (one.models.length > 1) {
      const select = make("select", { aria: { label: say("model") } }, ...one.models.map(({ id, title }) => make("option", { value: id, textContent: title })));
      select.addEventListener("change", () => built.get(one.name)?.shown?.());
      models.append(select);
    } else if (one.models.length) {
      models.append(make("span", { textContent: one.models[0].title }));
    }
    const stage = make("div", { className: "a-lab-stage" });
    const place = make("article", { className: `a-lab-one a-lab-${one.name}`, data: { experiment: one.name }, aria: { labelledby: `lab-${one.name}` } },
      make("header", {}, make("span", { className: "a-lab-number", textContent: number, aria: { hidden: "true" } }), title, models),
      make("p", { className: "a-lab-words", textContent: [words("first"), words("second"), words("third")].join(document.documentElement.lang === "en" ? " " : "") }),
      stage, make("p", { className: "a-lab-status", role: "status" }));
    const foot = make("div", { className: "a-lab-foot" }), rest = make("details", {}, make("summary", { textContent: say("code") }), ...code(one));
    place.append(foot, rest);
    find("main").append(place);
    const tools = {
      name: one.name, say: (key, more) => say(`${one.name}.${key}`, more), common: say, ask: (question, body) => ask(one.name, question, body),
      keepFilm: (question, body, file) => keepFilm(one.name, question, body, file), make, svg, slider, choice, button, model: () => chosen(one.name), upload: atelier.upload,
      tell: (text) => { const line = place.querySelector(".a-lab-status"); line.classList.remove("a-lab-wrong"); line.textContent = text; },
      still: () => matchMedia("(prefers-reduced-motion: reduce)").matches,
      open: () => desk.open && open === one.name,
    };
    const how = builders.get(one.name)(stage, tools) ?? {};
    if (how.picture) {
      foot.append(button(say("download"), async () => {
        const made = await how.picture();
        if (made) save(made instanceof Blob ? made : await blob(made instanceof SVGElement ? await drawn(made) : made), `atelier-${one.name}.png`);
      }, { className: "a-lab-save" }));
    }
    if (how.film) foot.append(button(say("film"), () => { const asked = how.film(); if (asked) tools.keepFilm(...asked); }, { className: "a-lab-keep-film" }));
    if (how.tab) foot.append(button(say(`open_${one.task}`), () => { const fields = how.tab(); if (fields) fill(one.task, fields); }, { className: "a-lab-tab" }));
    built.set(one.name, how);
  };

  // ---- the window
  const build = () => {
    desk = make("dialog", { id: "lab", aria: { labelledby: "lab-title" } });
    desk.innerHTML = `<header class="a-lab-head"><h2 id="lab-title" tabindex="-1"></h2><nav></nav>
      <button type="button" class="a-lab-large" aria-pressed="false"><span aria-hidden="true">A</span></button>
      <button type="button" class="a-lab-close">${icon("M3 3l10 10M13 3L3 13")}</button></header><main></main>`;
    document.body.append(desk);
    find(".a-lab-close").addEventListener("click", close);
    find(".a-lab-large").addEventListener("click", () => { stored.set(LARGE, desk.classList.contains("a-lab-big") ? "" : "yes"); size(); });
    desk.addEventListener("close", () => {
      leave();
      place("");
      document.querySelector("[data-lab]")?.focus();
    });
    addEventListener("popstate", () => { if (desk.open) go(new URLSearchParams(location.search).get("lab") ?? "", false); });
  };
  const size = () => {
    const big = Boolean(stored.get(LARGE));
    desk.classList.toggle("a-lab-big", big);
    find(".a-lab-large").setAttribute("aria-pressed", String(big));
    built.get(open)?.sized?.();
  };
  const close = () => desk.close();
  const leave = () => {
    flights.get(open)?.abort();
    built.get(open)?.hidden?.();
  };
  // The experiment stands in the address, so that a teacher can keep it and a reload leads back.
  const place = (name) => {
    const url = new URL(location.href);
    if (desk.open) url.searchParams.set("lab", name); else url.searchParams.delete("lab");
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  };
  const words = () => {
    find("h2").textContent = say("title");
    for (const [part, key] of [[".a-lab-close", "close"], [".a-lab-large", "large"]]) for (const name of ["aria-label", "title"]) find(part).setAttribute(name, say(key));
    find("nav").setAttribute("aria-label", say("title"));
    find("nav").replaceChildren(...["", ...told.experiments.map((one) => one.name)].map((name, number) => {
      const label = name ? say(`${name}.title`) : say("all");
      return button(name ? String(number) : say("all"), () => go(name), { title: label, data: { go: name }, aria: { label } });
    }));
    const home = make("section", { className: "a-lab-home", data: { experiment: "" }, aria: { label: say("title") } },
      make("p", { className: "a-lab-words", textContent: say("intro") }),
      make("ol", {}, ...told.experiments.map((one, number) => make("li", {}, button("", () => go(one.name), { className: "a-lab-card", data: { go: one.name } })))));
    home.querySelectorAll(".a-lab-card").forEach((card, number) => {
      const { name } = told.experiments[number];
      card.append(make("b", { textContent: number + 1, aria: { hidden: "true" } }), make("strong", { textContent: say(`${name}.title`) }), make("span", { textContent: say(`${name}.first`) }));
    });
    find("main").replaceChildren(home);
    built.clear();
  };
  const go = (name, focus = true) => {
    const one = of(name);
    leave();
    open = one ? name : "";
    if (one && !built.has(name)) draw(one);
    for (const part of find("main").children) part.hidden = part.dataset.experiment !== open;
    for (const part of find("nav").children) {
      if (part.dataset.go === open) part.setAttribute("aria-current", "page"); else part.removeAttribute("aria-current");
    }
    find("main").scrollTop = 0;
    place(open);
    if (focus) (one ? find(`#lab-${name}`) : find("h2")).focus();
    built.get(open)?.shown?.();
  };

  lab.add = (name, how) => builders.set(name, how);
  lab.show = async (name) => {
    if (!desk) build();
    if (desk.open) return;
    let fresh = null;
    try { fresh = await heard(await post("about", {})); } catch { return; }
    const { lang } = document.documentElement;
    const before = told && JSON.stringify(told.experiments.map((one) => one.models));
    told = { ...fresh, experiments: fresh.experiments.filter((one) => builders.has(one.name)) };
    if (spoken !== lang || before !== JSON.stringify(told.experiments.map((one) => one.models))) { words(); spoken = lang; }
    desk.lang = lang;
    desk.showModal();
    size();
    go(name || open);
  };
})();
