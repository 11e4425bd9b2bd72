// How a language model writes: the odds of the next token as bars, bent in the browser from the log-probabilities that
// came once; and three ways to the end, computed by the studio.
(() => {
  const SOON = 250, PACE = 350; // milliseconds: after the last letter; between two tokens while it writes
  const BARS = 12, MOST = 60;

  // As studio/lab/writes.py `bend`.
  const normal = (logs) => {
    const top = Math.max(...logs), parts = logs.map((one) => Math.exp(one - top)), whole = parts.reduce((sum, one) => sum + one, 0);
    return parts.map((part) => part / whole);
  };
  const bend = (logprobs, { temperature, top_k, top_p, min_p }, warmsFirst) => {
    const warm = logprobs.map((one) => one / temperature), odds = normal(warmsFirst ? warm : logprobs);
    let kept = Math.min(top_k || odds.length, odds.length), before = 0;
    const whole = odds.slice(0, kept).reduce((sum, one) => sum + one, 0);
    for (let place = 0; place < kept; place += 1) {
      if (before >= top_p * whole) { kept = place; break; }
      before += odds[place];
    }
    kept = Math.max(1, odds.slice(0, kept).filter((one) => one >= min_p * odds[0]).length);
    return [...normal(warm.slice(0, kept)), ...odds.slice(kept).map(() => 0)];
  };
  const bytes = (token) => (token.bytes ? `‹${token.bytes.map((one) => one.toString(16).padStart(2, "0")).join(" ")}›` : "");
  const percent = (share) => (share >= 0.0995 ? `${Math.round(share * 100)} %` : share >= 0.0005 ? `${(share * 100).toFixed(1)} %` : share > 0 ? "<0.1 %" : "0 %");
  const decoder = new TextDecoder(), encoder = new TextEncoder();
  const joined = (tokens) => decoder.decode(new Uint8Array(tokens.filter((one) => !one.end).flatMap((one) => one.bytes ?? [...encoder.encode(one.text)])));

  atelier.lab.add("writes", (place, lab) => {
    const { make, svg, slider, button, say } = lab;
    const LIKELIEST = [1, 2, 3, 4, 5, 8, 10, 20, 40, 64, 100, 200, 512]; // the last is what the studio tells of
    const how = { temperature: 1, top_k: 512, top_p: 1, min_p: 0 };
    let taken = [], found = null, due = 0, running = 0, seed = 1, drawing = null;

    // A token as people see it: its spaces and line ends, which decide much, made visible.
    const shown = (token) => (token.end ? say("end") : bytes(token) || token.text.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/^ | $/g, "␣") || "·");

    const field = make("textarea", { rows: 2, maxLength: 2000, value: say("example"), spellcheck: false, className: "a-lab-begin" });
    const line = make("p", { className: "a-lab-line", aria: { live: "polite" } });
    const bars = make("ol", { className: "a-lab-bars" });
    const write = button(say("write"), () => (running ? stop() : go()), { className: "a-lab-main" });
    const back = button(say("undo"), () => { stop(); taken = []; ask(); }, { disabled: true });
    const bent = (name, more) => slider(say(name), { ...more, value: how[name], help: say(`${name}_help`), on: (value) => { how[name] = value; draw(); } });
    const off = (at, format) => (value) => (value === at ? say("off") : format(value));
    const main = bent("temperature", { min: 0.05, max: 2, step: 0.05, format: (value) => value.toFixed(2) });
    const others = make("div", { className: "a-lab-three" },
      slider(say("top_k"), { min: 0, max: LIKELIEST.length - 1, step: 1, value: LIKELIEST.length - 1, help: say("top_k_help"), format: (at) => String(LIKELIEST[at]), on: (at) => { how.top_k = LIKELIEST[at]; draw(); } }),
      bent("top_p", { min: 0.05, max: 1, step: 0.05, format: off(1, (value) => value.toFixed(2)) }),
      bent("min_p", { min: 0, max: 0.5, step: 0.01, format: off(0, (value) => value.toFixed(2)) }));
    const ways = make("div", { className: "a-lab-ways" });
    const tree = make("figure", { className: "a-lab-tree", hidden: true });
    place.append(
      make("div", { className: "a-lab-panel" }, make("label", { className: "a-lab-field" }, make("span", { textContent: say("begin") }), field), line, make("div", { className: "a-lab-row" }, write, back)),
      make("div", { className: "a-lab-halves" },
        make("section", { className: "a-lab-panel" }, make("h4", { textContent: say("next") }), bars, make("small", { textContent: say("own") })),
        make("section", { className: "a-lab-panel a-lab-controls" }, main, others)),
      make("section", { className: "a-lab-panel" }, make("div", { className: "a-lab-row" }, make("h4", { textContent: say("three") }), button(say("compute"), () => compute(), { className: "a-lab-compute" })), ways, tree));

    // ---- the bars
    const draw = () => {
      if (!found) return;
      const odds = bend(found.logprobs, how, found.warms_first), own = found.logprobs.map(Math.exp);
      const top = Math.max(own[0], odds[0]), held = bars.contains(document.activeElement) ? [...bars.querySelectorAll("button")].indexOf(document.activeElement) : -1;
      bars.replaceChildren(...found.next.slice(0, BARS).map((token, at) => {
        const bar = make("span", { className: "a-lab-bar", aria: { hidden: "true" } }, make("i"), make("b"));
        bar.firstChild.style.width = `${(odds[at] / top) * 100}%`;
        bar.lastChild.style.width = `${(own[at] / top) * 100}%`;
        const pick = button("", () => take(token), { className: odds[at] ? "" : "a-lab-cut", data: { own: own[at], odds: odds[at] }, aria: { label: say("take", { token: shown(token), percent: percent(odds[at]) }) } });
        pick.append(make("code", { textContent: shown(token) }), bar, make("span", { textContent: odds[at] ? percent(odds[at]) : say("cut") }));
        return make("li", {}, pick);
      }), make("li", { className: "a-lab-rest" }, make("span", { textContent: say("rest", { count: Math.max(0, Math.min(how.top_k, found.next.length) - BARS) }) }), make("span", { textContent: percent(Math.max(0, 1 - odds.slice(0, BARS).reduce((sum, one) => sum + one, 0))) })));
      if (held >= 0) bars.querySelectorAll("button")[held]?.focus();
    };
    const drawLine = () => {
      line.replaceChildren(...found.text.map((token, at) => {
        const mine = at - (found.text.length - taken.length);
        if (mine < 0) return make("span", { className: "a-lab-token", textContent: shown(token) });
        return button(shown(taken[mine]), () => { stop(); taken = taken.slice(0, mine); ask(); }, { className: "a-lab-token", aria: { label: say("back", { token: shown(taken[mine]) }) } });
      }));
      back.disabled = !taken.length;
    };
    const ask = async () => {
      clearTimeout(due);
      if (!field.value) { found = null; bars.replaceChildren(); line.replaceChildren(); return false; }
      const answer = await lab.ask("ahead", { text: field.value, taken: taken.map((one) => one.id) });
      if (!answer) return false;
      found = answer;
      drawLine();
      draw();
      return true;
    };
    const take = (token) => { stop(); taken = [...taken, token]; return ask(); };

    // ---- it writes by itself
    const stop = () => { running += 1; running = 0; write.textContent = say("write"); };
    let turn = 0;
    const go = async () => {
      running = turn += 1;
      const mine = running;
      write.textContent = say("stop");
      while (running === mine && found && taken.length < MOST && !taken.at(-1)?.end) {
        const odds = bend(found.logprobs, how, found.warms_first);
        let dice = Math.random(), at = 0;
        while (at < odds.length - 1 && (dice -= odds[at]) > 0) at += 1;
        taken = [...taken, found.next[at]];
        if (!(await ask())) break;
        await new Promise((done) => setTimeout(done, PACE));
      }
      if (running === mine) stop();
    };

    // ---- the three ways, one after another
    const WAYS = { greedy: "greedy", sample: "sampled", beam: "beam" };
    const compute = async (only) => {
      stop();
      if (!ways.children.length) ways.append(...Object.values(WAYS).map((name) => make("section", { className: `a-lab-way a-lab-way-${name}` }, make("h4", { textContent: say(name) }), make("small", { textContent: say(`${name}_help`) }))));
      for (const [way, name] of Object.entries(WAYS)) {
        if (only && way !== only) continue;
        const answer = await lab.ask("write", { way, text: field.value, taken: taken.map((one) => one.id), seed, ...how });
        if (!answer) return;
        const logprob = answer.steps.reduce((all, step) => all + step.logprob, 0), part = ways.querySelector(`.a-lab-way-${name}`);
        part.querySelectorAll("p, small ~ small, button").forEach((one) => one.remove());
        part.append(make("p", { textContent: joined(answer.steps), dir: "auto" }), make("small", { textContent: say("score", { logprob: logprob.toFixed(2), score: (logprob / Math.max(1, answer.steps.length)).toFixed(2) }) }));
        if (way === "sample") { seed += 1; part.append(button(say("again"), () => compute("sample"))); }
        if (way === "beam") drawTree(answer);
      }
    };
    const drawTree = ({ levels, beams }) => {
      const WIDE = 96, HIGH = 44, LEFT = 12, TOP = 16;
      const key = (steps) => steps.map((step) => step.id).join(" "), best = beams[0]?.steps ?? [];
      const won = new Set(best.map((_, at) => key(best.slice(0, at + 1))));
      const at = new Map([["", [LEFT, TOP + 1.5 * HIGH]]]), edges = svg("g"), nodes = svg("g");
      levels.forEach((level, depth) => level.forEach((beam, row) => {
        const mine = key(beam.steps), from = at.get(key(beam.steps.slice(0, -1))) ?? at.get(""), token = beam.steps.at(-1);
        const to = [LEFT + 24 + depth * WIDE, TOP + row * HIGH];
        at.set(mine, [to[0] + WIDE - 34, to[1]]);
        const path = svg("path", { d: `M${from[0]} ${from[1]}C${from[0] + 16} ${from[1]} ${to[0] - 18} ${to[1]} ${to[0] - 4} ${to[1]}`, class: won.has(mine) ? "a-lab-won" : "" });
        const node = svg("g", { class: won.has(mine) ? "a-lab-won" : "" });
        const words = shown(token);
        node.append(svg("text", { x: to[0], y: to[1] - 2 }, words.length > 9 ? `${words.slice(0, 8)}…` : words), svg("text", { x: to[0], y: to[1] + 14, class: "a-lab-log" }, beam.logprob.toFixed(2)));
        for (const part of [path, node]) part.style.animationDelay = `${depth * 90}ms`;
        edges.append(path);
        nodes.append(node);
      }));
      const width = LEFT + 40 + levels.length * WIDE, height = TOP + 4 * HIGH;
      drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${say("beam")}: ${joined(best)}` }, edges, nodes);
      tree.replaceChildren(make("div", { tabIndex: 0, role: "group", aria: { label: say("beam") } }, drawing), make("figcaption", { textContent: say("tree") }));
      tree.hidden = false;
    };

    field.addEventListener("input", () => { stop(); taken = []; clearTimeout(due); due = setTimeout(ask, SOON); });
    return {
      shown: ask,
      hidden: stop,
      // The beams where they are drawn, else the bars, as one drawing.
      picture: () => drawing ?? barsDrawn(),
      tab: () => ({ "chat-prompt": field.value, "chat-temperature": how.temperature, "chat-top-k": how.top_k, "chat-top-p": how.top_p, "chat-min-p": how.min_p }),
    };

    function barsDrawn() {
      if (!found) return null;
      const odds = bend(found.logprobs, how, found.warms_first), HIGH = 40, WIDE = 960, made = svg("svg", { width: WIDE, height: 64 + BARS * HIGH, class: "a-lab-kept" });
      made.append(svg("text", { x: 24, y: 36, class: "a-lab-title" }, `${joined(found.text.map((one, i) => taken[i - found.text.length + taken.length] ?? one)).slice(-80)} …`));
      found.next.slice(0, BARS).forEach((token, at) => {
        const y = 64 + at * HIGH;
        made.append(svg("text", { x: 24, y: y + 22 }, shown(token)), svg("rect", { x: 200, y, width: Math.max(1, (odds[at] / odds[0]) * 620), height: HIGH - 10, rx: 4, class: "a-lab-fill" }), svg("text", { x: 836, y: y + 22 }, percent(odds[at])));
      });
      place.append(made);
      setTimeout(() => made.remove(), 2000); // it takes its colours from where it stands
      return made;
    }
  });
})();
