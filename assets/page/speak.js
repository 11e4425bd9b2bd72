// What a screen reader hears of a job: its beginning, each quarter, and its end, which the result's own line tells.
// A download's quarters and those of the run are counted apart; a model that is loaded whole is no quarter of a picture.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  let region = null, told = null; // {tab, kind, quarter}
  const bar = () => [...document.querySelectorAll("[id$=-progress] .a-progress")].find((one) => one.offsetParent);
  const say = (words) => {
    if (!region) {
      region = document.createElement("p");
      region.id = "a-spoken";
      region.className = "a-unseen";
      region.setAttribute("role", "status");
      document.body.append(region);
    }
    if (region.textContent !== words) region.textContent = words;
  };
  const look = () => {
    const now = bar();
    if (!now) {
      told = null;
      return;
    }
    const tab = now.closest("[id$=-progress]").id;
    const share = now.getAttribute("aria-valuenow");
    const kind = now.dataset.kind, begun = told?.tab === tab;
    const quarter = kind === "loading" ? 0 : Math.min(Math.floor(Number(share ?? 0) / 25), 3);
    const before = begun && told.kind === kind ? told.quarter : 0;
    told = { tab, kind, quarter: Math.max(quarter, before) };
    if (begun && quarter <= before) return;
    say(now.querySelector(".a-words").textContent);
  };
  atelier.watch(look);
})();
