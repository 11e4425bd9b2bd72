// A picture that follows what is being typed (live.js), in the place of the result until it is kept or taken away.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const TOUCHED = 2000, PATIENT = 700; // milliseconds
  const SLOW = 0.5; // seconds a picture
  const part = (id) => document.getElementById(id);
  const place = () => document.querySelector("#image-sketch-place .a-sketch");
  const ticked = () => document.querySelector("#image-sketch input[type=checkbox]");
  const open = () => part("tab-image-button")?.getAttribute("aria-selected") === "true" && !document.hidden;

  let touched = -Infinity, again = false;
  let kept = null; // what stood in the tab when the picture was kept
  let runs = 0; // a sketch that was asked for before the last one comes too late
  let address = "";

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

  // Returns the seconds that it took; null where it came too late.
  const show = async (answer, { fields }) => {
    if (kept || !(atelier.values("image")["image-prompt"] ?? "").trim()) return null;
    const figure = place(), run = runs, bytes = await answer.blob();
    if (!figure || run !== runs) return null;
    const image = figure.querySelector("img"), before = address;
    address = URL.createObjectURL(bytes);
    image.src = address;
    image.alt = fields["image-prompt"] ?? "";
    try { await image.decode(); } catch { /* a newer one has come */ }
    const side = Math.max(image.naturalWidth, image.naturalHeight); // it is as large as the result will be
    figure.classList.toggle("a-tiny", side <= 128);
    figure.classList.toggle("a-small", side > 128 && side <= 256);
    if (before) URL.revokeObjectURL(before);
    if (run !== runs && !kept) { // the result would stay behind it
      image.removeAttribute("src");
      URL.revokeObjectURL(address);
      address = "";
      return null;
    }
    figure.dataset.seed = answer.headers.get("x-seed");
    figure.dataset.seconds = answer.headers.get("x-seconds");
    figure.hidden = false;
    told(figure);
    return Number(figure.dataset.seconds);
  };
  const told = (figure) => {
    const facts = figure.querySelector(".a-sketch-facts"), { seed, seconds } = figure.dataset;
    const words = `${atelier.say("label.seed")} ${seed} · ${Number(seconds).toFixed(2)} s`;
    if (facts.textContent !== words) facts.textContent = words;
    const name = atelier.say("image.sketch_keep"), button = figure.querySelector("button");
    if (button.getAttribute("aria-label") !== name) button.setAttribute("aria-label", name);
  };

  const body = () => {
    const fields = atelier.values("image"), turn = again;
    again = false;
    if (!(fields["image-prompt"] ?? "").trim() || fields["image-x-field"] || Number(fields["image-hires-scale"] || 1) > 1) return null;
    return { fields, again: turn };
  };
  const live = atelier.live({
    address: "/atelier/sketch", switch: ticked, slowLine: ".a-sketch-slow", insists: "atelier_sketch_insists",
    slow: SLOW, patient: PATIENT, open: () => open() && !atelier.holds("image-picture"), body, show, nothing: hide,
  });

  // ---- what a person does in the column; what the page puts there, from a picture or an example, is no wish for a new one
  const touch = (event) => {
    if (!event.isTrusted || !event.target.closest) return;
    if (event.target.closest("#image-input") && !event.target.closest(".a-run, .a-below")) touched = performance.now();
    else if (event.type === "click" && event.target.closest("[data-try], [data-take], .a-result")) touched = -Infinity;
  };
  for (const kind of ["input", "change", "click"]) document.addEventListener(kind, touch, true);
  atelier.onKept((tab, name) => {
    if (tab !== "image" || performance.now() - touched > TOUCHED) return;
    if (name !== "image-sketch") live.ask();
  });
  document.addEventListener("change", (event) => {
    if (event.target !== ticked() || !event.isTrusted) return;
    if (live.turned()) setTimeout(live.ask, 50);
    else hide();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#image-dice") && event.isTrusted) { // an empty seed stays empty, and means another picture
      again = true;
      setTimeout(live.ask, 150);
    }
    if (event.target.closest?.(".a-sketch-keep")) part("image-run")?.click();
    if (event.target.closest?.("#image-run")) { // it becomes the result, and stands until that is there
      live.drop();
      runs += 1;
      touched = -Infinity;
      if (place() && !place().hidden) kept = { made: made(), until: performance.now() + 10_000 };
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && place() && !place().hidden) { live.drop(); hide(); }
  });
  atelier.watch(() => {
    const figure = place();
    if (!figure || figure.hidden) return;
    told(figure);
    const failed = part("image-progress")?.textContent.trim() && !part("image-stop")?.offsetParent;
    if (kept && (made() !== kept.made || performance.now() > kept.until || failed)) hide();
  });
})();
