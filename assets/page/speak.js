// What a screen reader hears of a job: its beginning, each quarter, and its end, which the result's own line tells.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  let region = null, told = null; // {tab, quarter}
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
    const quarter = Math.min(Math.floor(Number(share ?? 0) / 25), 3);
    if (told?.tab === tab && quarter <= told.quarter) return;
    told = { tab, quarter };
    say(now.querySelector(".a-words").textContent);
  };
  atelier.watch(look);
})();
