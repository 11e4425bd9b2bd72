"""The list of conversations beside the talk: open, new, search, rename, delete, save as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.tasks.chat.conversation import Chat
from tabs.chat.open_pages import WHERE, Place
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language, t
from tabs.shared.widgets import PASSING

PAGE = 100
"""Conversations that are listed at once, and how many more come with each press."""


class ChatList:
    """The sidebar. What is open is what the talk shows (tabs.chat.open_pages)."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.prompt = gr.Textbox(
            show_label=False, label=t("label.message"), placeholder=t("chat.placeholder"), lines=1, max_lines=10,
            elem_id="chat-prompt", container=False, render=False, scale=1, autofocus=True,
        )  # fmt: skip
        self.where = gr.Textbox(visible="hidden", elem_classes="a-hidden")  # the browser says what it shows
        self._most = gr.State(PAGE)
        gr.Button(t("chat.list"), size="sm", elem_id="chat-sidebar-fold", elem_classes="a-fold-button")  # on a phone
        with gr.Column(elem_classes="a-sidebar", elem_id="chat-sidebar", min_width=0):
            self._new = gr.Button(t("chat.new"), size="sm", elem_id="chat-new")
            self._find = gr.Textbox(
                show_label=False, label=t("chat.search"), placeholder=t("chat.search"), container=False,
                elem_id="chat-search", max_length=200, elem_classes=PASSING,
            )  # fmt: skip
            self.list = gr.Radio(
                [],
                show_label=False,
                label=t("chat.list"),
                container=False,
                elem_id="chat-list",
                elem_classes=["a-list", PASSING],
            )
            self.more = gr.Button(t("chat.more"), size="sm", visible=False, elem_id="chat-list-more")
            self.count = gr.HTML(elem_id="chat-list-count")
            with gr.Accordion(t("chat.manage"), open=False, elem_classes="a-more", elem_id="chat-manage"):
                name = gr.Textbox(
                    show_label=False, label=t("chat.name"), placeholder=t("chat.name"), container=False,
                    elem_id="chat-name", elem_classes=PASSING,
                )  # fmt: skip
                with gr.Row():
                    rename = gr.Button(t("chat.rename"), size="sm", min_width=0)
                    delete = gr.Button(t("chat.delete"), size="sm", min_width=0, elem_id="chat-delete")
                save = gr.Button(t("chat.save"), size="sm")
            with gr.Column(visible=False, elem_id="chat-delete-ask", min_width=0) as self._asked:
                self._which = gr.HTML()
                self._doomed = gr.State("")
                with gr.Row():
                    self._sure = gr.Button(t("chat.delete_yes"), size="sm", variant="stop", min_width=0,
                                           elem_id="chat-delete-yes")  # fmt: skip
                    no = gr.Button(t("chat.delete_no"), size="sm", min_width=0, elem_id="chat-delete-no")
        # Gradio's download button gives the file that it had before it was pressed: this one is pressed by the page.
        file = gr.DownloadButton(visible="hidden", elem_id="chat-file")
        self.shown = [self.list, self.more, self.count]
        listed, here = [self._find, self.where, self._most], f"(find, where, ...rest) => [find, {WHERE}, ...rest]"
        self._find.change(self._search, listed, [*self.shown, self._most], js=here, **quick())
        self.more.click(self._longer, listed, [*self.shown, self._most], js=here, **quick())
        rename.click(
            self._rename, [self.where, name], [*self.shown, name], js=f"(_, name) => [{WHERE}, name]", **quick()
        )
        delete.click(self._ask, self.where, [self._asked, self._which, self._doomed], js=f"() => {WHERE}", **quick())
        no.click(lambda: gr.update(visible=False), None, self._asked, **quick())
        saved = save.click(self._save, self.where, [file, self.count], js=f"() => {WHERE}", **quick())
        saved.success(None, None, None, js="() => setTimeout(() => document.querySelector('#chat-file')?.click())")

    def wire(
        self,
        new: Callable[..., Any],
        opened: Callable[..., Any],
        deleted: Callable[..., Any],
        model: gr.Dropdown,
        outputs: list[Any],
    ) -> None:
        """Tell of what a person opens: `new(model)`, `opened(id, model)`, `deleted(id, model)`."""
        self._new.click(new, model, outputs, **pumping())
        self.list.input(opened, [self.list, model], outputs, **pumping())
        hidden = self._sure.click(lambda: gr.update(visible=False), None, self._asked, **quick())
        hidden.then(deleted, [self._doomed, model], outputs, **pumping())

    def update(self, request: gr.Request, current: str, words: str = "", most: int = PAGE) -> dict[Any, Any]:
        """Updates of the list, with `current` chosen where it is among those that are listed."""
        store, spoken = self._page.chats(request), language(request)
        found = store.search(words) if (words or "").strip() else store.list()
        untitled = text("chat.untitled", spoken)
        choices = [(info.title or untitled, info.id) for info in found[:most]]
        more = len(found) > len(choices)
        said = job_progress.note(text("chat.listed", spoken, shown=len(choices), count=len(found))) if more else ""
        chosen = current if any(id == current for _, id in choices) else None
        return {
            self.list: gr.update(choices=choices, value=chosen),
            self.more: gr.update(visible=more),
            self.count: said + "".join(job_progress.note(str(self._told(error, spoken))) for error in store.unread()),
        }

    def newest(self, request: gr.Request) -> str:
        """The conversation that was written to last; empty where there is none that can be read."""
        for info in (store := self._page.chats(request)).list():
            try:
                return store.load(info.id).id
            except StudioError:
                continue
        return ""

    def load(self, request: gr.Request, id: str) -> Chat:
        """A conversation; a new one for an empty id. Raises StudioError where it is gone or cannot be read."""
        store = self._page.chats(request)
        return store.load(id) if id else store.new()

    def _told(self, error: StudioError, spoken: str) -> str:
        if self._page.studio.settings.public:
            return text("chat.unread", spoken)
        return f"{error.what(spoken)} {error.next(spoken)}"

    def _row(self, request: gr.Request, where: object, words: str, most: int) -> tuple[Any, ...]:
        updates = self.update(request, Place.read(where).chat, words, most)
        return tuple(updates[part] for part in self.shown)

    def _search(self, words: str, where: str, most: int, request: gr.Request) -> tuple[Any, ...]:
        del most
        return *self._row(request, where, words, PAGE), PAGE

    def _longer(self, words: str, where: str, most: int, request: gr.Request) -> tuple[Any, ...]:
        return *self._row(request, where, words, most + PAGE), most + PAGE

    def _rename(self, where: str, name: str, request: gr.Request) -> tuple[Any, ...]:
        place = Place.read(where)
        if place.chat and name.strip():
            try:
                self._page.chats(request).rename(place.chat, name.strip())
            except StudioError as error:
                *row, _ = self._row(request, where, "", PAGE)
                return *row, job_progress.failure(error, language(request)), name
        return *self._row(request, where, "", PAGE), ""

    def _ask(self, where: str, request: gr.Request) -> tuple[Any, str, str]:
        """Ask before anything is gone for good."""
        try:
            chat = self.load(request, Place.read(where).chat)
        except StudioError:
            return gr.update(visible=False), "", ""
        if not (chat.messages or chat.former):
            return gr.update(visible=False), "", ""
        spoken = language(request)
        title = chat.shown_title or text("chat.untitled", spoken)
        return gr.update(visible=True), job_progress.note(text("chat.delete_ask", spoken, title=title)), chat.id

    def _save(self, where: str, request: gr.Request) -> tuple[Any, Any]:
        if not (id := Place.read(where).chat):
            return gr.skip(), gr.skip()
        try:
            words = self._page.chats(request).export_markdown(id)
            return self._page.offer(words.encode(), f"{id}.md"), gr.skip()
        except StudioError as error:
            return gr.skip(), job_progress.failure(error, language(request))
