"""Prompts of language models: a conversation as it is given to read, the same for every engine (code: code_prompts).

An engine lends its tokenizer and its template; what a person typed never becomes a special token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from studio.engines.text import chat_templates, context_window
from studio.errors import StudioError
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.results import Output, Usage
from studio.tasks.chat import attachments, structured, thoughts

ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>", "<|end_of_text|>")
"""Tokens behind which models say nothing more, whatever their files call the end of a text."""
_JOINER = "\u2060"
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

    @property
    def first(self) -> str:
        """The special token that begins a text, as it is written; empty where there is none."""
        ...

    def has(self, text: str) -> bool:
        """Whether the vocabulary has a token."""
        ...

    def token(self, text: str) -> int:
        """The number of one special token."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads.

    Attributes:
        ids: its tokens.
        text: the same as text, special tokens included, for a person who wants to see it.
        begun: what the answer begins with, before the model says anything.
        stops: strings that end the answer beside those of the request.
        notes: what was left out.
        safe: `text` where it can only be read as a whole: a sign that nobody sees stands in all that somebody typed and
            that looks like a special token.
        pictures: files of pictures; each has its place in `text` (studio.tasks.chat.attachments.PICTURE, unless the
            model's template wrote something else there).
        cut: the place of the first message that is left out, and of the first behind them.
    """

    ids: list[int]
    text: str
    begun: str
    stops: tuple[str, ...]
    notes: Notes
    safe: str
    pictures: tuple[bytes, ...] = ()
    cut: tuple[int, int] = (0, 0)

    def shown(self) -> Output:
        """The prompt itself, for a request that wants only that."""
        return Output(prompt=self.text, stats={"prompt_tokens": float(len(self.ids))}, notes=self.notes)


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
    picture: Callable[[bytes], int] = lambda _: 0,
) -> Prompt:
    """The conversation, without its oldest turns where it is longer than the model reads.

    Args:
        limit: tokens that question and answer may have together.
        check: raises once the person pressed Stop.
        title: what the model is called.
        picture: how many tokens a picture takes, besides the one that stands in its place.

    Raises:
        StudioError: context_full: the last message alone is too long; broken_model: no use of the template.
    """
    room = context_window.room_for_prompt(limit, request.max_tokens or 1)
    left, shown = room, [attachments.pictures(message) for message in request.messages]
    said = tuple(Message(one.role, attachments.written(one)) for one in request.messages)
    request = replace(request, system=structured.told(request.system, request.schema), messages=said)
    taken = [sum(map(picture, files)) for files in shown]
    while True:
        cut = context_window.recent(request, left, sizes, check, taken)
        messages = cut.kept(request.messages)
        contents = [
            message.content if keep_thinking or message.role == "user" else thoughts.split(message.content)[1]
            for message in messages
        ]
        (system, opening, *contents), separator = chat_templates.guarded(
            (request.system, request.opening, *contents), reading.special
        )
        turns = [
            {"role": message.role, "content": content} for message, content in zip(messages, contents, strict=True)
        ]
        try:
            text = chat_templates.written(reading.render, system, turns)
        except chat_templates.Refused as error:
            raise StudioError("broken_model", model=title, reason=f"chat template: {error}") from None
        begun, given = _begun(text, opening, think=not request.schema)
        parts = (text + given).split(separator)
        ids = [token for at, part in enumerate(parts) for token in reading.tokens(part, special=True, opening=at == 0)]
        count = len(ids) + sum(cut.kept(taken))
        if count <= room:
            break
        if len(messages) == 1:
            raise StudioError("context_full", count=count, model=title, limit=limit)
        check()
        left -= max(room // 4, count - room)
    base: Notes = (("base_model", {}),) if reading.render is None else ()
    stops = chat_templates.PLAIN_STOPS if reading.render is None else ()
    notes = (*base, *cut.note(request.messages))
    seen = tuple(file for files in cut.kept(shown) for file in files)
    begun, safe, left = begun.replace(separator, ""), _JOINER.join(parts), (cut.first, cut.end)
    return Prompt(ids, "".join(parts), begun, stops, notes, safe, seen, left)


def usage(
    reading: Reading, request: ChatRequest, sizes: Callable[[str], int], limit: int, *, keep_thinking: bool,
    picture: Callable[[bytes], int] = lambda _: 0,
) -> Usage:  # fmt: skip
    """How much of the context a conversation takes, without a word computed. From any thread.

    Args:
        limit, picture: as in `chat`.
    """
    room = context_window.room_for_prompt(limit, request.max_tokens or 1)
    texts = (
        structured.told(request.system, request.schema),
        *(attachments.written(message) for message in request.messages),
    )
    whole = sum(sizes(text) + context_window.TURN for text in texts if text)
    whole += sum(picture(file) for message in request.messages for file in attachments.pictures(message))
    try:
        made = chat(
            reading, request, sizes, limit, lambda: None, keep_thinking=keep_thinking, title="", picture=picture
        )
    except StudioError as error:
        return Usage(int(error.params.get("count", whole)), limit, room, exact=True, fits=error.code != "context_full")
    cut = next((told["count"] for key, told in made.notes if key.startswith("history_cut")), 0)
    count = whole if cut else len(made.ids) + sum(map(picture, made.pictures))
    return Usage(count, limit, room, exact=True, cut=cut, left_out=made.cut)


def _begun(text: str, opening: str, think: bool = True) -> tuple[str, str]:
    """(what the answer begins with, what of it is not at the end of the prompt yet).

    Where the template opens the thoughts, an opening that has none shuts them: it stands where the answer stands. So
    does an answer in a form, whose first letter counts (`think` is False).
    """
    if not text.rstrip().endswith(thoughts.OPEN):
        return opening, opening
    if not opening and not think:
        return "", f"\n{thoughts.CLOSE}\n\n"
    if not opening:
        return f"{thoughts.OPEN}\n", ""
    if opening.lstrip().startswith(thoughts.OPEN):
        return opening, opening.lstrip().removeprefix(thoughts.OPEN).lstrip("\n")
    return opening, f"\n{thoughts.CLOSE}\n\n{opening}"
