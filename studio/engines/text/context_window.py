"""Context window: how much of a conversation or a file a model is given, where it is longer than the model reads.

What is cut goes by blocks: the place of the cut stays while a block's worth is added at the end, so what the model has
read up to there need not be read again. Knows no tokenizer; asks one to count.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from studio.requests import ChatRequest, CodeFile, Message

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


def recent(
    request: ChatRequest, room: int, size: Callable[[str], int], check: Callable[[], None]
) -> tuple[tuple[Message, ...], int]:
    """The newest messages that fit into `room` tokens, and how many of the oldest were left out.

    What goes is as much as a quarter of the room at a time. The last message always stays, and the first that stays is
    a question.

    Args:
        size: how many tokens a text has.
        check: raises once the person pressed Stop.
    """
    sizes: list[int] = []
    for message in request.messages:
        check()
        sizes.append(size(message.content) + TURN)
    over = sum(sizes) + (size(request.system) + TURN if request.system else 0) - room
    if over <= 0:
        return request.messages, 0
    block = max(1, room // 4)
    return _without(request.messages, sizes, -(-over // block) * block)


def _without(messages: tuple[Message, ...], sizes: Sequence[int], tokens: int) -> tuple[tuple[Message, ...], int]:
    gone = cut = 0
    while cut < len(messages) - 1 and (gone < tokens or messages[cut].role != "user"):
        gone += sizes[cut]
        cut += 1
    return messages[cut:], cut


def history_note(messages: Sequence[Message], cut: int) -> tuple[tuple[str, dict[str, Any]], ...]:
    """What the page is told where the `cut` oldest of `messages` were left out."""
    questions = sum(message.role == "user" for message in messages[:cut])
    return (("history_cut", {"count": questions}),) if questions else ()


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
