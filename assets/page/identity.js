// The page's own name, for browsers that send no cookie: in another site's frame many do not. It goes in a header of
// every request to the studio, which asks for it only where there is no cookie. Kept where the browser lets us, so that
// the page opened again is still the same one; else it lasts as long as the page.
(() => {
  const KEY = "atelier_page";
  const HEADER = "X-Atelier-Page";
  const fresh = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
  const name = (() => {
    try {
      const kept = localStorage.getItem(KEY) || "";
      if (/^[0-9a-f]{32}$/.test(kept)) return kept;
      const made = fresh();
      localStorage.setItem(KEY, made);
      return made;
    } catch {
      return fresh();
    }
  })();
  const chosen = () => { try { return localStorage.getItem("atelier_language"); } catch { return null; } };
  const ours = (address) => {
    try { return new URL(address, location.href).origin === location.origin; } catch { return false; }
  };

  const fetched = window.fetch;
  window.fetch = function (what, how) {
    const address = what instanceof Request ? what.url : String(what);
    if (!ours(address)) return fetched.call(this, what, how);
    const headers = new Headers(how?.headers || (what instanceof Request ? what.headers : undefined));
    headers.set(HEADER, name);
    if (chosen()) headers.set("Accept-Language", chosen()); // where the cookie that says so is not sent
    return fetched.call(this, what, { ...how, headers });
  };
  const open = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method, address, ...more) {
    const done = open.call(this, method, address, ...more);
    if (ours(address)) this.setRequestHeader(HEADER, name);
    return done;
  };
})();
