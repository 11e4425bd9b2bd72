// What is asked of the studio while somebody types. One is asked for at a time, of what stands there then: what comes
// meanwhile is asked for next, and what takes too long is given up for it. A machine that takes too long is left alone,
// unless the person insists.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const AGAIN = 400, TRIES = 15; // milliseconds until it is asked for again where the studio had other work, and how often
  const LOOKED_AT = 3; // answers whose time is looked at together
  const { stored } = atelier;

  // how.address: where it is asked. how.switch(): the box that turns it on. how.slowLine: the line that says why it was
  // turned off. how.insists: the name under which it is kept that a person turned it on all the same. how.slow: seconds.
  // how.patient: milliseconds after an answer in which a newer wish ends the one under way; how.open(): whether the tab
  // is looked at; how.body(): what is asked, null for nothing. how.show(answer, body): what to do with an answer.
  // how.nothing(): there is none.
  atelier.live = (how) => {
    let wanted = 0, asked = 0, tries = 0, shown = -Infinity, next = 0;
    let flight = null; // what is under way, to give it up
    const took = [];
    const line = () => document.querySelector(how.slowLine);
    const drop = () => { wanted = asked; clearTimeout(next); flight?.abort(); };
    const pace = (seconds) => {
      took.push(seconds);
      if (took.length < LOOKED_AT) return;
      const middle = took.splice(0).sort((a, b) => a - b)[Math.floor(LOOKED_AT / 2)];
      if (middle <= how.slow || stored.get(how.insists)) return;
      drop();
      how.switch()?.click();
      if (line()) line().hidden = false;
    };
    const pump = async () => {
      clearTimeout(next);
      if (flight) {
        if (performance.now() - shown < how.patient) flight.abort(); // one was seen a moment ago: the newest is better
        return;
      }
      if (wanted === asked || !how.switch()?.checked || !how.open()) return;
      const mine = wanted, body = how.body();
      asked = mine;
      if (!body) {
        how.nothing();
        return;
      }
      flight = new AbortController();
      let busy = false;
      try {
        const answer = await fetch((window.gradio_config?.root || "") + how.address, {
          method: "POST", headers: { "Content-Type": "application/json" }, signal: flight.signal, body: JSON.stringify(body),
        });
        busy = answer.status === 204;
        if (answer.status === 200) {
          const seconds = await how.show(answer, body);
          if (seconds !== null) {
            shown = performance.now();
            pace(seconds);
          }
        } else if (answer.status >= 400) {
          how.nothing();
        }
      } catch { /* given up, or the studio is away */ }
      flight = null;
      if (wanted !== mine) pump();
      else if (busy && tries < TRIES) {
        tries += 1;
        next = setTimeout(() => { wanted += 1; pump(); }, AGAIN);
      }
    };
    const ask = () => { wanted += 1; tries = 0; pump(); };
    // The person turned it on or off: whether it is on. Who turns it on knows how slow it is.
    const turned = () => {
      if (line()) line().hidden = true;
      if (!how.switch()?.checked) drop();
      else if (line() && stored.get(how.insists) === null) stored.set(how.insists, "yes");
      return Boolean(how.switch()?.checked);
    };
    return { ask, drop, turned };
  };
})();
