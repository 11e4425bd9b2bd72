"""Context window: how much of a conversation or a file a model is given, where it is longer than the model reads.

What is cut goes by blocks: the place of the cut stays while a block's worth is added at the end, so what the model has
read up to there need not be read again. Knows no tokenizer; asks one to count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from studio.request_parts import CodeFile, Message
from studio.requests import ChatRequest

T = TypeVar("T")
TURN = 8
"""Tokens of a chat template's marks round a turn, on the safe side."""
CODE_CHARACTERS = 12_000
"""About 4,000 tokens of code: more makes the first token late and the answer no better."""
CODE_TOKENS = 4_096
FILES_TOKENS = 4_096
"""Of all other files together. They stand first and stay the same, so they are read once for many completions."""


FEWEST = 16
"""Tokens of another file below which it tells nothing."""


def room_for_prompt(limit: int, max_tokens: int) -> int:
    """Tokens that a prompt may take: the answer keeps what it was promised, at most half of the context."""
    return limit - min(max_tokens, limit // 2)


@dataclass(frozen=True, slots=True)
class Cut:
    """What of a conversation is left out: its messages from place `first` up to, and without, `end`."""

    first: int = 0
    end: int = 0

    def kept(self, messages: Sequence[T]) -> tuple[T, ...]:
        """The others, or what belongs to them."""
        return (*messages[: self.first], *messages[self.end :])

    def note(self, messages: Sequence[Message]) -> tuple[tuple[str, dict[str, Any]], ...]:
        """What the page is told of it."""
        questions = sum(message.role == "user" for message in messages[self.first : self.end])
        key = "history_cut_after" if self.first else "history_cut"
        return ((key, {"count": questions}),) if questions else ()


def recent(
    request: ChatRequest, room: int, size: Callable[[str], int], check: Callable[[], None], more: Sequence[int] = ()
) -> Cut:
    """What has to go so that a conversation fits into `room` tokens, where that can be.

    The first question stays, because it often says what all of it is about, and so does its answer: each where it
    takes no more than a quarter of the room. After them the oldest go, as much as a quarter of the room at a time. The
    last message always stays, and the first that stays behind the cut is a question.

    Args:
        size: how many tokens a text has.
        check: raises once the person pressed Stop.
        more: tokens that come on top for each message, where any do.
    """
    sizes: list[int] = []
    for message, besides in zip(request.messages, more or [0] * len(request.messages), strict=True):
        check()
        sizes.append(size(message.content) + TURN + besides)
    over = sum(sizes) + (size(request.system) + TURN if request.system else 0) - room
    if over <= 0:
        return Cut()
    block = max(1, room // 4)
    tokens = -(-over // block) * block
    first = _opening(request.messages, sizes, block)
    end, gone = _end_of_cut(request.messages, sizes, first, tokens)
    if gone < over and first:  # what is asked now counts for more than how it began
        first, (end, _) = 0, _end_of_cut(request.messages, sizes, 0, tokens)
    return Cut(first, end)


def _opening(messages: Sequence[Message], sizes: Sequence[int], room: int) -> int:
    """How many messages at the beginning stay, within `room` tokens."""
    if messages[0].role != "user" or sizes[0] > room:
        return 0
    answered = len(messages) > 2 and messages[1].role == "assistant" and sizes[0] + sizes[1] <= room
    return 2 if answered else 1


def _end_of_cut(messages: Sequence[Message], sizes: Sequence[int], first: int, tokens: int) -> tuple[int, int]:
    """(where a cut ends that begins at `first` and takes `tokens`, what it takes)."""
    gone, end = 0, first
    while end < len(messages) - 1 and (gone < tokens or messages[end].role != "user"):
        gone += sizes[end]
        end += 1
    return end, gone


def around(
    prefix: str, suffix: str, room: int, size: Callable[[str], int], check: Callable[[], None]
) -> tuple[str, str, int]:
    """The text next to the cursor that fits into `room` tokens, and how many characters were left out.

    What stands behind the cursor gets at least a quarter of the room, where there is as much.
    """
    room = min(room, CODE_TOKENS)
    after = _beginning(suffix, max(1, room // 4), size)
    check()
    before = _end(prefix, max(1, room - (size(after) if after else 0)), size, check)
    if before == prefix and after != suffix:
        after = _beginning(suffix, max(1, room - (size(before) if before else 0)), size)
    return before, after, len(prefix) - len(before) + len(suffix) - len(after)


def _beginning(text: str, room: int, size: Callable[[str], int]) -> str:
    """The first characters of `text` with at most `room` tokens, whole lines where there are some."""
    kept = text[: CODE_CHARACTERS // 2]
    while kept and (count := size(kept)) > room:
        kept = kept[: min(len(kept) - 1, len(kept) * room // count)]
    line = kept.rfind("\n")
    return kept[: line + 1] if len(kept) < len(text) and line > len(kept) // 2 else kept


def _end(text: str, room: int, size: Callable[[str], int], check: Callable[[], None]) -> str:
    """The last characters of `text` with at most `room` tokens, from a multiple of a block on, or the line after it."""
    if len(text) <= CODE_CHARACTERS and size(text) <= room:
        return text
    block = max(1, min(CODE_CHARACTERS, room) // 4)
    first = max(0, -(-(len(text) - CODE_CHARACTERS) // block))
    places = range(first * block, len(text), block)

    def fits(place: int) -> bool:
        check()
        return size(text[place:]) <= room

    found = bisect_left(places, True, key=fits)
    place = places[min(found, len(places) - 1)] if places else len(text)
    line = text.find("\n", place, min(place + block, len(text) - 1))
    return text[line + 1 if line >= 0 and place else place :]


def beginnings(
    files: Sequence[CodeFile], room: int, size: Callable[[str], int], check: Callable[[], None]
) -> tuple[tuple[CodeFile, ...], tuple[str, ...], tuple[str, ...]]:
    """The beginnings of files that fit into `room` tokens together, the names of those cut, and of those left out.

    Each gets the same share; what one does not need goes to those behind it.
    """
    kept: list[CodeFile] = []
    cut: list[str] = []
    left: list[str] = []
    for number, file in enumerate(files):
        check()
        text = file.text.replace("\r\n", "\n")
        names = size(file.name) + 4
        share = room // (len(files) - number) - names
        shown = _beginning(text, share, size) if share >= FEWEST else ""
        if text and not shown:
            left.append(file.name)
            continue
        if len(shown) < len(text):
            cut.append(file.name)
        room -= size(shown) + names
        kept.append(CodeFile(file.name, shown))
    return tuple(kept), tuple(cut), tuple(left)
