// Two networks against each other: a walk through the GAN's space, its truncation, the film of its training, and the
// same word by the GAN and by the picture starter.
(() => {
  const SIDE = 64, COUNT = 17, ROW = 8, SOON = 120, PACE = 110; // milliseconds: after the slider rests; between two steps

  const loaded = async (address) => {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    return picture;
  };

  atelier.lab.add("gan", (place, lab) => {
    const { make, svg, slider, button, say } = lab;
    const seeds = () => Math.floor(Math.random() * 2 ** 31);
    let about = null, strip = null, row = null, at = 0, due = 0, playing = 0, truncation = 1, ways = [seeds(), seeds()], first = seeds();

    // ---- the walk
    const from = make("select", { aria: { label: say("from") } }), to = make("select", { aria: { label: say("to") } });
    const large = make("canvas", { width: 256, height: 256, className: "a-lab-gan-large", role: "img" });
    const steps = make("canvas", { width: SIDE * COUNT, height: SIDE, className: "a-lab-gan-strip", aria: { hidden: "true" } });
    const spot = slider(say("place"), { min: 0, max: COUNT - 1, step: 1, value: 0, format: (value) => `${Math.round((value / (COUNT - 1)) * 100)} %`, on: (value) => { stop(); at = value; show(); } });
    const play = button(say("play"), () => (playing ? stop() : go()), { className: "a-lab-main" });
    const fact = make("small", {});
    // ---- truncation
    const cut = slider(say("truncation"), { min: 0, max: 4, step: 0.1, value: 1, format: (value) => value.toFixed(1), help: say("truncation_help"), on: (value) => { truncation = value; clearTimeout(due); due = setTimeout(ask, SOON); } });
    const across = matchMedia("(max-width: 640px)").matches ? ROW / 2 : ROW; // on a phone in two rows
    const eight = make("canvas", { width: SIDE * across, height: (SIDE * ROW) / across, className: "a-lab-gan-row", role: "img" });
    // ---- the film
    const frame = make("canvas", { width: SIDE * 4, height: SIDE * 4, className: "a-lab-gan-film", role: "img" });
    const curve = svg("svg", { class: "a-lab-gan-curve", viewBox: "0 0 480 220", role: "img" });
    const when = slider(say("frame"), { min: 0, max: 1, step: 1, value: 0, format: (value) => (about ? say("seen", { count: about.frames[value].pictures.toLocaleString(document.documentElement.lang) }) : ""), on: () => showFrame() });
    const losses = make("p", { className: "a-lab-gan-losses" });
    const keep = button(lab.common("film"), () => lab.keepFilm("training", {}, "gan-training"), { className: "a-lab-keep-training" });
    // ---- side by side
    const both = make("div", { className: "a-lab-gan-both" });
    const measured = make("p", { className: "a-lab-gan-score" });

    place.append(
      make("section", { className: "a-lab-panel a-lab-gan-walk" }, make("h4", { textContent: say("walk") }),
        make("div", { className: "a-lab-row" }, make("label", {}, make("span", { textContent: say("from") }), from), make("label", {}, make("span", { textContent: say("to") }), to), play, button(say("again"), () => { ways = [seeds(), seeds()]; first = seeds(); ask(); })),
        large, make("div", {}, steps, spot, fact)),
      make("section", { className: "a-lab-panel" }, make("h4", { textContent: say("eight") }), cut, eight),
      make("section", { className: "a-lab-panel a-lab-gan-training" }, make("h4", { textContent: say("film") }), frame, make("div", {}, curve, when, losses, make("small", { textContent: say("film_help") }), keep)),
      make("section", { className: "a-lab-panel" }, make("div", { className: "a-lab-row" }, make("h4", { textContent: say("beside") }), button(say("paint_both"), () => compare(), { className: "a-lab-gan-compare" })), both, make("p", { textContent: say("cannot") }), measured));

    const word = (number) => about.words[number];
    const show = () => {
      if (!strip) return;
      const pen = large.getContext("2d");
      pen.imageSmoothingQuality = "high";
      pen.drawImage(strip, at * SIDE, 0, SIDE, SIDE, 0, 0, 256, 256);
      large.setAttribute("aria-label", say("shows", { from: word(from.value), to: word(to.value), share: Math.round((at / (COUNT - 1)) * 100) }));
      spot.set(at);
    };
    const stop = () => { clearInterval(playing); playing = 0; play.textContent = say("play"); };
    const go = () => {
      let way = 1;
      play.textContent = say("stop");
      playing = setInterval(() => {
        if (at + way < 0 || at + way >= COUNT) way = -way;
        at += way;
        show();
      }, PACE);
    };
    const between = () => ({ from: Number(from.value), to: Number(to.value), seed: ways[0], other_seed: ways[1], count: COUNT, truncation });
    const ask = async () => {
      if (!about) return;
      const walked = await lab.ask("walk", between());
      if (!walked) return;
      strip = await loaded(walked.strip);
      steps.getContext("2d").drawImage(strip, 0, 0);
      fact.textContent = say("fast", { milliseconds: (walked.seconds * 1000).toFixed(1) });
      show();
      const painted = await lab.ask("row", { word: Number(from.value), seed: first, count: ROW, truncation });
      if (!painted) return;
      row = await loaded(painted.strip);
      for (let number = 0; number < ROW; number += 1) eight.getContext("2d").drawImage(row, number * SIDE, 0, SIDE, SIDE, (number % across) * SIDE, Math.floor(number / across) * SIDE, SIDE, SIDE);
      eight.setAttribute("aria-label", say("eight_of", { word: word(from.value) }));
    };

    // ---- the film: frames below each other, each four by four
    const curves = () => {
      const told = about.frames, wide = 440, high = 170, names = ["generator", "discriminator"];
      const values = told.flatMap((one) => names.map((name) => one[name])), low = Math.min(...values), top = Math.max(...values);
      const x = (one) => 30 + (wide * Math.sqrt(one.step)) / Math.sqrt(told.at(-1).step || 1), y = (value) => 10 + high * (1 - (value - low) / (top - low || 1));
      curve.replaceChildren(
        svg("line", { x1: 30, x2: 30 + wide, y1: y(0), y2: y(0), class: "a-lab-gan-zero" }),
        ...[low, top].map((value) => Object.assign(svg("text", { x: 26, y: y(value) + 4, "text-anchor": "end" }), { textContent: value.toFixed(1) })),
        ...names.map((name) => svg("polyline", { points: told.map((one) => `${x(one).toFixed(1)},${y(one[name]).toFixed(1)}`).join(" "), class: `a-lab-gan-${name}` })),
        ...names.map((name, number) => Object.assign(svg("text", { x: 40 + 150 * number, y: 212, class: `a-lab-gan-${name}` }), { textContent: `— ${say(name)}` })),
        svg("line", { x1: 0, x2: 0, y1: 10, y2: 10 + high, class: "a-lab-gan-now" }));
      curve.setAttribute("aria-label", say("losses_of"));
      curve.place = x;
    };
    let film = null;
    const showFrame = () => {
      if (!film) return;
      const number = Number(when.input.value), one = about.frames[number], side = about.side * 4;
      frame.getContext("2d").drawImage(film, 0, number * side, side, side, 0, 0, SIDE * 4, SIDE * 4);
      frame.setAttribute("aria-label", say("seen", { count: one.pictures }));
      losses.textContent = say("losses", { generator: one.generator.toFixed(2), discriminator: one.discriminator.toFixed(2) });
      const now = curve.querySelector(".a-lab-gan-now");
      for (const end of ["x1", "x2"]) now.setAttribute(end, curve.place(one));
    };

    const compare = async () => {
      const number = Number(from.value), seed = first;
      const quick = await lab.ask("row", { word: number, seed, count: 1, truncation });
      if (!quick) return;
      const picture = (address, words) => make("figure", {}, make("img", { src: address, alt: words }), make("figcaption", { textContent: words }));
      both.replaceChildren(picture(quick.strip, say("by_gan", { word: word(number), seconds: quick.seconds.toFixed(3) })));
      const slow = await lab.ask("beside", { word: number, seed });
      if (slow) both.append(picture(slow.picture, say("by_diffusion", { word: word(number), seconds: slow.seconds.toFixed(2) })));
    };

    const begin = async () => {
      const found = about ?? await lab.ask("film", {});
      if (!found || about) return found && ask();
      about = found;
      for (const select of [from, to]) select.append(...about.words.map((name, value) => make("option", { value, textContent: name })));
      from.value = about.names.indexOf("strawberry");
      to.value = about.names.indexOf("rocket");
      for (const select of [from, to]) select.addEventListener("change", ask);
      film = await loaded(about.film);
      when.input.max = about.frames.length - 1;
      when.set(about.frames.length - 1);
      curves();
      showFrame();
      measured.textContent = say("score", { share: Math.round(about.score.named * 100), real: Math.round(about.score.real * 100), apart: about.score.apart, icons: about.score.apart_real });
      await ask();
      if (!lab.still() && lab.open()) go();
      return null;
    };

    return {
      shown: begin,
      hidden: stop,
      picture: () => {
        if (!strip) return null;
        const large = 128, made = make("canvas", { width: large * 6, height: large * 3 }), pen = made.getContext("2d");
        pen.fillStyle = "#fff";
        pen.fillRect(0, 0, made.width, made.height);
        for (let number = 0; number < COUNT; number += 1) pen.drawImage(strip, number * SIDE, 0, SIDE, SIDE, (number % 6) * large, Math.floor(number / 6) * large, large, large);
        return made;
      },
      film: () => strip && ["moving", between()],
      tab: () => about && { "image-prompt": word(from.value), "image-seed": first },
    };
  });
})();
