"""`chat` without a prompt: a conversation in the terminal, kept on disk like one of the page."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from studio.cli.console import Console, language, say
from studio.cli.follow import follow, opened
from studio.errors import StudioError
from studio.i18n import text
from studio.requests import ChatRequest

if TYPE_CHECKING:
    from studio.service import Studio
    from studio.tasks.chat.conversation import Chat


def talk(console: Console, settings: ChatRequest) -> None:
    """Read lines and answer them until /exit or the end of the input. Ctrl+C stops an answer, not the conversation.

    Args:
        settings: model, system prompt and sampling; its messages are ignored.
    """
    with suppress(ImportError):  # Windows edits lines by itself
        import readline  # noqa: F401  # input() edits lines and remembers them once it is loaded
    with opened() as studio:
        settings = replace(settings, model=settings.model or studio.default_model("chat").id)
        title = studio.catalog.get(settings.model).title
        console.note(say("talk.hello", title=title))
        chat = _new(studio, settings)
        while True:
            try:
                line = input("> ").strip()
            except EOFError:
                print(file=sys.stderr)
                return
            except KeyboardInterrupt:
                print(file=sys.stderr)
                continue
            if line in ("/exit", "/quit"):
                return
            if line == "/new":
                chat = _new(studio, settings)
                console.note(say("talk.new"))
            elif line:
                chat = _answer(console, studio, chat, settings, line, title)


def _new(studio: Studio, settings: ChatRequest) -> Chat:
    return studio.chats.new(system=settings.system, model=settings.model)


def _answer(console: Console, studio: Studio, chat: Chat, settings: ChatRequest, line: str, title: str) -> Chat:
    """One turn. The conversation comes back with question and answer, or as it was where there is no answer."""
    from studio.tasks.chat.conversation import Entry

    asked = replace(chat, messages=(*chat.messages, Entry("user", line)))
    try:
        seen = chat.mark if chat.updated else ""
        last = follow(console, studio.say(asked, settings, session="cli", seen=seen), title, console.stream)
    except StudioError as error:
        console.fail(error)
        return _as_it_is(studio, chat) if error.code == "chat_changed" else _without(studio, chat)
    except KeyboardInterrupt:
        console.note(say("stopped"))
        return _without(studio, chat)
    print(flush=True)
    for key, params in last.artifact.notes if last.artifact else ():
        console.note(text(f"note.{key}", language(), **params))
    if last.artifact is not None and last.artifact.finish == "length":
        console.note(say("cut"))
    answered = studio.chats.load(chat.id)
    return answered if answered.messages[-1].role == "assistant" else _without(studio, chat)


def _without(studio: Studio, chat: Chat) -> Chat:
    """The conversation without a question that has no answer; it is kept where the page can bring it back."""
    try:
        return studio.chats.change(chat.id, lambda found: found.replaced(len(chat.messages)))
    except StudioError:  # it was never written
        return chat


def _as_it_is(studio: Studio, chat: Chat) -> Chat:
    """The conversation after somebody else went on with it."""
    try:
        return studio.chats.load(chat.id)
    except StudioError:
        return studio.chats.new(system=chat.system, model=chat.model)
