// Learning somebody's taste: two pictures, one choice; what was learnt in words; the best of eight. The choices lie in this
// browser alone, as the directions of the pictures; the studio is sent them for each answer and keeps none.
(() => {
  const KEY = "atelier_lab_taste", MOST = 100, EIGHT = 8, DIGITS = 1000;

  atelier.lab.add("taste", (place, lab) => {
    const { make, button, say } = lab, { stored } = atelier;
    const seeds = () => Math.floor(Math.random() * 2 ** 31);
    let choices = [], pair = [], enough = 10, best = [], told = null, busy = false, begun = false;
    try { choices = JSON.parse(stored.get(KEY) ?? "[]"); } catch { /* somebody else's: it is begun anew */ }
    if (!Array.isArray(choices) || !choices.every((one) => one.liked?.length === 256 && one.other?.length === 256)) choices = [];
    const keep = () => stored.set(KEY, JSON.stringify(choices));
    const packed = (direction) => direction.map((one) => Math.round(one * DIGITS));
    const opened = (name) => choices.map((one) => one[name].map((number) => number / DIGITS));

    const two = make("div", { className: "a-lab-taste-two", role: "group", aria: { label: say("which") } });
    const bar = make("progress", { max: enough, value: 0, aria: { label: say("choices") } }), count = make("span", { aria: { live: "polite" } });
    const neither = button(say("neither"), () => next(), {});
    const most = make("ul", { className: "a-lab-taste-words" }), least = make("ul", { className: "a-lab-taste-words a-lab-taste-least" });
    const agrees = make("p", {}), forget = button(say("forget"), () => { choices = []; keep(); told = null; best = []; show(); }, { className: "a-lab-taste-forget" });
    const learnt = make("section", { className: "a-lab-panel a-lab-taste-learnt" }, make("div", { className: "a-lab-row" }, make("h4", { textContent: say("learnt") }), forget), make("div", { className: "a-lab-taste-both" }, make("div", {}, make("small", { textContent: say("most") }), most), make("div", {}, make("small", { textContent: say("least") }), least)), agrees, make("small", { textContent: say("kept") }));
    const field = make("input", { type: "text", maxLength: 200, value: say("best_example"), aria: { label: say("best_prompt") } });
    const eight = make("ol", { className: "a-lab-taste-eight" });
    const rank = make("form", { className: "a-lab-row" }, field, make("button", { type: "submit", textContent: say("best_go"), className: "a-lab-main" }));
    const later = make("section", { className: "a-lab-panel" }, make("h4", { textContent: say("best") }), rank, eight);
    place.append(make("section", { className: "a-lab-panel" }, make("h4", { textContent: say("which") }), two, make("div", { className: "a-lab-row" }, bar, count, neither)), learnt, later,
      make("section", { className: "a-lab-panel" }, make("h4", { textContent: say("rlhf") }), make("p", { textContent: say("rlhf_first") }), make("p", { textContent: say("rlhf_second") })));

    const chips = (list, found) => list.replaceChildren(...found.map((word) => make("li", { textContent: word })));
    const show = () => {
      bar.max = enough;
      bar.value = Math.min(choices.length, enough);
      count.textContent = say(choices.length < enough ? "so_far" : "so_many", { count: choices.length, enough });
      learnt.hidden = !choices.length;
      later.hidden = choices.length < enough;
      chips(most, told?.most ?? []);
      chips(least, told?.least ?? []);
      agrees.textContent = told && choices.length > 1 ? say("agrees", { share: Math.round(told.agrees * 100) }) : "";
      eight.replaceChildren(...best.map((one, number) => make("li", {}, make("img", { src: one.picture, alt: say("rank", { number: number + 1, reward: one.reward.toFixed(2) }) }), make("b", { textContent: one.reward.toFixed(2) }))));
    };
    const drawPair = () => two.replaceChildren(...pair.map((one, number) => {
      const made = button("", () => choose(number), { className: "a-lab-taste-one" });
      made.append(make("img", { src: one.picture, alt: one.prompt }), make("span", { textContent: one.prompt }));
      return made;
    }));
    // Two prompts, both painted and looked at.
    const next = async () => {
      if (busy) return;
      busy = true;
      two.setAttribute("aria-busy", "true");
      try {
        const asked = await lab.ask("pair", { seed: seeds() });
        if (!asked) return;
        enough = asked.enough;
        const made = [];
        for (const prompt of asked.prompts) {
          const one = await lab.ask("paint", { prompt, seed: seeds() });
          if (!one) return;
          made.push({ ...one, prompt });
        }
        pair = made;
        const held = two.contains(document.activeElement);
        drawPair();
        if (held) two.querySelector("button").focus();
      } finally {
        busy = false;
        two.removeAttribute("aria-busy");
        show();
      }
    };
    const learn = async (pictures = []) => {
      if (!choices.length) return null;
      const found = await lab.ask("learn", { liked: opened("liked"), other: opened("other"), pictures });
      if (found) told = found;
      show();
      return found;
    };
    const choose = async (number) => {
      if (busy || pair.length < 2) return;
      choices.push({ liked: packed(pair[number].direction), other: packed(pair[1 - number].direction) });
      choices = choices.slice(-MOST);
      keep();
      show();
      await learn();
      await next();
    };
    rank.addEventListener("submit", async (event) => {
      event.preventDefault();
      const prompt = field.value.trim();
      if (!prompt || busy) return;
      busy = true;
      best = [];
      try {
        for (let number = 0; number < EIGHT; number += 1) {
          const one = await lab.ask("paint", { prompt, seed: seeds() });
          if (!one) return;
          best.push({ ...one, prompt, reward: 0 });
          lab.tell(say("painting", { number: number + 1, all: EIGHT }));
          show();
        }
        const found = await learn(best.map((one) => one.direction));
        if (found) best = best.map((one, number) => ({ ...one, reward: found.rewards[number] })).sort((one, other) => other.reward - one.reward);
      } finally {
        busy = false;
        show();
      }
    });

    return {
      shown: async () => {
        show();
        if (begun) return;
        begun = true;
        await learn();
        await next();
      },
      picture: async () => {
        const shown = best.length ? best : pair;
        if (!shown.length) return null;
        const side = 256, across = Math.min(4, shown.length), made = make("canvas", { width: side * across, height: side * Math.ceil(shown.length / across) }), pen = made.getContext("2d");
        for (const [number, one] of shown.entries()) {
          const picture = new Image();
          picture.src = one.picture;
          await picture.decode();
          pen.drawImage(picture, (number % across) * side, Math.floor(number / across) * side, side, side);
        }
        return made;
      },
      tab: () => {
        const one = best[0] ?? pair[0];
        return one && { "image-prompt": one.prompt, "image-seed": one.seed };
      },
    };
  });
})();
