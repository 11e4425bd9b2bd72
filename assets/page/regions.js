// Regions of a picture: drawn cell by cell, as boxes or with a brush; the field below has them (tabs/image/region_map.py).
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const SIDE = 96, BRUSH = 4, HIGH = 420; // cells: each way, and half the width of a stroke; pixels
  const place = () => document.querySelector("#image-regions-canvas .a-regions");
  const field = () => document.querySelector("#image-region-map textarea, #image-region-map input");
  const cells = new Uint8Array(SIDE * SIDE);
  let read = "", region = 1, tool = "box", from = null, now = null;

  const decode = (text) => {
    cells.fill(0);
    let at = 0;
    for (const run of text.split(";")[1]?.split(",") ?? []) {
      const [number, count] = run.split("*").map(Number);
      cells.fill(number, at, at + count);
      at += count;
    }
  };
  const encode = () => {
    if (!cells.some(Boolean)) return "";
    const runs = [];
    for (let at = 0; at < cells.length;) {
      let end = at + 1;
      while (end < cells.length && cells[end] === cells[at]) end += 1;
      runs.push(`${cells[at]}*${end - at}`);
      at = end;
    }
    return `${SIDE};${runs.join(",")}`;
  };
  const box = () => [Math.min(from.x, now.x), Math.min(from.y, now.y), Math.max(from.x, now.x), Math.max(from.y, now.y)];
  const fill = (left, top, right, bottom, number) => {
    for (let y = Math.max(top, 0); y <= Math.min(bottom, SIDE - 1); y += 1)
      for (let x = Math.max(left, 0); x <= Math.min(right, SIDE - 1); x += 1) cells[y * SIDE + x] = number;
  };
  const stroke = (to, number) => { // discs from where the pointer was to where it is
    const steps = Math.max(Math.abs(to.x - now.x), Math.abs(to.y - now.y), 1);
    for (let step = 0; step <= steps; step += 1) {
      const x = Math.round(now.x + ((to.x - now.x) * step) / steps), y = Math.round(now.y + ((to.y - now.y) * step) / steps);
      for (let down = -BRUSH; down <= BRUSH; down += 1) {
        const across = Math.floor(Math.sqrt(BRUSH * BRUSH - down * down));
        fill(x - across, y + down, x + across, y + down, number);
      }
    }
  };

  const draw = () => {
    const canvas = place()?.querySelector("canvas"), pen = canvas?.getContext("2d");
    if (!pen) return;
    const colours = [1, 2, 3, 4].map((slot) => getComputedStyle(place().querySelector(`[data-region="${slot}"]`)).borderLeftColor);
    pen.clearRect(0, 0, SIDE, SIDE);
    for (let y = 0; y < SIDE; y += 1) {
      for (let x = 0; x < SIDE;) {
        const number = cells[y * SIDE + x];
        let end = x + 1;
        while (end < SIDE && cells[y * SIDE + end] === number) end += 1;
        if (number) { pen.fillStyle = colours[number - 1]; pen.fillRect(x, y, end - x, 1); }
        x = end;
      }
    }
    if (from && tool === "box") {
      const [left, top, right, bottom] = box();
      pen.fillStyle = colours[region - 1];
      pen.fillRect(left, top, right - left + 1, bottom - top + 1);
    }
  };
  const tell = () => {
    const part = field();
    if (!part) return;
    read = encode();
    if (part.value !== read) atelier.type(part, read);
  };
  const at = (event) => {
    const { left, top, width, height } = event.target.getBoundingClientRect();
    const on = (value, length) => Math.min(Math.max(Math.floor((value / length) * SIDE), 0), SIDE - 1);
    return { x: on(event.clientX - left, width), y: on(event.clientY - top, height) };
  };
  const mine = (event) => event.target.closest?.("#image-regions-canvas canvas");

  document.addEventListener("pointerdown", (event) => {
    if (!mine(event) || event.button !== 0) return;
    event.preventDefault();
    event.target.setPointerCapture(event.pointerId);
    from = now = at(event);
    if (tool !== "box") stroke(now, tool === "rub" ? 0 : region);
    draw();
  });
  document.addEventListener("pointermove", (event) => {
    if (!from || !mine(event)) return;
    const to = at(event);
    if (tool !== "box") stroke(to, tool === "rub" ? 0 : region);
    now = to;
    draw();
  });
  const end = () => {
    if (!from) return;
    if (tool === "box") fill(...box(), region);
    from = null;
    draw();
    tell();
  };
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#image-regions-canvas button");
    if (!button) return;
    if (button.dataset.region) region = Number(button.dataset.region);
    if (button.dataset.tool === "clear") { cells.fill(0); tell(); } else if (button.dataset.tool) tool = button.dataset.tool;
    if (button.dataset.region && tool === "rub") tool = "box";
    settle();
    draw();
  });

  const settle = () => {
    const part = place();
    if (!part) return;
    for (const button of part.querySelectorAll("button")) {
      const pressed = button.dataset.region ? Number(button.dataset.region) === region : button.dataset.tool === tool;
      if (button.dataset.tool === "clear") continue;
      if (button.getAttribute("aria-pressed") !== String(pressed)) button.setAttribute("aria-pressed", String(pressed));
    }
    const canvas = part.querySelector("canvas"), name = atelier.say("image.regions_canvas");
    if (canvas.getAttribute("aria-label") !== name) canvas.setAttribute("aria-label", name);
    const size = document.getElementById("image-size")?.textContent.match(/(\d+)\D+(\d+)/);
    const [wide, high] = ["width", "height"].map((side) => Number(document.querySelector(`#image-${side} input, #image-${side} textarea`)?.value) || 0);
    const shape = wide && high ? `${wide} / ${high}` : size ? `${size[1]} / ${size[2]}` : "1 / 1";
    if (canvas.style.aspectRatio !== shape) {
      const [across, down] = shape.split(" / ").map(Number);
      canvas.style.aspectRatio = shape;
      canvas.style.width = `${Math.round((HIGH * across) / down)}px`; // its height follows, also where it is too wide
    }
    const value = field()?.value ?? "";
    if (from || (value === read && canvas.dataset.drawn)) return;
    canvas.dataset.drawn = "yes";
    read = value;
    decode(value);
    draw();
  };
  atelier.watch(settle);
  atelier.onKept((tab, name) => { if (tab === "image" && name === "image-region-map") settle(); });
})();
