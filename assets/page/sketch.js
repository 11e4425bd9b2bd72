// A picture that follows what is being typed. One is asked for at a time, of the fields as they are then: what comes
// meanwhile is asked for next, and what takes too long is given up for it.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const ADDRESS = "/atelier/sketch", INSISTS = "atelier_sketch_insists";
  const TOUCHED = 2000, PATIENT = 700, AGAIN = 400, TRIES = 15; // milliseconds, and how often it is asked for again
  const SLOW = 0.5, LOOKED_AT = 3; // seconds a picture, and how many of them are looked at
  const { stored } = atelier;
  const part = (id) => document.getElementById(id);
  const place = () => document.querySelector("#image-sketch-place .a-sketch");
  const ticked = () => document.querySelector("#image-sketch input[type=checkbox]");
  const open = () => part("tab-image-button")?.getAttribute("aria-selected") === "true" && !document.hidden;

  let wanted = 0, asked = 0, tries = 0, touched = -Infinity, shown = -Infinity, next = 0, again = false;
  let flight = null; // what is under way, to give it up
  let kept = null; // what stood in the tab when the picture was kept
  let runs = 0; // a sketch that was asked for before the last one comes too late
  let address = "";
  const took = [];

  const made = () => document.querySelector("#image-details [data-made]")?.dataset.made ?? "";
  const hide = () => {
    const figure = place();
    kept = null;
    if (!figure || figure.hidden) return;
    figure.hidden = true;
    figure.querySelector("img").removeAttribute("src");
    URL.revokeObjectURL(address);
    address = "";
  };
  const drop = () => { wanted = asked; clearTimeout(next); flight?.abort(); };

  const show = async (answer, prompt) => {
    const figure = place(), run = runs, bytes = await answer.blob();
    if (!figure || run !== runs) return;
    const image = figure.querySelector("img"), before = address;
    address = URL.createObjectURL(bytes);
    image.src = address;
    image.alt = prompt;
    try { await image.decode(); } catch { /* a newer one has come */ }
    const side = Math.max(image.naturalWidth, image.naturalHeight); // it is as large as the result will be
    figure.classList.toggle("a-tiny", side <= 128);
    figure.classList.toggle("a-small", side > 128 && side <= 256);
    if (before) URL.revokeObjectURL(before);
    if (run !== runs && !kept) { // the result would stay behind it
      image.removeAttribute("src");
      URL.revokeObjectURL(address);
      address = "";
      return;
    }
    figure.dataset.seed = answer.headers.get("x-seed");
    figure.dataset.seconds = answer.headers.get("x-seconds");
    figure.hidden = false;
    shown = performance.now();
    told(figure);
    pace(Number(figure.dataset.seconds));
  };
  const told = (figure) => {
    const facts = figure.querySelector(".a-sketch-facts"), { seed, seconds } = figure.dataset;
    const words = `${atelier.say("label.seed")} ${seed} · ${Number(seconds).toFixed(2)} s`;
    if (facts.textContent !== words) facts.textContent = words;
    const name = atelier.say("image.sketch_keep"), button = figure.querySelector("button");
    if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
  };
  // A machine that takes too long is not asked, unless the person insists.
  const pace = (seconds) => {
    took.push(seconds);
    if (took.length < LOOKED_AT) return;
    const middle = took.splice(0).sort((a, b) => a - b)[Math.floor(LOOKED_AT / 2)];
    if (middle <= SLOW || stored.get(INSISTS)) return;
    drop();
    ticked()?.click();
    const line = document.querySelector(".a-sketch-slow");
    if (line) line.hidden = false;
  };

  const pump = async () => {
    clearTimeout(next);
    if (flight) {
      if (performance.now() - shown < PATIENT) flight.abort(); // one was seen a moment ago: the newest is better
      return;
    }
    if (wanted === asked || !ticked()?.checked || !open() || atelier.holds("image-picture")) return;
    const fields = atelier.values("image"), prompt = fields["image-prompt"] ?? "";
    const mine = wanted, turn = again;
    asked = mine;
    again = false;
    if (!prompt.trim() || fields["image-x-field"] || Number(fields["image-hires-scale"] || 1) > 1) {
      hide();
      return;
    }
    flight = new AbortController();
    let busy = false;
    try {
      const answer = await fetch((window.gradio_config?.root || "") + ADDRESS, {
        method: "POST", headers: { "Content-Type": "application/json" }, signal: flight.signal,
        body: JSON.stringify({ fields, again: turn }),
      });
      busy = answer.status === 204;
      if (answer.status === 200 && !kept && (atelier.values("image")["image-prompt"] ?? "").trim()) await show(answer, prompt);
      else if (answer.status >= 400) hide();
    } catch { /* given up, or the studio is away */ }
    flight = null;
    if (wanted !== mine) pump();
    else if (busy && tries < TRIES) {
      tries += 1;
      next = setTimeout(() => { wanted += 1; pump(); }, AGAIN);
    }
  };
  const ask = () => { wanted += 1; tries = 0; pump(); };

  // ---- what a person does in the column; what the page puts there, from a picture or an example, is no wish for a new one
  const touch = (event) => {
    if (!event.isTrusted || !event.target.closest) return;
    if (event.target.closest("#image-input") && !event.target.closest(".a-run, .a-below")) touched = performance.now();
    else if (event.type === "click" && event.target.closest("[data-try], [data-take], .a-result")) touched = -Infinity;
  };
  for (const kind of ["input", "change", "click"]) document.addEventListener(kind, touch, true);
  atelier.onKept((tab, name) => {
    if (tab !== "image" || performance.now() - touched > TOUCHED) return;
    if (name !== "image-sketch") ask();
  });
  document.addEventListener("change", (event) => {
    if (event.target !== ticked() || !event.isTrusted) return;
    const line = document.querySelector(".a-sketch-slow");
    if (line) line.hidden = true;
    if (event.target.checked) {
      if (line && stored.get(INSISTS) === null) stored.set(INSISTS, "yes");
      setTimeout(ask, 50);
    } else {
      drop();
      hide();
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#image-dice") && event.isTrusted) { // an empty seed stays empty, and means another picture
      again = true;
      setTimeout(ask, 150);
    }
    if (event.target.closest?.(".a-sketch-keep")) part("image-run")?.click();
    if (event.target.closest?.("#image-run")) { // it becomes the result, and stands until that is there
      drop();
      runs += 1;
      touched = -Infinity;
      if (place() && !place().hidden) kept = { made: made(), until: performance.now() + 10_000 };
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && place() && !place().hidden) { drop(); hide(); }
  });
  atelier.watch(() => {
    const figure = place();
    if (!figure || figure.hidden) return;
    told(figure);
    const failed = part("image-progress")?.textContent.trim() && !part("image-stop")?.offsetParent;
    if (kept && (made() !== kept.made || performance.now() > kept.until || failed)) hide();
  });
})();
