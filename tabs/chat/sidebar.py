"""The list of conversations beside the talk: open, new, search, pin, rename, delete, write out, read in."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.library import foreign_chats
from studio.library.chats import Chats
from studio.recipes.explicit_label import Marking
from studio.tasks.chat.conversation import Chat
from tabs.chat import attached, chat_rows, kept_by_browser
from tabs.chat.open_pages import WHERE, Place
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language, t
from tabs.shared.widgets import PASSING

PAGE = 100
"""Conversations that are listed at once, and how many more come with each press."""
PUBLIC_IMPORT = 200
"""Conversations that a stranger may read in from one file."""
_DOWNLOAD = "() => setTimeout(() => document.querySelector('#chat-file')?.click())"


class ChatList:
    """The sidebar. What is open is what the talk shows (tabs.chat.open_pages)."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.prompt = gr.Textbox(
            show_label=False, label=t("label.message"), placeholder=t("chat.placeholder"), lines=1, max_lines=10,
            elem_id="chat-prompt", container=False, render=False, scale=1, autofocus=True,
        )  # fmt: skip
        self.files = attached.field()
        self.where = gr.Textbox(visible="hidden", elem_classes="a-hidden")  # the browser says what it shows
        self._most = gr.State(PAGE)
        gr.Button(t("chat.list"), size="sm", elem_id="chat-sidebar-fold", elem_classes="a-fold-button")  # on a phone
        with gr.Column(elem_classes="a-sidebar", elem_id="chat-sidebar", min_width=0):
            self._new = gr.Button(t("chat.new"), size="sm", elem_id="chat-new")
            self._find = gr.Textbox(
                show_label=False, label=t("chat.search"), placeholder=t("chat.search"), container=False,
                elem_id="chat-search", max_length=200, elem_classes=PASSING,
            )  # fmt: skip
            self.list = gr.HTML(elem_id="chat-list", elem_classes="a-live")
            self.more = gr.Button(t("chat.more"), size="sm", visible=False, elem_id="chat-list-more")
            self.count = gr.HTML(elem_id="chat-list-count", elem_classes="a-live")
            self.told = gr.HTML(elem_id="chat-list-told", elem_classes="a-live")
            with gr.Row(elem_classes="a-chats-files"):
                self._import = gr.UploadButton(
                    t("chat.import"), file_types=[".json", ".zip"], size="sm", min_width=0, elem_id="chat-import"
                )
                self._all = gr.Button(t("chat.export_all"), size="sm", min_width=0, elem_id="chat-export-all")
            if page.studio.settings.public:
                kept_by_browser.note()
        self._order = gr.Textbox(visible="hidden", elem_classes="a-hidden")
        self._ordered = gr.Button(visible="hidden", elem_id="chat-list-order", elem_classes="a-hidden")
        # Gradio's download button gives the file that it had before it was pressed: this one is pressed by the page.
        self._file = gr.DownloadButton(visible="hidden", elem_id="chat-file")
        self.shown = [self.list, self.more, self.count]
        listed, here = [self._find, self.where, self._most], f"(find, where, ...rest) => [find, {WHERE}, ...rest]"
        self._find.change(self._search, listed, [*self.shown, self._most], js=here, **quick())
        self.more.click(self._longer, listed, [*self.shown, self._most], js=here, **quick())
        saved = self._all.click(self._save_all, None, [self._file, self.told], **quick())
        saved.success(None, None, None, js=_DOWNLOAD)

    def wire(
        self,
        new: Callable[..., Any],
        opened: Callable[..., Any],
        deleted: Callable[..., Any],
        model: gr.Dropdown,
        outputs: list[Any],
    ) -> None:
        """Tell of what a person does: `new(model)`, `opened(id, model)`, and `deleted(id, model)` when it is gone."""
        self._new.click(new, model, outputs, **pumping())

        def obey(said: str, where: str, words: str, most: int, used: str | None, request: gr.Request) -> Iterator[Any]:
            what, id, typed = _read_order(said)
            store, spoken = self._page.chats(request), language(request)
            listed = {self.told: "", self._file: gr.skip()}
            try:
                if what in ("open", "restore"):
                    if what == "restore":
                        store.restore(id)
                    for changes in opened(id, used, request):
                        yield {**changes, **listed}
                    return
                if what == "delete":
                    title = store.load(id).shown_title or text("chat.untitled", spoken)
                    store.delete(id)
                    undo = _undo(title, id, spoken)
                    for changes in deleted(id, used, request):
                        yield {**changes, self.told: undo}
                    return
                if what in ("markdown", "json"):
                    yield {**listed, self._file: self._written(store, what, id)}
                    return
                if what == "pin":
                    store.pin(id)
                elif what == "rename" and typed.strip():
                    store.rename(id, typed.strip())
            except StudioError as error:
                listed = {self.told: job_progress.failure(error, spoken), self._file: None}
            yield {**self.update(request, Place.read(where).chat, words, most), **listed}

        asked = f"(_, where, ...rest) => [atelier.listOrder(), {WHERE}, ...rest]"
        inputs = [self._order, self.where, self._find, self._most, model]
        done = self._ordered.click(obey, inputs, [*outputs, self._file], **pumping(js=asked))
        done.success(None, None, None, js=f"() => atelier.savesList() && ({_DOWNLOAD})()")

        def imported(file: str | None, used: str | None, request: gr.Request) -> Iterator[Any]:
            spoken = language(request)
            if not file:
                yield {self.told: gr.skip()}
                return
            most = PUBLIC_IMPORT if self._page.studio.settings.public else foreign_chats.MOST
            try:
                found = self._page.chats(request).import_file(Path(file).read_bytes(), Path(file).name, most)
            except OSError as error:
                error = StudioError("bad_file", path=Path(file).name, reason=error.strerror or str(error))
                yield {self.told: job_progress.failure(error, spoken)}
                return
            except StudioError as error:
                yield {self.told: job_progress.failure(error, spoken)}
                return
            told = job_progress.note(text("chat.imported", spoken, count=len(found)))
            for changes in opened(max(found, key=lambda chat: chat.updated).id, used, request):
                yield {**changes, self.told: told}

        self._import.upload(imported, [self._import, model], outputs, **pumping())

    def update(self, request: gr.Request, current: str, words: str = "", most: int = PAGE) -> dict[Any, Any]:
        """Updates of the list, with `current` chosen where it is among those that are listed."""
        store, spoken = self._page.chats(request), language(request)
        found = store.search(words) if (words or "").strip() else store.list()
        more = len(found) > most
        said = job_progress.note(text("chat.listed", spoken, shown=most, count=len(found))) if more else ""
        return {
            self.list: chat_rows.draw(found[:most], current, spoken),
            self.more: gr.update(visible=more),
            self.count: said + "".join(job_progress.note(str(self._told(error, spoken))) for error in store.unread()),
        }

    def newest(self, request: gr.Request) -> str:
        """The conversation that was written to last; empty where there is none that can be read."""
        for info in sorted((store := self._page.chats(request)).list(), key=lambda one: one.updated, reverse=True):
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

    def _written(self, store: Chats, what: str, id: str) -> str:
        """A conversation as a file that can be saved."""
        if what == "markdown":
            return self._page.offer(
                store.export_markdown(id, Marking.of(self._page.studio.settings)).encode(), f"{id}.md"
            )
        return self._page.offer(store.export_json(id).encode(), f"{id}.json")

    def _save_all(self, request: gr.Request) -> tuple[Any, Any]:
        try:
            return self._page.offer(self._page.chats(request).export_all(), "conversations.zip"), ""
        except StudioError as error:
            return None, job_progress.failure(error, language(request))


def _read_order(said: object) -> tuple[str, str, str]:
    """(what, with which conversation, with which words) from what the browser says, which may be anything."""
    try:
        found = json.loads(said) if isinstance(said, str) else {}
    except (ValueError, RecursionError):
        found = {}
    values = [found.get(key) for key in ("do", "id", "words")] if isinstance(found, dict) else ["", "", ""]
    what, id, words = (value if isinstance(value, str) else "" for value in values)
    return what, id, words


def _undo(title: str, id: str, spoken: str) -> str:
    said = html.escape(text("chat.deleted", spoken, title=title))
    button = html.escape(text("chat.restore", spoken))
    return (
        f'<p class="a-note" role="status" data-id="{html.escape(id, quote=True)}">{said} '
        f'<button type="button" class="a-link" data-list-do="restore">{button}</button></p>'
    )
