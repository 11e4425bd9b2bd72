// Chains in the library: one is chosen, its slots are filled, and it runs over what is selected or over lines of text.
(() => {
  const { library } = window.atelier;
  const { say, get, order, tell, make, button, find, of, chosen, look } = library.tools;
  const LOOK = 700; // milliseconds between two looks at how it stands
  const ARROW = " → ";
  let known = [], picked = "", timer = 0, run = null;

  const stage = () => document.querySelector("#library > .a-lib-chains");
  const kinds = () => new Set(chosen().map((id) => of(id)?.kind ?? "picture"));
  const takes = (chain) => { // what is selected, or else lines of text
    if (chain.wrong) return false;
    const wanted = chain.takes ?? "", given = [...kinds()];
    if (!given.length) return wanted === "" || wanted === "text";
    return given.every((kind) => (["picture", "sound"].includes(kind) ? wanted === "" || wanted === kind : wanted === "" || wanted === "text"));
  };

  const open = async () => {
    let told = null;
    try { told = await get("/chains"); } catch (error) { tell(error.message); return; }
    known = told.chains.filter(takes).concat(told.chains.filter((one) => !takes(one))); // first those that can be run
    const count = chosen().length, first = known.find((one) => one.name === picked && takes(one)) ?? known.find(takes);
    picked = first?.name ?? "";
    const lines = make("textarea", { rows: 4, className: "a-chain-lines", maxLength: 200000 });
    library.stage("chains", say("chains_title"), make("form", { className: "a-lib-sheet a-chain" },
      make("div", { className: "a-lib-top" }, make("h3", { textContent: say("chains_title") }), button("dark", say("back"))),
      count ? make("p", { textContent: say("chain_on", { count }) }) : make("label", { className: "a-chain-field" }, make("span", { textContent: say("chain_lines") }), lines),
      make("fieldset", { className: "a-chain-list" }, make("legend", { textContent: say("chain_choose") }), ...(known.length ? known.map(row) : [make("p", { className: "a-note", textContent: say("chains_none") })])),
      make("div", { className: "a-chain-slots" }),
      make("label", { className: "a-chain-check" }, make("input", { type: "checkbox", name: "chain-again" }), make("span", { textContent: say("chain_again") })),
      make("div", { className: "a-lib-do" }, make("button", { type: "submit", className: "a-first", textContent: say("chain_run"), disabled: !picked }), button("chain-stop", say("chain_stop"), { hidden: true })),
      make("div", { className: "a-chain-run", hidden: true })));
    stage().querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); event.stopPropagation(); start(); });
    stage().addEventListener("change", (event) => { if (event.target.name === "chain") { picked = event.target.value; slots(); } });
    slots();
    show(told.working?.over ? null : told.working);
  };

  const row = (chain, number) => {
    const fits = takes(chain), radio = make("input", { type: "radio", name: "chain", value: chain.name, checked: chain.name === picked, disabled: !fits, aria: { label: chain.title, describedby: `chain-${number}` } });
    const about = chain.wrong ?? [chain.steps.join(ARROW), say(`chain_takes_${chain.takes ?? "any"}`)].join(" · ");
    return make("label", { className: "a-chain-row" }, radio, make("span", { id: `chain-${number}` }, make("b", { textContent: chain.title }), ...(chain.about ? [make("span", { textContent: chain.about })] : []), make("small", { textContent: about, className: chain.wrong ? "a-warn" : "" })));
  };
  const slots = () => {
    const chain = known.find((one) => one.name === picked);
    const fields = (chain?.slots ?? []).map(({ name, text, title }) => make("label", { className: "a-chain-field" }, make("span", { textContent: title }), make("input", { type: "text", value: text, maxLength: 20000, data: { slot: name }, dir: "auto" })));
    stage().querySelector(".a-chain-slots").replaceChildren(...fields);
    stage().querySelector("[type=submit]").disabled = !picked;
  };

  const start = async () => {
    const values = Object.fromEntries([...stage().querySelectorAll("[data-slot]")].map((one) => [one.dataset.slot, one.value]));
    const done = await order({ do: "chain", name: picked, ids: chosen(), lines: stage().querySelector(".a-chain-lines")?.value ?? "", slots: values, again: stage().querySelector("[name=chain-again]").checked });
    if (done) { show(done.working); return; }
    const part = stage()?.querySelector(".a-chain-run"); // what was refused is said here as well: the line below lies behind
    if (!part) return;
    part.hidden = false;
    part.replaceChildren(make("p", { className: "a-warn", role: "alert", textContent: find(".a-lib-said").textContent }));
  };
  const follow = async () => {
    if (!stage()) return;
    try { show((await get("/chain")).working); } catch (error) { tell(error.message); timer = setTimeout(follow, 4 * LOOK); }
  };
  const show = (working) => {
    clearTimeout(timer);
    const part = stage()?.querySelector(".a-chain-run");
    if (!part || !working) return;
    const was = run;
    run = working;
    const stop = stage().querySelector("[data-do=chain-stop]"), submit = stage().querySelector("[type=submit]");
    const held = document.activeElement === stop;
    stop.hidden = working.over;
    submit.hidden = !working.over;
    part.hidden = false;
    if (!working.over) {
      const words = working.stopped ? say("chain_stopping") : [say("chain_count", working), working.place, working.left].filter(Boolean).join(" · ");
      let bar = part.querySelector("[role=progressbar]");
      if (!bar) {
        bar = make("div", { className: "a-lib-gauge", role: "progressbar", aria: { label: working.title } }, make("i", {}));
        part.replaceChildren(make("h4", { textContent: working.title }), bar, make("p", { role: "status" }));
        stop.focus();
      }
      bar.firstElementChild.style.width = `${100 * working.share}%`;
      bar.setAttribute("aria-valuenow", String(Math.round(100 * working.share)));
      part.querySelector("p").textContent = words;
      timer = setTimeout(follow, LOOK);
      return;
    }
    const list = (key, rows) => (rows.length ? [make("h4", { textContent: say(key) }), make("ul", { className: "a-chain-told" }, ...rows.map((words) => make("li", { textContent: words, dir: "auto" })))] : []);
    const texts = working.texts.map((one) => `${one.input} · ${one.step}: ${one.text}`);
    part.replaceChildren(make("h4", { textContent: working.title }), make("p", { role: "status", textContent: working.said }),
      ...(working.made.length ? [button("chain-show", say("chain_show"))] : []), ...list("chain_failed", working.failed), ...list("chain_texts", texts));
    if (held) (part.querySelector("button") ?? submit).focus();
    if (was && !was.over) look();
  };
  const showAll = () => { // by the collection that they are in
    library.dark();
    const choice = find(".a-lib-filters [name=collection]");
    const wanted = [...(choice?.options ?? [])].find((one) => one.value === run?.collection);
    if (wanted) { choice.value = wanted.value; choice.dispatchEvent(new Event("change", { bubbles: true })); }
  };

  const act = library.act;
  library.act = async (what, pressed, event) => {
    if (what === "chains") await open();
    else if (what === "chain-stop") { const done = await order({ do: "chain-stop" }); if (done) show(done.working); }
    else if (what === "chain-show") showAll();
    else await act(what, pressed, event);
  };
})();
