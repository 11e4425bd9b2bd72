// How noise becomes a picture: the steps of a painting on a slider, where each word looks, other guidance, other words.
(() => {
  const SOON = 400, PACE = 450; // milliseconds: after the last letter; between two steps of the film
  const GUIDANCE = [0, 1, 2, 3, 5, 7, 10], MOST_OTHERS = 8;
  const KINDS = ["noisy", "estimate", "taken"];

  const loaded = async (src) => {
    const image = new Image();
    image.src = src;
    await image.decode();
    return image;
  };

  atelier.lab.add("noise", (place, lab) => {
    const { make, slider, button, say } = lab;
    let film = null, at = 0, word = -1, due = 0, playing = 0, turn = 0;

    const label = (value) => (film && value >= film.frames.length ? say("done") : say("at", { step: value + 1, steps: film?.frames.length ?? 8, time: Math.round(film?.frames[value]?.time ?? 0) }));
    const prompt = make("input", { type: "text", maxLength: 300, value: say("example"), spellcheck: false });
    const seed = make("input", { type: "number", min: 0, max: 4294967295, step: 1, value: 7, className: "a-lab-small" });
    const count = make("select", {}, ...[4, 6, 8].map((many) => make("option", { value: many, textContent: many, selected: many === 8 })));
    const field = (name, part) => make("label", { className: "a-lab-field" }, make("span", { textContent: say(name) }), part);
    const parts = Object.fromEntries(KINDS.map((kind) => [kind, make("canvas", { width: 256, height: 256, role: "img", aria: { label: say(kind) } })]));
    const step = slider(say("step"), { min: 0, max: 8, step: 1, value: 0, format: (value) => label(value), on: (value) => { stop(); show(value); } });
    const play = button(say("play"), () => (playing ? stop() : run()), { className: "a-lab-main" });
    const words = make("div", { className: "a-lab-looks", role: "group", aria: { label: say("looks") } });
    const guided = make("ol", { className: "a-lab-row-of" }), others = make("ol", { className: "a-lab-row-of" });
    const other = make("input", { type: "text", maxLength: 300, value: say("other_example"), spellcheck: false });
    const add = make("form", { className: "a-lab-row" }, field("other", other), make("button", { type: "submit", textContent: say("paint") }));

    place.append(
      make("div", { className: "a-lab-panel a-lab-fields" }, field("prompt", prompt), field("seed", seed), field("count", count)),
      make("section", { className: "a-lab-panel" },
        make("div", { className: "a-lab-steps" }, play, step),
        make("div", { className: "a-lab-trio" }, ...KINDS.map((kind) => make("figure", {}, parts[kind], make("figcaption", {}, make("strong", { textContent: say(kind) }), make("small", { textContent: say(`${kind}_help`) })))))),
      make("section", { className: "a-lab-panel" }, make("h4", { textContent: say("looks") }), make("small", { textContent: say("looks_help") }), words),
      make("section", { className: "a-lab-panel a-lab-seven" }, make("div", { className: "a-lab-row" }, make("h4", { textContent: say("guidance") }), button(say("row"), () => guide(), { className: "a-lab-guide" })), make("small", { textContent: say("guidance_help") }), guided),
      make("section", { className: "a-lab-panel" }, make("h4", { textContent: say("same") }), make("small", { textContent: say("same_help") }), add, others));

    // ---- one step
    const show = (value) => {
      at = value;
      if (!film) return;
      const last = film.frames.length, frame = film.images[Math.min(value, last - 1)];
      for (const kind of KINDS) {
        const pen = parts[kind].getContext("2d"), whole = value >= last;
        if (whole && kind === "taken") {
          pen.fillStyle = "#808080";
          pen.fillRect(0, 0, 256, 256);
        } else {
          pen.drawImage(whole ? film.image : frame[kind], 0, 0, 256, 256);
        }
        if (kind === "estimate" && word >= 0) light(pen, film.looks[word], Math.min(value, last - 1));
      }
      drawLooks();
    };
    // The picture lit where a word looks, as bright as it looks there.
    const light = (pen, look, frame) => {
      const side = film.side, shade = make("canvas", { width: side, height: side }), inner = shade.getContext("2d"), data = inner.createImageData(side, side);
      for (let i = 0; i < side * side; i += 1) data.data[i * 4 + 3] = 225 * (1 - look.bytes[frame * side * side + i] / 255);
      inner.putImageData(data, 0, 0);
      pen.imageSmoothingQuality = "high";
      pen.drawImage(shade, 0, 0, pen.canvas.width, pen.canvas.height);
    };
    const drawLooks = () => {
      const frame = Math.min(at, film.frames.length - 1);
      film.looks.forEach((look, number) => {
        const part = words.children[number], pen = part.querySelector("canvas").getContext("2d"), side = film.side * film.side;
        pen.drawImage(film.images[frame].estimate, 0, 0, 128, 128);
        light(pen, look, frame);
        let sum = 0;
        for (let i = 0; i < side; i += 1) sum += look.bytes[frame * side + i];
        part.querySelector("small").textContent = `${((sum / side / 255) * look.peak * 100).toFixed(1)} %`;
        part.setAttribute("aria-pressed", String(number === word));
      });
    };

    // ---- the film
    const stop = () => { playing = 0; play.textContent = say("play"); };
    const run = async () => {
      if (!film) return;
      playing = turn += 1;
      const mine = playing;
      play.textContent = say("stop");
      for (let value = at >= film.frames.length ? 0 : at; playing === mine && value <= film.frames.length; value += 1) {
        step.set(value);
        show(value);
        await new Promise((done) => setTimeout(done, PACE));
      }
      if (playing === mine) stop();
    };
    const wish = (more = {}) => ({ prompt: prompt.value, seed: Math.max(0, Math.min(4294967295, Math.round(Number(seed.value) || 0))), steps: Number(count.value), ...more });
    const ask = async () => {
      clearTimeout(due);
      stop();
      if (!prompt.value.trim()) return;
      const answer = await lab.ask("film", wish());
      if (!answer) return;
      const images = await Promise.all(answer.frames.map(async (frame) => Object.fromEntries(await Promise.all(KINDS.map(async (kind) => [kind, await loaded(frame[kind])])))));
      film = { ...answer, images, image: await loaded(answer.picture) };
      for (const look of film.looks) look.bytes = Uint8Array.from(atob(look.maps), (sign) => sign.charCodeAt(0));
      word = Math.min(word, film.looks.length - 1);
      words.replaceChildren(...film.looks.map((look, number) => {
        const part = button("", () => { word = word === number ? -1 : number; show(at); }, { className: "a-lab-look" });
        part.append(make("canvas", { width: 128, height: 128, aria: { hidden: "true" } }), make("span", { textContent: look.word || say("no_word") }), make("small"));
        return part;
      }));
      step.input.max = film.frames.length;
      step.set(Math.min(at, film.frames.length));
      guided.replaceChildren();
      others.replaceChildren(item(film.picture, prompt.value));
      show(Math.min(at, film.frames.length));
      if (lab.still()) { step.set(film.frames.length); show(film.frames.length); } else { at = 0; run(); }
    };

    // ---- rows of pictures
    const item = (picture, words) => make("li", {}, make("img", { src: picture, alt: words, width: 256, height: 256 }), make("span", { textContent: words }));
    const guide = async () => {
      guided.replaceChildren();
      for (const guidance of GUIDANCE) {
        const answer = await lab.ask("picture", wish({ guidance }));
        if (!answer) return;
        guided.append(item(answer.picture, String(guidance)));
      }
    };
    add.addEventListener("submit", async (event) => {
      event.preventDefault();
      const words = other.value.trim();
      if (!words || others.children.length >= MOST_OTHERS) return;
      const answer = await lab.ask("picture", wish({ prompt: words }));
      if (answer) others.append(item(answer.picture, words));
    });

    for (const part of [prompt, seed]) part.addEventListener("input", () => { clearTimeout(due); due = setTimeout(ask, SOON); });
    count.addEventListener("change", ask);

    // All steps as one sheet: noise, estimate, what was taken.
    const sheet = () => {
      if (!film) return null;
      const SIDE = 192, GAP = 8, HEAD = 44, columns = film.frames.length + 1;
      const canvas = make("canvas", { width: GAP + columns * (SIDE + GAP), height: HEAD + 3 * (SIDE + GAP) }), pen = canvas.getContext("2d"), look = getComputedStyle(place);
      pen.fillStyle = getComputedStyle(place.closest("#lab")).backgroundColor;
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.fillStyle = look.color;
      pen.font = `600 20px ${look.fontFamily}`;
      pen.fillText(prompt.value, GAP, 29);
      film.images.forEach((frame, column) => KINDS.forEach((kind, row) => pen.drawImage(frame[kind], GAP + column * (SIDE + GAP), HEAD + row * (SIDE + GAP), SIDE, SIDE)));
      for (const row of [0, 1]) pen.drawImage(film.image, GAP + (columns - 1) * (SIDE + GAP), HEAD + row * (SIDE + GAP), SIDE, SIDE);
      return canvas;
    };
    return {
      shown: () => { if (!film) ask(); else show(at); },
      hidden: stop,
      picture: sheet,
      film: () => film && ["moving", wish({ seed: film.seed })],
      tab: () => ({ "image-prompt": prompt.value, "image-seed": wish().seed, "image-steps": wish().steps }),
    };
  });
})();
