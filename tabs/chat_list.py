"""The list of conversations beside the talk: open, new, rename, delete, save as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from studio.chats import Chat
from studio.errors import StudioError
from studio.i18n import text
from tabs.i18n import language, t
from tabs.shared import Page, quick

SHOWN = 200


class ChatList:
    """The sidebar, and which conversation is open."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.prompt = gr.Textbox(
            show_label=False, label=t("label.message"), placeholder=t("chat.placeholder"), lines=1, max_lines=10,
            elem_id="chat-prompt", elem_classes="a-remember", container=False, render=False, scale=1, autofocus=True,
        )  # fmt: skip
        self.current = gr.State("")
        with gr.Column(elem_classes="a-sidebar", elem_id="chat-sidebar", min_width=0):
            new = gr.Button(t("chat.new"), size="sm", elem_id="chat-new")
            find = gr.Textbox(
                show_label=False, label=t("chat.search"), placeholder=t("chat.search"), container=False,
                elem_id="chat-search", max_length=200,
            )  # fmt: skip
            self.list = gr.Radio(
                [], show_label=False, label=t("chat.list"), container=False, elem_id="chat-list", elem_classes="a-list"
            )
            with gr.Accordion(t("chat.manage"), open=False, elem_classes="a-more", elem_id="chat-manage"):
                name = gr.Textbox(show_label=False, label=t("chat.name"), placeholder=t("chat.name"), container=False)
                with gr.Row():
                    rename = gr.Button(t("chat.rename"), size="sm", min_width=0)
                    delete = gr.Button(t("chat.delete"), size="sm", min_width=0, elem_id="chat-delete")
                save = gr.Button(t("chat.save"), size="sm")
        # Gradio's download button gives the file that it had before it was pressed: this one is pressed by the page.
        file = gr.DownloadButton(visible="hidden", elem_id="chat-file")
        self._opens = [
            new.click(self._new, find, [self.list, self.current], **quick()),
            self.list.input(lambda id: id, self.list, self.current, **quick()),
            delete.click(self._delete, self.current, [self.list, self.current], **quick()),
        ]
        find.change(self._search, [find, self.current], self.list, **quick())
        rename.click(self._rename, [self.current, name], [self.list, name], **quick())
        saved = save.click(self._save, self.current, file, **quick())
        saved.success(None, None, None, js="() => setTimeout(() => document.querySelector('#chat-file')?.click())")

    def on_open(self, handler: Callable[..., Any], outputs: list[Any]) -> None:
        """Call `handler(id)` whenever the person opens another conversation."""
        for event in self._opens:
            event.then(handler, self.current, outputs, **quick())

    def load(self, request: gr.Request, id: str) -> Chat:
        """The open conversation; a new one where none is open or it is gone."""
        store = self._page.chats(request)
        try:
            return store.load(id) if id else store.new()
        except StudioError:
            return store.new()

    def show(self, request: gr.Request, id: str | None) -> dict[Any, Any]:
        """Updates that open a conversation: `id`, or the newest one for None, or none at all for ""."""
        choices = self._choices(request, "")
        value = (choices[0][1] if choices else "") if id is None else id
        return {self.list: gr.update(choices=choices, value=value or None), self.current: value}

    def _choices(self, request: gr.Request, words: str) -> list[tuple[str, str]]:
        store = self._page.chats(request)
        found = store.search(words) if words.strip() else store.list()
        untitled = text("chat.untitled", language(request))
        return [(info.title or untitled, info.id) for info in found[:SHOWN]]

    def _new(self, words: str, request: gr.Request) -> tuple[Any, str]:
        return gr.update(choices=self._choices(request, words), value=None), ""

    def _search(self, words: str, current: str, request: gr.Request) -> Any:
        choices = self._choices(request, words)
        return gr.update(choices=choices, value=current if any(id == current for _, id in choices) else None)

    def _rename(self, current: str, name: str, request: gr.Request) -> tuple[Any, str]:
        if current and name.strip():
            self._page.chats(request).rename(current, name.strip())
        return gr.update(choices=self._choices(request, ""), value=current or None), ""

    def _delete(self, current: str, request: gr.Request) -> tuple[Any, str]:
        if current:
            self._page.chats(request).delete(current)
        changes = self.show(request, None)
        return changes[self.list], changes[self.current]

    def _save(self, current: str, request: gr.Request) -> str | None:
        if not current:
            return None
        store = self._page.chats(request)
        return self._page.offer(store.export_markdown(current).encode(), f"{current}.md")
