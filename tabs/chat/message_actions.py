"""Actions at a message, and what the conversation becomes by them."""

from __future__ import annotations

import json
from dataclasses import replace

from studio.errors import StudioError
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
    if not 0 <= at < len(chat.messages) or chat.messages[at].role != "user":
        raise StudioError("chat_changed")
    return chat.replaced(at, Entry("user", words))


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
