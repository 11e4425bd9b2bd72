// The takes of the music tab: one player for all of them, their views, and what they order from the studio.
// The player does not live in the list, so it plays on while the list is drawn anew.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const VIEW = "atelier_choice_music_view", SHEETS = "atelier/abcjs/abcjs-basic-min.js", TIMES = 4;
  const recall = () => { try { return localStorage.getItem(VIEW) || "wave"; } catch { return "wave"; } };
  const keep = (view) => { try { localStorage.setItem(VIEW, view); } catch { /* private windows keep nothing */ } };
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const cards = () => [...document.querySelectorAll(".a-take")];

  // ---- the player: whole files in memory, so that a loop has no gap and another take goes on at the same moment
  let context = null;
  const sounds = new Map(); // address -> promise of what is decoded; the last few
  const now = { url: "", batch: "", source: null, buffer: null, from: 0, since: 0, times: 1, turn: 0 };
  const decoded = (url) => {
    if (!sounds.has(url)) {
      const sound = fetch(url).then((answer) => answer.arrayBuffer()).then((data) => context.decodeAudioData(data));
      sound.catch(() => sounds.delete(url));
      sounds.set(url, sound);
      if (sounds.size > 6) sounds.delete(sounds.keys().next().value);
    }
    return sounds.get(url);
  };
  const position = () => {
    if (!now.source) return now.from;
    const passed = now.from + context.currentTime - now.since;
    return now.times > 1 ? passed % now.buffer.duration : Math.min(passed, now.buffer.duration);
  };
  const halt = (at) => {
    const { source } = now;
    now.source = null;
    if (source) { source.onended = null; source.stop(); }
    now.from = at;
    draw();
  };
  const start = async (url, batch, at, times) => {
    hush();
    context = context || new AudioContext();
    const turn = ++now.turn;
    await context.resume();
    const buffer = await decoded(url);
    if (turn !== now.turn) return; // something else was asked for meanwhile
    if (now.source) { now.source.onended = null; now.source.stop(); }
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.loop = times > 1;
    source.connect(context.destination);
    source.onended = () => { if (now.source === source) halt(0); };
    const from = at >= buffer.duration - 0.05 ? 0 : at;
    source.start(0, from);
    if (times > 1) source.stop(context.currentTime + times * buffer.duration - from);
    Object.assign(now, { url, batch, source, buffer, from, since: context.currentTime, times });
    tick();
  };
  const tick = () => { draw(); if (now.source) requestAnimationFrame(tick); };
  atelier.player = () => ({ url: now.url, at: position(), playing: Boolean(now.source), times: now.times });

  // ---- the piece in work: the browser's own player reads a file that grows
  const live = { url: "", sound: null };
  const hush = () => {
    live.sound?.pause();
    live.sound = null;
    tell();
  };
  const tell = () => {
    const button = document.querySelector(".a-listen");
    if (!button) return;
    const on = Boolean(live.sound) && live.url === button.dataset.live;
    button.setAttribute("aria-pressed", String(on));
    const words = on ? button.dataset.pause : button.dataset.play;
    if (button.textContent !== words) button.textContent = words;
  };
  const listen = (url) => {
    if (live.sound && live.url === url) return hush();
    hush();
    if (now.source) halt(position());
    const sound = new Audio(new URL(url, document.baseURI));
    Object.assign(live, { url, sound });
    sound.onended = sound.onerror = () => { if (live.sound === sound) hush(); };
    sound.play().catch(() => { if (live.sound === sound) hush(); });
    return tell();
  };
  atelier.live = () => ({ url: live.url, at: live.sound?.currentTime ?? 0, playing: Boolean(live.sound) && !live.sound.paused });

  // ---- what sounds while another tab is open: in the strip, where it can be stopped
  const title = (url) => document.querySelector(`.a-take[data-url="${CSS.escape(url)}"] .a-take-title p`)?.textContent;
  const sounding = () => {
    let chip = document.getElementById("a-sounding");
    if (!now.source || document.getElementById("tab-music")?.offsetParent) return chip?.remove();
    if (chip) return undefined;
    chip = document.createElement("button");
    chip.type = "button";
    chip.id = "a-sounding";
    chip.className = "a-strip-job";
    chip.setAttribute("aria-label", `${atelier.say("page.stop")}: ${now.title || "♪"}`);
    chip.textContent = `♪ ${now.title || ""}`;
    chip.addEventListener("click", () => halt(position()));
    return document.getElementById("strip-text")?.after(chip);
  };

  // ---- what the cards show
  const draw = () => {
    now.title = title(now.url) ?? now.title;
    sounding();
    for (const card of cards()) {
      const mine = card.dataset.url === now.url, on = mine && Boolean(now.source);
      const at = mine ? position() : Number(card.dataset.at || 0), length = Number(card.dataset.seconds);
      const button = card.querySelector(".a-play"), stage = card.querySelector(".a-stage");
      card.classList.toggle("a-playing", on);
      const label = on ? button.dataset.pause : button.dataset.play;
      if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
      const share = `${Math.min(at / length, 1) * 100}%`;
      card.querySelector(".a-needle").style.left = share;
      const words = `${clock(at)} / ${clock(length)}`;
      const shown = card.querySelector(".a-clock");
      if (shown.textContent !== words) { shown.textContent = words; stage.setAttribute("aria-valuenow", Math.floor(at)); }
      card.querySelector(".a-four")?.setAttribute("aria-pressed", String(on && now.times > 1));
    }
  };
  const look = (card, view) => {
    const has = card.querySelector(`[data-view="${view}"]`) ? view : "wave";
    for (const button of card.querySelectorAll(".a-tools [data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === has));
    for (const part of card.querySelectorAll(".a-view")) part.hidden = part.dataset.view !== has;
    card.querySelector(".a-stage").hidden = has === "score";
    const sheet = card.querySelector(".a-sheet");
    if (sheet) sheet.hidden = has !== "score";
    if (sheet && has === "score") engrave(sheet);
  };
  let engraver = null;
  const engrave = (sheet) => {
    if (sheet.dataset.drawn) return;
    sheet.dataset.drawn = "yes";
    engraver = engraver || new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = new URL(SHEETS, document.baseURI);
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });
    engraver.then(() => window.ABCJS.renderAbc(sheet, sheet.dataset.abc.replace(/^[TR]:.*\n/gm, ""), { responsive: "resize", add_classes: true, paddingtop: 4, paddingbottom: 4 }));
  };

  // ---- what people do
  const place = (card) => (card.dataset.url === now.url ? position() : Number(card.dataset.at || 0));
  const toggle = (card) => {
    const { url, batch } = card.dataset;
    if (url === now.url && now.source) return halt(position());
    const along = now.source && batch === now.batch; // the same moment of another take of the same set
    return start(url, batch, along ? position() : place(card), 1);
  };
  const seek = (card, at) => {
    const { url, batch, seconds } = card.dataset;
    const to = Math.min(Math.max(at, 0), Number(seconds));
    if (url === now.url && now.source) return start(url, batch, to, now.times);
    if (url === now.url) now.from = to;
    card.dataset.at = to;
    return draw();
  };
  document.addEventListener("click", (event) => {
    const listening = event.target.closest?.(".a-listen");
    if (listening) { listen(listening.dataset.live); return; }
    const card = event.target.closest?.(".a-take");
    if (!card) return;
    const button = event.target.closest("button"), stage = event.target.closest(".a-stage");
    if (button?.classList.contains("a-play")) toggle(card);
    else if (button?.classList.contains("a-four")) {
      if (now.url === card.dataset.url && now.source && now.times > 1) halt(0);
      else start(card.dataset.url, card.dataset.batch, 0, TIMES);
    } else if (button?.dataset.view) { keep(button.dataset.view); for (const each of cards()) look(each, button.dataset.view); }
    else if (button?.dataset.order) order(button.dataset.order, card);
    else if (stage) {
      const box = stage.getBoundingClientRect();
      seek(card, ((event.clientX - box.left) / box.width) * Number(card.dataset.seconds));
    }
  });
  document.addEventListener("keydown", (event) => {
    const stage = event.target.closest?.(".a-stage");
    if (!stage || event.ctrlKey || event.metaKey || event.altKey) return;
    const card = stage.closest(".a-take"), length = Number(card.dataset.seconds);
    const to = { ArrowLeft: place(card) - 5, ArrowRight: place(card) + 5, Home: 0, End: length }[event.key];
    if (event.key === " " || event.key === "Enter") toggle(card);
    else if (to !== undefined) seek(card, to);
    else return;
    event.preventDefault();
  });
  const order = (what, card) => {
    atelier.ordered = `${what} ${card.dataset.place} ${place(card).toFixed(3)}`;
    atelier.fetching = ["wav", "flac", "mp3", "mid", "abc"].includes(what);
    document.querySelector("#music-obey")?.click();
  };

  const settle = () => {
    tell();
    for (const card of document.querySelectorAll(".a-take:not([data-ready])")) {
      card.dataset.ready = "yes";
      look(card, recall());
      draw();
    }
  };
  atelier.watch(settle);
})();
