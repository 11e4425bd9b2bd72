// The list of conversations: what is pressed in it becomes an order that Gradio asks for (tabs/chat/sidebar.py).
(() => {
  const atelier = (window.atelier = window.atelier || {});
  let order = null;
  atelier.savesList = () => ["markdown", "json"].includes(order?.do);
  atelier.listOrder = () => JSON.stringify(order ?? {});
  const give = (what) => {
    order = what;
    document.getElementById("chat-list-order")?.click();
  };
  atelier.listOrders = give; // another script's: `look` has the list drawn anew

  // ---- a new name is typed in the row itself
  const rename = (row) => {
    const shown = row.querySelector(".a-chat-open"), labels = row.closest(".a-chats").dataset;
    const field = Object.assign(document.createElement("input"), { type: "text", value: shown.textContent, maxLength: 200 });
    field.setAttribute("aria-label", labels.name);
    let over = false;
    const close = (keep) => {
      if (over) return;
      over = true;
      field.remove();
      shown.hidden = false;
      shown.focus();
      if (keep && field.value.trim() !== shown.textContent) give({ do: "rename", id: row.dataset.id, words: field.value });
    };
    field.addEventListener("keydown", (event) => {
      if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      close(event.key === "Enter");
    });
    field.addEventListener("blur", () => close(true));
    shown.hidden = true;
    shown.before(field);
    field.focus();
    field.select();
  };

  // ---- one menu for all rows, which goes where it is asked for; opening and keys are those of all menus (menus.js)
  let asked = null;
  const menu = () => document.getElementById("chat-row");
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".a-chats .a-menu-button");
    if (!button) return;
    document.getElementById("chat-row-menu")?.removeAttribute("id");
    button.id = "chat-row-menu";
    asked = button.closest("[data-id]");
    const labels = button.closest(".a-chats").dataset;
    menu().querySelector("[data-list-do=pin]").textContent = "pinned" in asked.dataset ? labels.unpin : labels.pin;
  }, true);
  const place = () => {
    const button = document.getElementById("chat-row-menu"), shown = menu();
    if (!button || !shown?.dataset.open) return;
    const at = button.getBoundingClientRect(), high = shown.offsetHeight;
    const below = at.bottom + 4 + high < innerHeight - 48; // the strip stands there
    shown.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - 4 - high)}px`;
    shown.style.left = `${Math.max(8, Math.min(at.left, innerWidth - shown.offsetWidth - 8))}px`;
  };
  document.addEventListener("scroll", place, { capture: true, passive: true });

  document.addEventListener("click", (event) => {
    place();
    const button = event.target.closest?.("#chat-sidebar [data-list-do]");
    if (!button) return;
    const what = button.dataset.listDo, row = button.closest("#chat-row") ? asked : button.closest("[data-id]");
    if (what === "rename") setTimeout(() => rename(row)); // after the menu has given the focus back
    else give({ do: what, id: row?.dataset.id ?? "", words: "" });
  });
})();
