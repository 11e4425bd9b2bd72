"""Prompts of language models: a chat or code request as it is given to read, the same for every engine.

An engine lends its tokenizer and its template; what a person typed never becomes a special token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from studio.engines.text import chat_templates, context_window
from studio.errors import StudioError
from studio.requests import ChatRequest, CodeRequest
from studio.tasks.chat import thoughts
from studio.tasks.code.completion import FimFamily, left_to_right

Notes = tuple[tuple[str, dict[str, Any]], ...]


class Reading(Protocol):
    """A model's tokenizer."""

    @property
    def special(self) -> Iterable[str]:
        """Tokens that are no text."""
        ...

    @property
    def render(self) -> chat_templates.Render | None:
        """The chat template; None for base models, which have none."""
        ...

    def tokens(self, text: str, *, special: bool = False, opening: bool = False) -> list[int]:
        """`text` as tokens; see _gguf_facts.Tokenizer."""
        ...

    def token(self, text: str) -> int:
        """The number of one special token."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads.

    Attributes:
        ids: its tokens.
        text: the same as text, with separators; only its end tells anything.
        stops: strings that end the answer beside those of the request.
        notes: what was left out.
    """

    ids: list[int]
    text: str
    stops: tuple[str, ...]
    notes: Notes


class Sizes:
    """How many tokens a text has, remembered: a conversation is counted anew at every turn. From several threads."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._known: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        size = self._known.get(text)
        if size is None:
            size = len(self._reading.tokens(text))
            if len(self._known) >= 4_000:
                self._known.clear()
            self._known[text] = size
        return size


def chat(
    reading: Reading,
    request: ChatRequest,
    sizes: Callable[[str], int],
    limit: int,
    check: Callable[[], None],
    *,
    keep_thinking: bool,
    title: str,
) -> Prompt:
    """The conversation, without its oldest turns where it is longer than the model reads.

    Args:
        limit: tokens that question and answer may have together.
        check: raises once the person pressed Stop.
        title: what the model is called.

    Raises:
        StudioError: context_full: the last message alone is too long; broken_model: no use of the template.
    """
    room = context_window.room_for_prompt(limit, request.max_tokens or 1)
    left = room
    while True:
        messages, cut = context_window.recent(request, left, sizes, check)
        contents = [
            message.content if keep_thinking or message.role == "user" else thoughts.split(message.content)[1]
            for message in messages
        ]
        (system, *contents), separator = chat_templates.guarded((request.system, *contents), reading.special)
        turns = [
            {"role": message.role, "content": content} for message, content in zip(messages, contents, strict=True)
        ]
        try:
            text = chat_templates.written(reading.render, system, turns)
        except chat_templates.Refused as error:
            raise StudioError("broken_model", model=title, reason=f"chat template: {error}") from None
        parts = text.split(separator)
        ids = [token for at, part in enumerate(parts) for token in reading.tokens(part, special=True, opening=at == 0)]
        if len(ids) <= room:
            break
        if len(messages) == 1:
            raise StudioError("context_full", count=len(ids), model=title, limit=limit)
        check()
        left -= max(room // 4, len(ids) - room)
    base: Notes = (("base_model", {}),) if reading.render is None else ()
    stops = chat_templates.PLAIN_STOPS if reading.render is None else ()
    return Prompt(ids, text, stops, (*base, *context_window.history_note(request.messages, cut)))


def code(
    reading: Reading,
    request: CodeRequest,
    family: FimFamily | None,
    limit: int,
    check: Callable[[], None],
) -> Prompt:
    """The text round the cursor; what is furthest from it goes first.

    Without a family the text before the cursor is all that the model reads. No tokens where nothing stands there.

    Args:
        limit, check: as for `chat`.
    """
    opening = reading.tokens("", opening=True)
    room = max(1, context_window.room_for_prompt(limit, request.max_tokens or 1) - len(opening) - 3)

    def size(text: str) -> int:
        return len(reading.tokens(text))

    prefix, suffix = (text.replace("\r\n", "\n") for text in (request.prefix, request.suffix))
    whole = prefix if family else left_to_right(prefix)[0]
    before, after, cut = context_window.around(whole, suffix if family else "", room, size, check)
    notes: Notes = (("code_cut", {"count": cut}),) if cut else ()
    if family is None:
        if request.fill_in_middle and request.suffix.strip():
            notes = (*notes, ("no_fim", {}))
        if not before.strip():
            return Prompt([], "", (), (("nothing_before", {}),))
        return Prompt(opening + reading.tokens(before), before, (), notes)
    ids = list(opening)
    for special, text in family.pieces(before, after):
        if special:
            ids.append(reading.token(text))
        elif text:
            ids += reading.tokens(text)
    return Prompt(ids, before, (), notes)
