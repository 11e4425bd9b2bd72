"""Edits of every caption of a run, and how it is joined with the text that was there.

The words of a caption file that a person wrote are never changed: edits and the token guard touch the new caption
only. Pure.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from studio.tasks.caption import tokens
from studio.tasks.caption.merge import is_list, news, says

Mode = Literal["skip", "overwrite", "append", "prepend"]
MODES: tuple[Mode, ...] = get_args(Mode)

_WIDE = 0x2E80
_SCRIPT = "\u2e80-\ud7a3\uf900-\ufdff\ufe30-\uffef\U0001f200-\U0001faff\U00020000-\U0003ffff"
_BETWEEN = re.compile(
    rf"(?:(?<=[{_SCRIPT}])(?=\S)|(?<=\S)(?=[{_SCRIPT}]))(?<!\u200d)(?![\u200d\ufe0f\U0001f3fb-\U0001f3ff])"
)
"""Between two signs where one is of a script without spaces, or a pictogram; not inside one that several make up."""
_LOOSE = " ,;:，、"
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


def written(before: str, caption: str, mode: Mode, edits: Edits, tags: bool | None = None) -> Written:
    """What a caption file holds afterwards. What is added to a text is only what it does not say yet.

    Args:
        before: the text that is there; empty for none. In the mode "skip" such a picture is not asked about at all.
        caption: the new one, `edited`.
        tags: whether that is a list of tags; None where only its look tells.
    """
    adding = mode in ("append", "prepend") and bool(before.strip())
    end = re.search(r"(?:\r?\n)?\Z", before)
    tags = is_list(caption) if tags is None else tags

    def whole(new: str) -> str:
        old = before.strip() if adding else ""
        if adding and not new.strip() and (not edits.trigger or _whole(edits.trigger).search(old)):
            return before
        first, second = (new, old) if mode == "prepend" else (old, new)
        text = joined(first, second)
        if edits.trigger and not _whole(edits.trigger).search(text):
            text = joined(edits.trigger, text)
        return text + (end[0] if end else "")

    def counted(text: str) -> int:
        """Tokens. Of tags that are added, as many as they take in any order: else a run that was cut adds more when it
        is made again. A comma between two signs that are wide is wide, and takes more."""
        return tokens.count(text.replace(", ", "，") if adding and tags and max(text) >= chr(_WIDE) else text)

    caption = news(before, caption, tags) if adding else caption
    kept = caption
    if edits.token_limit:
        kept = _fitting(caption, lambda new: counted(whole(new)) + tokens.FRAME <= edits.token_limit, tags, adding)
        if kept != caption and adding and not tags and says(before, kept):
            kept = ""  # an earlier run was cut at another place
    text = whole(kept)
    return Written(text, tokens.count(text) + tokens.FRAME, caption[len(kept) :].strip(" ,;"))


def joined(first: str, second: str) -> str:
    """Two texts as one: sentences follow each other, tags are parted by commas."""
    first, second = first.strip(), second.strip()
    if not first or not second:
        return first or second
    if first[-1] in "。！？":
        return first + second
    if min(first[-1], second[0]) >= chr(_WIDE) and first[-1] not in _ENDS:
        return f"{first.rstrip(_LOOSE)}，{second}"
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


def _fitting(caption: str, fits: Callable[[str], bool], tags: bool, adding: bool) -> str:
    """The longest beginning of a caption that fits: whole tags of a list, whole words of a sentence; or nothing.

    Between signs of a script without spaces nobody here knows where a word ends: there a comma or a stop is preferred,
    where that keeps half of what fits.
    """
    if fits(caption):
        return caption
    stops = [match.start() for match in re.finditer(r"[,，、;；。！？]", caption)]
    whole = _last(caption, stops, fits) if tags else ""
    if whole or (tags and adding):  # to a list that is full half a tag is not added
        return whole
    spaces = [match.start() for match in re.finditer(r"\s", caption)]
    wide = [match.start() for match in _BETWEEN.finditer(caption)]
    found = _last(caption, sorted({*spaces, *wide}), fits)
    if found and (end := len(found)) in wide and end not in spaces:
        to_stop = _last(caption, [stop for stop in stops if stop <= end], fits)
        found = to_stop if 2 * len(to_stop) > end else found
    return without_loose_end(f" {found}" if adding else found).lstrip()  # of what is added "a" alone is nothing either


def _last(caption: str, ends: list[int], fits: Callable[[str], bool]) -> str:
    """The caption up to the last of these places where it fits; longer beginnings never fit where shorter do not."""
    at = bisect.bisect_left(ends, True, key=lambda end: not fits(caption[:end].rstrip(_LOOSE)))
    return caption[: ends[at - 1]].rstrip(_LOOSE) if at else ""


def without_loose_end(text: str) -> str:
    """A sentence cut short does not end on "with a"."""
    text = text.rstrip(_LOOSE)
    while found := _LOOSE_END.search(text):
        text = text[: found.start()].rstrip(" ,;:")
    return text
