"""The line under the composer: how much of the context is taken while somebody types, and the exact prompt."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.request_parts import Attachment
from studio.requests import ChatRequest
from studio.results import Update, Usage
from studio.tasks.chat.conversation import Entry
from tabs.chat import attached
from tabs.chat.message_actions import asked_again
from tabs.chat.open_pages import WHERE, Place
from tabs.chat.settings import ChatSettings
from tabs.chat.sidebar import ChatList
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language, t

_SEEN = "() => document.querySelector('#chat-exact-shown').scrollIntoView({ block: 'nearest' })"
HERE = f"(_, ...rest) => [{WHERE}, ...rest]"


class ContextLine:
    """The line, its button, and what the button shows."""

    def __init__(self, page: Page, chats: ChatList, settings: ChatSettings) -> None:
        self._page, self._chats, self._settings = page, chats, settings
        with gr.Row(elem_classes="a-context"):
            self._line = gr.HTML(elem_id="chat-tokens", elem_classes="a-live")
            gr.Button(t("chat.attach"), size="sm", elem_id="chat-attach", min_width=0, scale=0)  # heard by chat.js
            self._exact = gr.Button(t("chat.exact"), size="sm", elem_id="chat-exact", min_width=0, scale=0)
        self._shown = gr.HTML(elem_id="chat-exact-shown", elem_classes="a-live", render=False)

    def place(self) -> None:
        """Put here what the button shows."""
        self._shown.render()

    def wire(self, talk: gr.HTML, progress: gr.HTML) -> None:
        """Let it follow what is typed and what is shown; typing never waits for it."""
        settings = self._settings
        inputs = [self._chats.where, self._chats.prompt, self._chats.files, *settings.fields]

        def show(update: Update, spoken: str) -> dict[Any, Any]:
            if update.artifact is None:
                return {progress: job_progress.progress(update, spoken)}
            return {progress: "", self._shown: prompt(update, spoken)}

        def exact(request: gr.Request, where: str, words: str, given: Any, *values: Any) -> Iterator[dict[Any, Any]]:
            def ask() -> ChatRequest:
                files, _ = attached.read(given, self._page.studio.settings.public)
                asked = self._asked(request, where, words, files, values)
                if not asked.messages:
                    raise StudioError("empty", field=text("label.prompt", language(request)))
                return replace(asked, only_prompt=True)

            yield from self._page.run("chat", ask, show, progress, request)

        changes = [
            part.change for part in (self._chats.prompt, self._chats.files, talk, settings.model, settings.system)
        ]
        changes.append(settings.of["max_tokens"].change)
        following: dict[str, Any] = quick() | {"trigger_mode": "always_last", "preprocess": False}
        gr.on(changes, self._count, inputs, self._line, js=HERE, **following)
        talk.change(lambda: "", None, self._shown, **quick())  # it was that of another conversation
        shown = self._exact.click(exact, inputs, [progress, self._shown], **pumping(js=HERE), preprocess=False)
        shown.success(None, None, None, js=_SEEN)

    def _count(self, request: gr.Request, where: str, words: str, given: Any, *values: Any) -> str:
        try:
            files, others = attached.read_texts(given, self._page.studio.settings.public)
            asked = self._asked(request, where, words, files, values, whole=True)
            others += sum(one.picture for message in asked.messages for one in message.files)
            return usage(self._page.studio.usage(_bare(asked)), language(request), others) if asked.messages else ""
        except StudioError:  # whoever sends it is told
            return ""

    def _asked(
        self, request: gr.Request, where: str, words: str, files: tuple[Attachment, ...], values: tuple[Any, ...], *,
        whole: bool = False,
    ) -> ChatRequest:  # fmt: skip
        """What would be asked if this were sent; where nothing is typed, what was asked last.

        Args:
            whole: with the last answer, where nothing is typed.

        Raises:
            StudioError: the conversation cannot be read, or a number is none.
        """
        asked, chat = self._settings.read(values), self._chats.load(request, Place.read(where).chat)
        store = self._page.chats(request)
        if (words or "").strip() or files:
            chat = replace(chat, messages=(*chat.messages, Entry("user", words or "", files=files)))
        elif chat.messages and not whole:
            chat = asked_again(chat)
        return replace(asked, messages=chat.as_messages(lambda one: store.attachment(chat.id, one)))


def _bare(request: ChatRequest) -> ChatRequest:
    """A conversation without its pictures: what they take is known when they are looked at."""
    texts = (replace(one, files=tuple(file for file in one.files if not file.picture)) for one in request.messages)
    return replace(request, messages=tuple(texts))


def usage(found: Usage, spoken: str, pictures: int = 0) -> str:
    """The line in words; `pictures` come on top."""
    if not found.fits:
        said = text("chat.usage_over", spoken, count=found.count, room=found.room)
    else:
        key = ("chat.usage" if found.exact else "chat.usage_about") + ("" if found.limit else "_alone")
        said = text(key, spoken, count=found.count, limit=found.limit)
        said += f" ({text('chat.usage_pictures', spoken)})" if pictures else ""
        if found.cut:
            cut = html.escape(text("chat.usage_cut", spoken, count=found.cut))
            return f'<p class="a-note">{html.escape(said)} <b class="a-warn">{cut}</b></p>'
        return f'<p class="a-note">{html.escape(said)}</p>'
    return f'<p class="a-note"><b class="a-warn">{html.escape(said)}</b></p>'


def prompt(update: Update, spoken: str) -> str:
    """The prompt as the model reads it, with what was left out."""
    artifact = update.artifact
    if artifact is None:
        return ""
    count = round(artifact.stats.get("prompt_tokens", 0))
    head = html.escape(text("chat.exact_head", spoken, count=count))
    body = html.escape(artifact.prompt)
    return (
        f'<div class="a-exact"><p class="a-note">{head}</p>{job_progress.notes(update, spoken)}'
        f'<pre tabindex="0" aria-label="{html.escape(text("chat.exact", spoken), quote=True)}">{body}</pre></div>'
    )
