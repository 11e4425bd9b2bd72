"""Actions at a message, and what the conversation becomes by them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from studio.errors import StudioError
from studio.tasks.chat import thoughts
from studio.tasks.chat.conversation import Chat, Entry


def asked_again(chat: Chat) -> Chat:
    """The conversation up to its last question."""
    last = max((place for place, entry in enumerate(chat.messages) if entry.role == "user"), default=-1)
    if last < 0:
        raise StudioError("chat_changed")
    again = replace(chat.messages[last], error=None)
    changed = chat.replaced(last + 1)
    return replace(changed, messages=(*changed.messages[:last], again))


def edited(chat: Chat, at: int, words: str) -> Chat:
    """The conversation with another question in a place, and nothing after it."""
    if (entry := _at(chat, at)).role != "user":
        raise StudioError("chat_changed")
    return chat.replaced(at, Entry("user", words, files=entry.files))


def to_continue(chat: Chat) -> str:
    """The last answer, with which another begins."""
    if (last := _at(chat, len(chat.messages) - 1)).role != "assistant":
        raise StudioError("chat_changed")
    return last.content


def to_answer_now(chat: Chat) -> str:
    """The last answer with its thought at an end, with which another begins."""
    if not thoughts.under_way(said := to_continue(chat)):
        raise StudioError("chat_changed")
    return thoughts.ended(said)


def changed(what: str, chat: Chat, at: int, words: str) -> tuple[Chat, str]:
    """(the conversation after what was pressed, what of it goes back into the composer). Nothing is asked of a model.

    Raises:
        StudioError: chat_changed where it has no such place.
    """
    if what in ("earlier", "later", "back"):
        return chat.turned(at, 1 if what == "later" else -1), ""
    if what == "keep":
        wanted = int(words) if words.isascii() and words.isdigit() and len(words) < 6 else 0
        if not 1 <= wanted <= chat.versions(at)[1]:
            raise StudioError("chat_changed")
        while (shown := chat.versions(at)[0]) != wanted:
            chat = chat.turned(at, 1 if shown < wanted else -1)
        return chat, ""
    if what == "undo":
        last = max((place for place, entry in enumerate(chat.messages) if entry.role == "user"), default=0)
        return chat.replaced(last), chat.messages[last].content if chat.messages else ""
    entry = _at(chat, at)
    if what == "delete":
        return chat.without(at), ""
    if words == entry.content:
        return chat, ""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if entry.role == "user":
        return chat.reworded(at, Entry("user", words, now, files=entry.files)), ""
    notes = (*(note for note in entry.notes if note[0] != "edited"), ("edited", {}))
    return chat.reworded(at, replace(entry, content=words, time=now, finish="stop", notes=notes, error=None)), ""


def _at(chat: Chat, at: int) -> Entry:
    if not 0 <= at < len(chat.messages):
        raise StudioError("chat_changed")
    return chat.messages[at]


def read_order(said: object) -> tuple[str, int, str]:
    """(what, at which message, with which text) from what the browser says, which may be anything."""
    try:
        found = json.loads(said) if isinstance(said, str) else {}
    except (ValueError, RecursionError):
        found = {}
    what, at, words = (found.get(key) for key in ("do", "at", "words")) if isinstance(found, dict) else ("", -1, "")
    return str(what), at if type(at) is int else -1, words if isinstance(words, str) else ""


def together(first: str, second: str) -> str:
    """Two texts as one, so that neither is lost."""
    return "\n\n".join(part for part in (first, second) if part.strip())
