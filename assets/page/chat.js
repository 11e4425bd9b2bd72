// The talk: what is shown, copied, edited and ordered. Gradio draws it anew whenever the conversation changes.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const rows = () => document.querySelector("#chat-said [data-chat]");

  // ---- which conversation is shown, and in which state: Gradio asks when something is pressed
  atelier.where = () => JSON.stringify({ chat: rows()?.dataset.chat ?? "", mark: rows()?.dataset.mark ?? "" });
  // ---- and which one it was when the page was left: null where there was none yet
  const LAST = "atelier_last_chat";
  atelier.lastChat = () => { try { return localStorage.getItem(LAST); } catch { return null; } };
  const note = () => {
    const shown = rows()?.dataset.chat;
    if (shown === undefined || shown === atelier.lastChat()) return;
    try { localStorage.setItem(LAST, shown); } catch { /* private windows keep nothing */ }
  };
  let order = null;
  atelier.order = () => JSON.stringify(order ?? {});
  const give = (what) => {
    order = what;
    document.getElementById("chat-order")?.click();
  };

  // ---- copying; where the page is not served safely the browser has no clipboard for it
  const copy = async (words) => {
    try {
      await navigator.clipboard.writeText(words);
    } catch {
      const box = Object.assign(document.createElement("textarea"), { value: words });
      document.body.append(box);
      box.select();
      document.execCommand("copy");
      box.remove();
    }
  };
  const copied = (button) => {
    button.dataset.done = "yes";
    setTimeout(() => { delete button.dataset.done; }, 1200);
  };

  // ---- editing a message in its place; what is typed survives that the talk is drawn anew
  let editing = null; // {chat, place, words}
  const field = () => document.querySelector("#chat-said .a-edit textarea");
  const edit = () => {
    if (!editing || field() || rows()?.dataset.chat !== editing.chat) return;
    const row = rows().querySelector(`[data-place="${editing.place}"]`);
    const button = row?.querySelector("[data-chat-do=edit]");
    if (!button) return; // an answer is being written
    const form = document.createElement("div");
    form.className = "a-edit";
    const area = Object.assign(document.createElement("textarea"), { value: editing.words });
    area.setAttribute("aria-label", rows().dataset.field);
    area.rows = Math.min(Math.max(editing.words.split("\n").length, 2), 12);
    const press = (label) => {
      const made = Object.assign(document.createElement("button"), { type: "button", textContent: label });
      made.setAttribute("aria-label", label);
      return made;
    };
    const labels = rows().dataset, asks = row.classList.contains("user-row");
    const send = asks ? press(labels.submit) : null;
    const save = press(asks ? labels.reword : labels.save_answer);
    const leave = press(labels.cancel);
    form.append(area, ...[send, save, leave].filter(Boolean));
    row.classList.add("a-editing");
    row.append(form);
    area.addEventListener("input", () => { editing.words = area.value; });
    const close = () => {
      editing = null;
      form.remove();
      row.classList.remove("a-editing");
    };
    const done = (what) => () => {
      const words = area.value, at = Number(row.dataset.place);
      if (!words.trim()) return;
      close();
      give({ do: what, at, words });
    };
    const submit = done(asks ? "edit" : "reword");
    send?.addEventListener("click", submit);
    save.addEventListener("click", done("reword"));
    leave.addEventListener("click", () => { close(); button.focus(); });
    area.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Escape") { event.stopPropagation(); leave.click(); }
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); event.stopPropagation(); submit(); }
    });
    area.focus();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#chat-talk [data-copy], #chat-talk [data-chat-do]");
    if (!button) return;
    if (button.dataset.copy) {
      const listing = button.closest(".a-listing")?.querySelector("code");
      if (button.dataset.copy === "open") {
        atelier.editor.open(listing?.textContent ?? "", button.closest(".a-listing").dataset.language);
        return;
      }
      copy(button.dataset.copy === "code" ? listing?.textContent ?? "" : button.closest("[data-said]")?.dataset.said ?? "");
      copied(button);
    } else if (button.dataset.chatDo === "edit") {
      const row = button.closest("[data-said]");
      editing = { chat: rows().dataset.chat, place: row.dataset.place, words: row.dataset.said };
      field()?.closest(".a-edit").remove();
      edit();
    } else {
      give({ do: button.dataset.chatDo, at: Number(button.dataset.at), words: button.dataset.words ?? "" });
    }
  });

  // ---- files come with a message: by the button, dropped on the talk, pasted; what is long to paste becomes one
  const LONG = 8000; // letters
  const attach = async (files) => {
    for (const file of files) {
      const input = document.querySelector("#chat-files input[type=file]");
      if (!input) return;
      const listed = () => document.querySelectorAll("#chat-files .file-preview tr").length, before = listed();
      atelier.choose(input, file);
      await atelier.until(() => listed() > before, 5000); // the field takes one after another
    }
  };
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#chat-attach")) document.querySelector("#chat-files input[type=file]")?.click();
    const model = event.target.closest?.("[data-choose]")?.dataset.choose;
    if (model) atelier.models.take("chat", model);
  });
  document.addEventListener("paste", (event) => {
    if (!event.target.closest?.("#chat-prompt")) return;
    const files = [...(event.clipboardData?.files ?? [])], words = event.clipboardData?.getData("text/plain") ?? "";
    if (!files.length && words.length > LONG) files.push(new File([words], atelier.say("chat.pasted"), { type: "text/plain" }));
    if (!files.length) return;
    event.preventDefault();
    attach(files);
  }, true);
  atelier.dropped((over) => over.closest(".a-talk"), (_, files) => { attach(files); });

  // ---- thoughts stay open or shut while the answer goes on
  let folded = null;
  document.addEventListener("click", (event) => {
    const thoughts = event.target.closest?.("#chat-live summary")?.parentElement;
    if (thoughts) folded = !thoughts.open;
  });
  const settle = () => {
    note();
    edit();
    const thoughts = document.querySelector("#chat-live .a-thoughts");
    if (!thoughts) folded = null;
    else if (folded !== null && thoughts.open !== folded) thoughts.open = folded;
  };
  atelier.watch(settle);
})();
