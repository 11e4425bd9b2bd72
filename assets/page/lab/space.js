// A space of pictures: a walk between two, what is lost on the way there and back, and noise in it.
(() => {
  const SIDE = 256, OURS = 12; // pixels of what is sent; pictures of the sheet that comes with the page

  const loaded = async (src) => {
    const image = new Image();
    image.src = src;
    await image.decode();
    return image;
  };

  atelier.lab.add("space", (place, lab) => {
    const { make, slider, button, say } = lab;
    const chosen = { first: null, second: null }; // data addresses
    let walk = null, noised = null, sheet = null, at = 0.5;

    // ---- which two
    const small = (image, x, y, width, height) => { // as the page sends it: square, small, on white
      const canvas = make("canvas", { width: SIDE, height: SIDE }), pen = canvas.getContext("2d");
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, SIDE, SIDE);
      pen.imageSmoothingQuality = "high";
      pen.drawImage(image, x, y, width, height, 0, 0, SIDE, SIDE);
      return canvas.toDataURL("image/png");
    };
    const ours = async (number) => {
      sheet ??= await loaded(`${window.gradio_config?.root || ""}/atelier/${atelier.lab.sheet}`);
      return small(sheet, number * (sheet.width / OURS), 0, sheet.width / OURS, sheet.height);
    };
    const theirs = async (file) => {
      const bitmap = await createImageBitmap(file), side = Math.min(bitmap.width, bitmap.height);
      return small(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side);
    };
    const picker = (name) => {
      const shown = make("img", { alt: say(`${name}_picture`), width: SIDE, height: SIDE });
      const list = make("div", { className: "a-lab-ours", role: "group", aria: { label: say("ours") } });
      for (let number = 0; number < OURS; number += 1) {
        const one = button("", async () => choose(name, await ours(number)), { aria: { label: say("one", { number: number + 1 }) } });
        one.style.backgroundImage = `url("${window.gradio_config?.root || ""}/atelier/${atelier.lab.sheet}")`;
        one.style.backgroundPosition = `${(number / (OURS - 1)) * 100}% 0`;
        list.append(one);
      }
      const file = make("input", { type: "file", accept: "image/*", className: "a-lab-unseen", aria: { label: say("own") } });
      const take = async (one) => {
        try { choose(name, await theirs(one)); } catch { lab.tell(say("unreadable")); }
      };
      file.addEventListener("change", () => { if (file.files[0]) take(file.files[0]); });
      const made = make("section", { className: "a-lab-panel a-lab-pick" }, make("h4", { textContent: say(`${name}_picture`) }), shown, list, make("label", { className: "a-lab-file" }, file, make("span", { textContent: say("own") })));
      made.addEventListener("dragover", (event) => event.preventDefault());
      made.addEventListener("drop", (event) => { event.preventDefault(); event.stopPropagation(); if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]); });
      return Object.assign(made, { show(src) { shown.src = src; } });
    };
    const pickers = { first: picker("first"), second: picker("second") };
    const choose = (name, src, then = true) => {
      chosen[name] = src;
      pickers[name].show(src);
      if (then) ask();
    };

    // ---- the walk
    const figure = (name) => {
      const canvas = make("canvas", { width: SIDE, height: SIDE, role: "img", aria: { label: say(name) } });
      return Object.assign(make("figure", {}, canvas, make("figcaption", {}, make("strong", { textContent: say(name) }), make("small", { textContent: say(`${name}_help`) }))), { canvas });
    };
    const through = figure("through"), mixed = figure("mixed");
    const way = slider(say("way"), { min: 0, max: 1, step: 0.01, value: at, format: (value) => `${Math.round(value * 100)} %`, on: (value) => { at = value; show(); } });
    const losses = make("div", { className: "a-lab-losses" }), facts = make("p", { className: "a-lab-facts" });
    const inLatents = figure("noise_latents"), inPixels = figure("noise_pixels");
    const strength = slider(say("strength"), { min: 0, max: 1, step: 0.01, value: 0.5, format: (value) => `${Math.round(value * 100)} %`, on: () => showNoise() });

    place.append(
      make("div", { className: "a-lab-walk" }, pickers.first, make("section", { className: "a-lab-panel a-lab-between" }, make("div", { className: "a-lab-pair" }, through, mixed), way), pickers.second),
      make("section", { className: "a-lab-panel" }, make("h4", { textContent: say("loss") }), facts, losses),
      make("section", { className: "a-lab-panel a-lab-noised" }, make("div", {}, make("h4", { textContent: say("noise") }), make("p", { textContent: say("noise_help") }), strength), make("div", { className: "a-lab-pair" }, inLatents, inPixels)));

    const nearest = (list, share) => list[Math.round(share * (list.length - 1))];
    const show = () => {
      if (!walk) return;
      through.canvas.getContext("2d").drawImage(nearest(walk.through, at), 0, 0, SIDE, SIDE);
      mixed.canvas.getContext("2d").drawImage(nearest(walk.mixed, at), 0, 0, SIDE, SIDE);
    };
    const showNoise = () => {
      if (!noised) return;
      const share = Number(strength.input.value);
      inLatents.canvas.getContext("2d").drawImage(nearest(noised.latents, share), 0, 0, SIDE, SIDE);
      inPixels.canvas.getContext("2d").drawImage(nearest(noised.pixels, share), 0, 0, SIDE, SIDE);
    };
    // The latents themselves: each channel a small map, light where its numbers are large.
    const numbers = (values, [channels, height, width]) => {
      const canvas = make("canvas", { width: channels * (width + 1) - 1, height, className: "a-lab-latents", role: "img", aria: { label: say("latents") } }), pen = canvas.getContext("2d");
      const most = Math.max(...values.map(Math.abs)) || 1, tile = pen.createImageData(width, height);
      for (let channel = 0; channel < channels; channel += 1) {
        for (let i = 0; i < width * height; i += 1) {
          tile.data.fill(128 + (values[channel * width * height + i] / most) * 127, i * 4, i * 4 + 3);
          tile.data[i * 4 + 3] = 255;
        }
        pen.putImageData(tile, channel * (width + 1), 0);
      }
      return canvas;
    };
    const drawLosses = ({ losses: two, latents, shape, pixels }) => {
      facts.textContent = say("facts", { pixels: pixels.toLocaleString(), latents: latents[0].length.toLocaleString(), times: Math.round(pixels / latents[0].length) });
      losses.replaceChildren(...two.map((one, number) => make("div", { className: "a-lab-lost" },
        ...["given", "latents", "back", "where"].map((name) => make("figure", {}, name === "latents" ? numbers(latents[number], shape) : make("img", { src: one[name], alt: say(name), width: SIDE, height: SIDE }),
          make("figcaption", {}, make("small", { textContent: name === "where" ? say("where_mean", { mean: one.mean.toFixed(1) }) : say(name) })))))));
    };
    const ask = async () => {
      const found = await lab.ask("walk", chosen);
      if (!found) return;
      walk = { through: await Promise.all(found.through.map(loaded)), mixed: await Promise.all(found.mixed.map(loaded)) };
      show();
      drawLosses(found);
      const noise = await lab.ask("noised", { picture: chosen.first, seed: 1 });
      if (!noise) return;
      noised = { latents: await Promise.all(noise.latents.map(loaded)), pixels: await Promise.all(noise.pixels.map(loaded)) };
      showNoise();
    };

    // The walk as one sheet: through the space above, through the pixels below.
    const sheetOf = () => {
      if (!walk) return null;
      const GAP = 8, WIDE = 176, stops = walk.through.filter((_, number) => number % 2 === 0), other = walk.mixed.filter((_, number) => number % 2 === 0);
      const canvas = make("canvas", { width: GAP + stops.length * (WIDE + GAP), height: GAP + 2 * (WIDE + GAP) }), pen = canvas.getContext("2d");
      pen.fillStyle = getComputedStyle(place.closest("#lab")).backgroundColor;
      pen.fillRect(0, 0, canvas.width, canvas.height);
      [stops, other].forEach((row, y) => row.forEach((image, x) => pen.drawImage(image, GAP + x * (WIDE + GAP), GAP + y * (WIDE + GAP), WIDE, WIDE)));
      return canvas;
    };
    return {
      shown: async () => {
        if (walk) { ask(); return; }
        choose("first", await ours(0), false);
        choose("second", await ours(3));
      },
      picture: sheetOf,
      film: () => walk && ["moving", chosen],
      // What stands in the middle becomes the picture that the tab starts from.
      tab: () => {
        if (!walk) return null;
        through.canvas.toBlob(async (blob) => {
          await atelier.shelve?.("image-picture", null);
          atelier.unfold("image-start");
          const input = await atelier.until(() => document.querySelector("#image-picture input[type=file]"));
          if (input) atelier.choose(input, new File([blob], "between.png", { type: "image/png" }));
        }, "image/png");
        return {};
      },
    };
  });
})();
