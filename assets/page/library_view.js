// The library, looked at closely: all about one thing, several side by side, one after another, and what takes disk.
(() => {
  const { library } = window.atelier;
  const { say, get, order, tell, make, button, find, address, star, remove, bringBack, save, use, reopen, look, of, items, go, row } = library.tools;
  const CHANGE = 4000; // milliseconds that a slide stays
  let about = null, ticking = 0, came = null; // where the focus was

  const aside = () => find(".a-lib-details");
  const close = () => {
    if (aside().hidden) return false;
    const id = about?.id;
    aside().hidden = true;
    aside().replaceChildren();
    about = null;
    go((id && row(id)?.firstElementChild) || find("h2"));
    return true;
  };
  const stage = () => document.querySelector("#library > .a-lib-stage");
  const dark = () => {
    if (!stage()) return false;
    stop();
    stage().remove();
    for (const part of document.getElementById("library").children) part.inert = false;
    came?.focus();
    return true;
  };
  const stop = () => { clearInterval(ticking); ticking = 0; };
  library.back = () => dark() || close();
  library.dark = dark;
  library.quiet = () => { dark(); close(); };

  // ---- all about one
  const chips = (what, names) => make("div", { className: "a-lib-chips" }, ...names.map((name) => make("span", { className: "a-lib-chip" }, name, button(`un${what}`, "×", { data: { do: `un${what}`, name }, aria: { label: say("remove", { name }) } }))),
    make("form", { className: "a-lib-name", data: { name: what, id: about.id } }, make("input", { type: "text", maxLength: 200, placeholder: say(what === "tag" ? "tag_name" : "collection_name"), aria: { label: say(what === "tag" ? "tag_name" : "collection_name") } }), make("button", { type: "submit", textContent: say("apply") })));
  const whole = (item) => {
    if (item.kind === "picture") return make("img", { className: "a-lib-whole", src: address("file", item), alt: item.title });
    if (item.kind === "sound") return make("audio", { className: "a-lib-whole", src: address("file", item), controls: true, preload: "metadata", aria: { label: item.title } });
    if (item.kind === "notes") return make("p", { className: "a-lib-words", textContent: about.words || say("kind_notes"), dir: "auto" });
    return make("pre", { className: "a-lib-whole", textContent: about.words, tabIndex: 0, dir: "auto" });
  };
  library.details = async (item) => {
    if (!item) return;
    try { about = await get("/about", { id: item.id }); } catch (error) { tell(error.message); return; }
    const list = items(), at = list.findIndex((one) => one.id === item.id);
    const uses = make("div", { className: "a-lib-uses", hidden: true, id: "library-uses" }, ...about.uses.map((one, i) => button("use", one.says, { data: { do: "use", use: i } })), make("p", { className: "a-note", textContent: say("shift") }));
    const note = make("textarea", { className: "a-lib-note", rows: 2, maxLength: 4000, value: about.note, aria: { label: say("note") }, placeholder: say("note") });
    note.addEventListener("change", () => order({ do: "note", ids: [about.id], text: note.value }));
    const told = make("dl", {}, ...about.facts.flatMap(([key, value]) => [make("dt", { textContent: key }), make("dd", { textContent: value, dir: "auto" })]));
    const words = ["picture", "sound"].includes(item.kind) && about.words && about.words !== item.title ? [make("p", { className: "a-lib-words", textContent: about.words, dir: "auto" })] : [];
    aside().replaceChildren(
      make("div", { className: "a-lib-top" }, make("h3", { textContent: item.title, tabIndex: -1, dir: "auto" }), button("back", say("back"))),
      whole(item), ...words,
      make("div", { className: "a-lib-do" },
        ...(about.restores ? [button("open", say("open_tab"), { className: "a-first" })] : []),
        ...(about.uses.length ? [button("uses", `${say("use_in")} ▾`, { aria: { expanded: "false", controls: "library-uses" } })] : []),
        button(item.star ? "one-unstar" : "one-star", say(item.star ? "unstar" : "star")),
        button("save", say("save")), ...(about.words ? [button("copy", say("copy"))] : []), button("one-delete", say("delete"), { className: "a-lib-delete" })),
      uses,
      make("div", { className: "a-lib-do" }, button("previous", say("previous"), { disabled: at <= 0 }), button("next", say("next"), { disabled: at < 0 || at >= list.length - 1 })),
      make("h4", { textContent: say("tags") }), chips("tag", about.tags), make("h4", { textContent: say("collections") }), chips("collect", about.collections),
      make("h4", { textContent: say("note") }), note, make("h4", { textContent: say("how") }),
      ...(about.foreign ? [make("p", { className: "a-note", textContent: say("imported_from") })] : []), told,
    );
    const first = aside().hidden;
    aside().hidden = false;
    aside().scrollTop = 0;
    aside().querySelector("h3").focus({ preventScroll: !first });
  };
  const step = (way) => {
    const list = items(), at = list.findIndex((one) => one.id === about?.id);
    const other = list[at + way];
    if (other) library.details(other).then(() => (aside().querySelector(`[data-do=${way > 0 ? "next" : "previous"}]:enabled`) ?? aside().querySelector("h3")).focus());
  };

  // ---- several side by side, and one after another
  const show = (kind, label, ...inside) => {
    dark();
    came = document.activeElement;
    for (const part of document.getElementById("library").children) part.inert = true; // it lies behind
    const made = make("div", { className: `a-lib-stage a-lib-${kind}`, role: "group", aria: { label } }, ...inside);
    document.getElementById("library").append(made);
    made.querySelector("button")?.focus();
    return made;
  };
  library.stage = show;
  library.compare = (list) => {
    if (list.length < 2 || list.length > 4 || list.some((one) => one?.kind !== "picture")) { tell(say("more_fails")); return; }
    const made = show("compare", say("compare"), button("dark", say("back")), make("div", { className: "a-lib-side" }, ...list.map((one) => make("figure", {}, make("img", { src: address("file", one), alt: one.title }), make("figcaption", { textContent: one.title })))));
    made.dataset.count = list.length;
  };
  library.slideshow = (list) => {
    if (!list.length) return;
    let at = 0;
    const picture = make("img", {}), title = make("p", { role: "status" });
    const turn = (way) => {
      at = (at + way + list.length) % list.length;
      picture.src = address("file", list[at]);
      picture.alt = list[at].title;
      title.textContent = `${at + 1} / ${list.length} · ${list[at].title}`;
      new Image().src = address("file", list[(at + 1) % list.length]);
    };
    const play = button("play", say("play"));
    const made = show("slides", say("slideshow"), make("div", { className: "a-lib-do" }, button("dark", say("back")), button("slide", say("previous"), { data: { do: "slide", way: -1 } }), play, button("slide", say("next"), { data: { do: "slide", way: 1 } })), picture, title);
    made.turn = turn;
    made.play = () => {
      if (ticking) stop(); else ticking = setInterval(() => turn(1), CHANGE);
      play.textContent = say(ticking ? "pause" : "play");
    };
    made.addEventListener("keydown", (event) => {
      const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!way) return;
      event.preventDefault();
      turn(way);
    });
    turn(0);
  };

  // ---- what takes disk, and what was deleted
  const disk = async () => {
    let told = null;
    try { told = await get("/space"); } catch (error) { tell(error.message); return; }
    const most = Math.max(...told.parts.map((one) => one.bytes), 1);
    const parts = told.parts.map((one) => make("li", {}, make("span", { textContent: one.title }), make("span", { className: "a-lib-gauge", aria: { hidden: "true" } }, make("i", { style: `width:${(100 * one.bytes) / most}%` })), make("b", { textContent: one.size }), ...(one.clears ? [button("clear", say(`clear_${one.part}`), { data: { do: "clear", part: one.part }, aria: { label: `${one.title}: ${say(`clear_${one.part}`)}` } })] : [make("i", {})])));
    const trash = told.trash.map((one) => make("li", {}, make("span", { textContent: one.when }), make("span", { textContent: say(one.count === 1 ? "one" : "count", { count: one.count }) }), make("b", { textContent: one.size }), button("bring-back", say("bring_back"), { data: { do: "bring-back", token: one.token }, aria: { label: `${one.when}: ${say("bring_back")}` } })));
    show("disk", say("disk"), make("div", { className: "a-lib-sheet" }, make("div", { className: "a-lib-top" }, make("h3", { textContent: say("disk") }), button("dark", say("back"))), make("p", { textContent: told.free }), make("ul", { className: "a-lib-parts" }, ...parts),
      make("h4", { textContent: say("trash") }), trash.length ? make("ul", { className: "a-lib-parts" }, ...trash) : make("p", { className: "a-note", textContent: say("trash_none") }),
      make("form", { className: "a-lib-do a-lib-room" }, make("label", {}, make("span", { textContent: say("room") }), make("input", { type: "text", inputMode: "decimal", maxLength: 16, className: "a-lib-limit" })), make("button", { type: "submit", textContent: say("room_look") })),
      make("p", { className: "a-lib-would", role: "status" }), button("rebuild", say("rebuild"))));
    stage().querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); event.stopPropagation(); room(true); });
  };

  // How much the outputs may take: first what would go, then, when it is told to, it goes into the trash.
  const room = async (dry) => {
    const field = stage().querySelector(".a-lib-limit"), line = stage().querySelector(".a-lib-would");
    const done = await order({ do: "room", limit: Number(field.value.replace(",", ".")) || 0, dry });
    if (!done) { line.textContent = find(".a-lib-said").textContent; return; }
    if (!dry) { disk(); look(); return; }
    line.replaceChildren(say(done.count ? "room_would" : "room_none", { count: done.count, size: done.size }));
    if (done.count) line.append(" ", button("room", say("room_do")));
  };

  library.act = async (what, pressed, event) => {
    const item = about && (of(about.id) ?? about);
    if (what === "back") close();
    else if (what === "dark") dark();
    else if (what === "disk") disk();
    else if (what === "previous" || what === "next") step(what === "next" ? 1 : -1);
    else if (what === "slide") stage()?.turn(Number(pressed.dataset.way));
    else if (what === "play") stage()?.play();
    else if (what === "open") reopen(item, about);
    else if (what === "uses") {
      const list = aside().querySelector(".a-lib-uses");
      list.hidden = !list.hidden;
      pressed.setAttribute("aria-expanded", String(!list.hidden));
      if (!list.hidden) list.querySelector("button")?.focus();
    } else if (what === "use") {
      const one = about.uses[Number(pressed.dataset.use)];
      use(one.tab, about.id, one, about.words, event.shiftKey);
    } else if (what === "one-star" || what === "one-unstar") {
      if (await star([about.id], what === "one-star")) {
        pressed.dataset.do = what === "one-star" ? "one-unstar" : "one-star";
        pressed.textContent = say(what === "one-star" ? "unstar" : "star");
      }
    } else if (what === "save") save(address("file", about, { save: 1 }), about.name);
    else if (what === "copy") navigator.clipboard.writeText(about.words).then(() => tell(say("copied")), () => tell(say("failed")));
    else if (what === "one-delete") remove([about.id]);
    else if (what === "untag" || what === "uncollect") {
      if (await order({ do: what, ids: [about.id], names: [pressed.dataset.name] })) library.details(item);
    } else if (what === "bring-back") { await bringBack(pressed.dataset.token); disk(); }
    else if (what === "room") room(false);
    else if (what === "clear" && pressed.dataset.part === "trash" && !pressed.dataset.sure) {
      pressed.dataset.sure = "yes"; // what is in it cannot be had back
      pressed.textContent = say("sure");
    } else if (what === "clear") { if (await order({ do: "clear", names: [pressed.dataset.part] })) disk(); }
    else if (what === "rebuild") {
      const done = await order({ do: "rebuild" });
      if (done) { dark(); await look(); tell(say("rebuilt", { count: done.count })); }
    }
  };
})();
