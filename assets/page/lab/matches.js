// Words and pictures in one space: a table of similarities, pictures and words of one's own, and the library by words.
(() => {
  const SIDE = 448, MOST = 8;

  // A file as a small picture that can be sent: what the matcher sees of it is smaller still.
  const small = async (file) => {
    const made = await createImageBitmap(file), scale = Math.min(1, SIDE / Math.max(made.width, made.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(made.width * scale));
    canvas.height = Math.max(1, Math.round(made.height * scale));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(made, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/webp", 0.9);
  };

  atelier.lab.add("matches", (place, lab) => {
    const { make, button, say } = lab;
    let pictures = [], words = [], table = null, begun = false, library = false;

    const grid = make("div", { className: "a-lab-matches-grid", tabIndex: 0, role: "region", aria: { label: say("grid") } });
    const wins = make("p", { className: "a-lab-matches-wins", aria: { live: "polite" } });
    const field = make("input", { type: "text", maxLength: 120, placeholder: say("word_example"), aria: { label: say("word") } });
    const file = make("input", { type: "file", accept: "image/*", multiple: true, hidden: true });
    const add = make("form", { className: "a-lab-row" }, field, make("button", { type: "submit", textContent: say("add_word") }), button(say("add_picture"), () => file.click()), file);
    const query = make("input", { type: "text", maxLength: 120, placeholder: say("search_example"), aria: { label: say("search") } });
    const hits = make("ol", { className: "a-lab-matches-hits" }), looked = make("small", { aria: { live: "polite" } });
    const find = make("form", { className: "a-lab-row" }, query, make("button", { type: "submit", textContent: say("search_go"), className: "a-lab-main" }));
    const shelf = make("section", { className: "a-lab-panel", hidden: true }, make("h4", { textContent: say("search") }), find, looked, hits);
    place.append(make("section", { className: "a-lab-panel a-lab-matches-table" }, add, grid, wins, make("small", { textContent: say("grid_help") })), shelf,
      make("p", { className: "a-lab-matches-honest", textContent: say("honest") }));

    // ---- the table
    const draw = () => {
      const picture = ({ src }, number) => make("th", { scope: "col" }, make("img", { src, alt: say("picture", { number: number + 1 }) }), button("×", () => { pictures.splice(number, 1); compare(); }, { className: "a-lab-matches-less", aria: { label: say("less_picture", { number: number + 1 }) } }));
      const winner = (column) => table && table.shares[column].indexOf(Math.max(...table.shares[column]));
      const line = (word, number) => make("tr", {}, make("th", { scope: "row" }, make("span", { textContent: word }), button("×", () => { words.splice(number, 1); compare(); }, { className: "a-lab-matches-less", aria: { label: say("less_word", { word }) } })),
        ...pictures.map((_, column) => {
          const cell = make("td", {});
          if (!table) return cell;
          const share = table.shares[column][number];
          cell.append(make("b", { textContent: table.similarities[column][number].toFixed(2) }), make("small", { textContent: `${Math.round(share * 100)} %` }));
          cell.style.setProperty("--share", share.toFixed(3));
          if (winner(column) === number) cell.classList.add("a-lab-matches-won");
          return cell;
        }));
      grid.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, make("td", {}), ...pictures.map(picture))), make("tbody", {}, ...words.map(line))));
      if (table && pictures.length) {
        const last = pictures.length - 1, best = winner(last);
        wins.textContent = say("wins", { word: words[best], number: last + 1, share: Math.round(table.shares[last][best] * 100) });
      } else wins.textContent = "";
    };
    const compare = async () => {
      table = null;
      draw();
      if (!pictures.length || !words.length) return;
      const asked = [pictures.length, words.length];
      const found = await lab.ask("grid", { pictures: pictures.map((one) => one.direction), words });
      if (!found || asked[0] !== pictures.length || asked[1] !== words.length) return;
      table = found;
      draw();
    };
    const look = async (addresses) => {
      const found = await lab.ask("see", { pictures: addresses });
      if (!found) return;
      pictures.push(...addresses.map((src, number) => ({ src, direction: found.directions[number] })));
      pictures = pictures.slice(-MOST);
      await compare();
    };
    const take = async (files) => {
      const made = [];
      for (const one of [...files].filter((each) => each.type.startsWith("image/")).slice(0, MOST)) {
        try { made.push(await small(one)); } catch { lab.tell(say("unreadable", { name: one.name })); }
      }
      if (made.length) await look(made);
    };
    add.addEventListener("submit", (event) => {
      event.preventDefault();
      const word = field.value.trim();
      if (!word || words.includes(word)) return;
      words.push(word);
      words = words.slice(-MOST);
      field.value = "";
      compare();
    });
    file.addEventListener("change", () => { take(file.files); file.value = ""; });
    atelier.dropped((over) => over.closest?.(".a-lab-matches-table"), (_, files) => { take(files); });

    // ---- the library by words
    const root = () => `${window.gradio_config?.root || ""}/atelier/library`;
    find.addEventListener("submit", async (event) => {
      event.preventDefault();
      const asked = query.value.trim();
      if (!asked) return;
      for (;;) {
        const found = await lab.ask("search", { words: asked });
        if (!found) return;
        looked.textContent = found.count ? say("looked", { looked: found.looked, count: found.count }) : say("empty");
        hits.replaceChildren(...found.items.map(({ id, title, stamp, near }) => make("li", {}, make("a", { href: `${root()}/file?id=${encodeURIComponent(id)}`, target: "_blank", title }, make("img", { src: `${root()}/small?id=${encodeURIComponent(id)}&v=${encodeURIComponent(stamp)}`, alt: title, loading: "lazy" })), make("b", { textContent: near.toFixed(2) }))));
        if (found.looked >= found.count || !lab.open()) return;
      }
    });

    return {
      shown: async () => {
        if (begun) return;
        const found = await lab.ask("examples", {});
        if (!found) return;
        begun = true;
        library = found.library;
        shelf.hidden = !library;
        words = [...found.words];
        pictures = [];
        draw();
        await look(found.pictures);
      },
      picture: async () => {
        if (!table) return null;
        const side = 96, left = 260, high = 44, made = make("canvas", { width: left + side * pictures.length + 8, height: side + 16 + high * words.length });
        const pen = made.getContext("2d"), look = getComputedStyle(place), accent = look.getPropertyValue("--a-accent").trim();
        pen.fillStyle = "#fff";
        pen.fillRect(0, 0, made.width, made.height);
        pen.font = "15px sans-serif";
        for (const [column, one] of pictures.entries()) {
          const shown = new Image();
          shown.src = one.src;
          await shown.decode();
          const scale = Math.min((side - 8) / shown.width, (side - 8) / shown.height);
          pen.drawImage(shown, left + side * column + (side - shown.width * scale) / 2, 4, shown.width * scale, shown.height * scale);
        }
        for (const [line, word] of words.entries()) {
          const top = side + 8 + high * line;
          pen.fillStyle = "#222";
          pen.fillText(word, 10, top + high / 2 + 5, left - 20);
          for (const column of pictures.keys()) {
            pen.globalAlpha = table.shares[column][line];
            pen.fillStyle = accent;
            pen.fillRect(left + side * column + 2, top + 2, side - 4, high - 4);
            pen.globalAlpha = 1;
            pen.fillStyle = table.shares[column][line] > 0.5 ? "#fff" : "#222";
            pen.fillText(table.similarities[column][line].toFixed(2), left + side * column + 32, top + high / 2 + 5);
          }
        }
        return made;
      },
      tab: () => {
        if (!table) return null;
        const shares = table.shares.at(-1);
        return { "image-prompt": words[shares.indexOf(Math.max(...shares))] };
      },
    };
  });
})();
