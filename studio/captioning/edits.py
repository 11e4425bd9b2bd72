"""What is done to every caption of a run, and how it is joined with the text that was there.

The words of a caption file that a person wrote are never changed: edits and the token guard touch the new caption
only. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from studio.captioning import tokens

Mode = Literal["skip", "overwrite", "append", "prepend"]
MODES: tuple[Mode, ...] = get_args(Mode)

_WIDE = 0x2E80
_ENDS = ".!?。！？…"
_LOOSE_END = re.compile(
    r"\s(?:an?|and|at|by|for|from|in|into|of|on|or|the|to|with|without|near|over|under|its|is|are)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Edits:
    """What is done to captions.

    Attributes:
        trigger: put in front of the whole text, unless it is in it already.
        replace: what is found, and what takes its place; whole words, large and small letters as typed.
        ban: words that are taken out, in large or small letters.
        token_limit: captions are cut so that a text has at most so many tokens, its frame included; 0 for no limit.
    """

    trigger: str = ""
    replace: tuple[tuple[str, str], ...] = ()
    ban: tuple[str, ...] = ()
    token_limit: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """A caption file's new text; how many tokens it has, frame included; what of the caption was cut away."""

    text: str
    tokens: int
    cut: str = ""


def edited(caption: str, edits: Edits) -> str:
    """The caption with its words replaced and taken out, on one line."""
    text = " ".join(caption.split())
    for find, put in edits.replace:
        if find:
            text = _whole(find).sub(lambda _, put=put: put, text)
    for word in edits.ban:
        if word.strip():
            text = _whole(word.strip(), re.IGNORECASE).sub("", text)
    return tidy(text) if edits.ban or edits.replace else text


def written(before: str, caption: str, mode: Mode, edits: Edits) -> Written:
    """What a caption file holds afterwards.

    Args:
        before: the text that is there; empty for none. In the mode "skip" such a picture is not asked about at all.
        caption: the new one, `edited`.
    """

    def whole(new: str) -> str:
        old = before.strip() if mode in ("append", "prepend") else ""
        first, second = (new, old) if mode == "prepend" else (old, new)
        text = joined(first, second)
        if edits.trigger and not _whole(edits.trigger).search(text):
            text = joined(edits.trigger, text)
        return text + ("\n" if before.endswith("\n") else "")

    kept = caption
    if edits.token_limit:
        kept = _fitting(caption, lambda new: tokens.count(whole(new)) + tokens.FRAME <= edits.token_limit)
    text = whole(kept)
    return Written(text, tokens.count(text) + tokens.FRAME, caption[len(kept) :].strip(" ,;"))


def joined(first: str, second: str) -> str:
    """Two texts as one: sentences follow each other, tags are parted by commas."""
    first, second = first.strip(), second.strip()
    if not first or not second:
        return first or second
    if first[-1] in "。！？":
        return first + second
    return f"{first} {second}" if first[-1] in _ENDS else f"{first.rstrip(' ,;')}, {second}"


def lacking(text: str, words: Iterable[str]) -> list[str]:
    """Which of the words a text has not, as whole words in large or small letters."""
    return [word for word in words if word.strip() and not _whole(word.strip(), re.IGNORECASE).search(text)]


def tidy(text: str) -> str:
    """A text without what taking words out leaves: double spaces and commas, a comma at either end."""
    text = re.sub(r"\s+([,.;:!?])", r"\1", " ".join(text.split()))
    text = re.sub(r"([,;，、])(?:\s*[,;，、])+", r"\1", text)
    text = re.sub(r"[,;，、]\s*([.!?。！？])", r"\1", text)
    return text.strip(" ,;，、").removeprefix(".").strip()


def _whole(word: str, flags: int = 0) -> re.Pattern[str]:
    """`word` where it is no part of a longer one. Scripts without spaces have no such edges."""
    left = r"(?<!\w)" if _edged(word[0]) else ""
    right = r"(?!\w)" if _edged(word[-1]) else ""
    return re.compile(left + re.escape(word) + right, flags)


def _edged(sign: str) -> bool:
    return sign.isalnum() and ord(sign) < _WIDE


def _fitting(caption: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning of a caption that fits: whole tags of a list, whole words of a sentence; or nothing."""
    if fits(caption):
        return caption
    ends = [match.start() for match in re.finditer(r"[,，、;]", caption)]
    for end in reversed(ends if len(ends) > 1 else []):
        if fits(caption[:end]):
            return caption[:end].rstrip()
    ends = [match.start() for match in re.finditer(r"\s|(?<=[\u2e80-\uffff])", caption)]
    for end in reversed(ends):
        kept = without_loose_end(caption[:end])
        if fits(kept):
            return kept
    return ""


def without_loose_end(text: str) -> str:
    """A sentence cut short does not end on "with a"."""
    text = text.rstrip(" ,;:，、")
    while found := _LOOSE_END.search(text):
        text = text[: found.start()].rstrip(" ,;:")
    return text
