// What several scripts of the page do alike.
(() => {
  const atelier = (window.atelier = window.atelier || {});

  // Gradio copies the settings of a field whenever it reads one, and asks the browser to copy each number and word by
  // itself: tens of thousands while a tab opens. Those are their own copies; functions have none, in any case.
  const { structuredClone: copy } = window, REFUSED = new DOMException("A function has no copy.", "DataCloneError");
  window.structuredClone = (value, ...how) => {
    if (typeof value === "function") throw REFUSED;
    return Object(value) === value || typeof value === "symbol" ? copy(value, ...how) : value;
  };

  // Gradio's sign that the page loads goes on counting its time after it has gone, with every frame, for as long as the
  // page is open: a seventh of a core. The first frame that it asks for once there are tabs is not given.
  const frame = window.requestAnimationFrame.bind(window);
  let looks = 1000;
  window.requestAnimationFrame = (then) => {
    const there = document.getElementById("tabs");
    const counts = there && new Error().stack.includes("statustracker");
    if (there) looks -= 1;
    if (counts || looks <= 0) window.requestAnimationFrame = frame;
    return counts ? 0 : frame(then);
  };

  // The browser's store; a private window keeps nothing, and a full one no more.
  atelier.stored = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* said above */ } },
  };

  // A shelf of the browser's database, among others that are made with it: (how, act) => what `act` asks of it. Fails with
  // a ShelfError where there is none: a private window may have no database.
  atelier.shelf = (base, names, name) => async (how, act) => {
    let opened;
    try {
      opened = await new Promise((done, fail) => {
        const asked = indexedDB.open(base, 1);
        asked.onupgradeneeded = () => names.forEach((each) => asked.result.createObjectStore(each));
        asked.onsuccess = () => done(asked.result);
        asked.onerror = () => fail(asked.error);
      });
    } catch (error) {
      throw Object.assign(new Error(String(error)), { name: "ShelfError" });
    }
    try {
      return await new Promise((done, fail) => {
        const work = opened.transaction(name, how), asked = act(work.objectStore(name));
        work.oncomplete = () => done(asked.result); // what is written is there only now
        work.onabort = () => fail(work.error || asked.error);
        asked.onerror = () => fail(asked.error);
      });
    } finally {
      opened.close();
    }
  };

  // The texts of one part of the page, with their gaps filled.
  atelier.sayer = (part) => (key, more = {}) => atelier.say(`${part}.${key}`).replace(/\{(\w+)\}/g, (all, name) => more[name] ?? all);

  // A piece of the page with its properties, data-, aria- and what is in it: texts are texts, never HTML.
  atelier.make = (tag, more = {}, ...inside) => {
    const { data, aria, ...plain } = more, made = Object.assign(document.createElement(tag), plain);
    Object.assign(made.dataset, data ?? {});
    for (const [name, value] of Object.entries(aria ?? {})) made.setAttribute(`aria-${name}`, value);
    made.append(...inside);
    return made;
  };

  // Gradio draws the parts of a tab one after another: what comes of `how` once there is something, null after `longest`
  // milliseconds without.
  atelier.until = async (how, longest = 10000) => {
    for (const end = performance.now() + longest; ;) {
      const found = how();
      if (found || performance.now() > end) return found || null;
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  // Press a button of Gradio's, which may come behind the fields of its tab.
  atelier.click = async (id) => (await atelier.until(() => document.getElementById(id)))?.click();

  // Where Gradio answers, and a file sent there: the answer names its path.
  atelier.api = () => (window.gradio_config?.root || "") + (window.gradio_config?.api_prefix || "/gradio_api");
  atelier.upload = (file) => {
    const form = new FormData();
    form.append("files", file);
    return fetch(`${atelier.api()}/upload`, { method: "POST", body: form });
  };

  // Put a text into a field so that Gradio hears of it.
  atelier.type = (field, words) => {
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set.call(field, words);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // Give a file to a field as if it had been chosen there.
  atelier.choose = (input, file) => {
    const carried = new DataTransfer();
    carried.items.add(file);
    input.files = carried.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  // Files that are dragged over a part of the page and dropped there. `find`: the part that takes them, of what they are
  // over; `take(part, files)`: what becomes of them, false where nothing does.
  atelier.dropped = (find, take) => {
    let lit = null;
    const light = (part) => {
      if (lit !== part) lit?.classList.remove("a-dropping");
      part?.classList.add("a-dropping");
      lit = part;
    };
    const part = (event) => ([...(event.dataTransfer?.types ?? [])].includes("Files") && event.target.closest ? find(event.target) : null);
    document.addEventListener("dragover", (event) => {
      const over = part(event);
      light(over);
      if (over) event.preventDefault();
    }, true);
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) light(null); }, true);
    document.addEventListener("drop", (event) => {
      light(null);
      const over = part(event), files = [...(event.dataTransfer?.files ?? [])];
      if (!over || !files.length || take(over, files) === false) return;
      event.preventDefault();
      event.stopPropagation();
    }, true);
  };
})();
