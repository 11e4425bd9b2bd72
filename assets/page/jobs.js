// What the strip knows of jobs: a dot on the tab where one runs or has ended unseen, the window's title, the way there.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const button = (tab) => document.getElementById(`tab-${tab}-button`);
  const open = () => document.querySelector("#tabs > .tab-wrapper [role=tab][aria-selected=true]")?.id.replace(/^tab-|-button$/g, "");
  const running = new Map(); // job -> tab
  const unseen = new Set(); // tabs in which something has ended
  let name = null;

  const looked = (tab) => tab === open() && document.visibilityState === "visible";
  const draw = () => {
    const busy = new Set(running.values());
    for (const tab of [...unseen]) if (looked(tab)) unseen.delete(tab);
    for (const each of document.querySelectorAll("#tabs > .tab-wrapper [role=tab]")) {
      const tab = each.id.replace(/^tab-|-button$/g, "");
      const dot = busy.has(tab) ? "running" : unseen.has(tab) ? "done" : "";
      if ((each.dataset.dot ?? "") === dot) continue;
      if (dot) each.dataset.dot = dot; else delete each.dataset.dot;
    }
    name ??= document.title;
    const [tab] = busy.size ? busy : unseen;
    const share = document.querySelector(`#strip-text [data-tab="${tab}"]`)?.dataset.share;
    const sign = busy.size ? (share ? `${share}%` : "…") : "✓";
    const title = tab ? `${sign} ${button(tab)?.innerText.trim() ?? ""} · ${name}` : name;
    if (document.title !== title) document.title = title;
  };
  // ---- what stands in a tab, for the next time that the page is opened; Gradio asks for it
  const STOOD = "atelier_stood_";
  const stored = (tab) => { try { return JSON.parse(atelier.stored.get(STOOD + tab)) ?? {}; } catch { return {}; } };
  const store = (tab, what) => {
    const now = JSON.stringify({ ...stored(tab), ...what });
    if (atelier.stored.get(STOOD + tab) !== now) atelier.stored.set(STOOD + tab, now);
  };
  atelier.stood = (tab) => JSON.stringify(stored(tab));
  const drawn = new Map(); // tab -> what was made there when it was last looked at
  const note = () => {
    for (const part of document.querySelectorAll("[data-made]")) {
      const tab = part.closest("[id^=tab-]")?.id.slice("tab-".length);
      if (!tab || drawn.get(tab) === part.dataset.made) continue;
      store(tab, { made: JSON.parse(part.dataset.made) });
      drawn.set(tab, part.dataset.made);
      for (const again of document.querySelectorAll(".a-lately-again")) again.click();
    }
    for (const [job, tab] of running) store(tab, { job });
  };
  const look = () => {
    note();
    if (!document.querySelector("#strip-text .prose, #strip-text span")) return;
    const now = new Map([...document.querySelectorAll("#strip-text [data-job]")].map((job) => [job.dataset.job, job.dataset.tab]));
    const over = [...running].filter(([job]) => !now.has(job));
    for (const [, tab] of over) unseen.add(tab);
    if (over.length) for (const again of document.querySelectorAll(".a-lately-again")) again.click(); // one of the queue's shows there alone
    running.clear();
    for (const [job, tab] of now) running.set(job, tab);
    draw();
  };

  // ---- what was made lately is taken up in its own tab, which may never have been opened
  const takeUp = async (id, tab) => {
    atelier.taking = id; // Gradio asks for it
    button(tab)?.click();
    await atelier.opened(tab);
    await atelier.drawn(tab);
    await atelier.click(`${tab}-take-up`);
  };
  atelier.takeUp = takeUp;

  document.addEventListener("click", (event) => {
    const goes = event.target.closest?.("[data-goto]"), halts = event.target.closest?.("[data-halt]");
    if (goes) button(goes.dataset.goto)?.click();
    const take = event.target.closest?.("[data-take]");
    if (take) takeUp(take.dataset.take, take.dataset.tab);
    if (!halts) return;
    halts.disabled = true; // once is enough
    atelier.halting = halts.dataset.halt; // Gradio asks for it
    document.getElementById("strip-halt")?.click();
  });
  document.addEventListener("visibilitychange", () => { if (document.getElementById("strip-text")) draw(); });
  atelier.watch(look);
})();
