"""The words of a prompt that the tables know: styles, kinds, moods, players; each in its sense of music."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from studio.tasks.music.brief import entries, families, genres, idle, instruments, senses

_LETTER = r"[^\W\d_㐀-鿿]"
_WORD = re.compile(
    rf"\d+(?:[.,:/]\d+)*[a-z]*|{_LETTER}(?:{_LETTER}|[\u0300-\u036f\u0900-\u0d7f\u0e00-\u0e7f'-])*|[㐀-鿿]+"
    "|[\U0001f300-\U0001faff]"
)
"""Words of any script, vowel signs with them, and pictures: what nobody reads is named all the same."""
_OPEN = re.compile(r"\s*(?:$|[,.;:!?)\]}|/\n、。]|\d|(?:at|with|for|and|on|by|in|about|from|to|but|or|nor)\b)")


@dataclass(frozen=True)
class Meaning:
    """What a word asks for.

    Attributes:
        sort: "genre", "player", "kind", "mood", "mode", "form", or "family", which only excludes.
        value: a genre's or player's name, a Family, or an entry of words.toml.
    """

    sort: str
    value: Any


@dataclass(frozen=True)
class Found:
    """A word at its place, and all that it means."""

    start: int
    end: int
    word: str
    shown: str
    meanings: tuple[Meaning, ...]

    @property
    def sort(self) -> str:
        """What stands with it in a list."""
        sorts = {meaning.sort for meaning in self.meanings}
        for sort in ("player", "family"):
            if sort in sorts:
                return "player"
        return "style" if sorts & {"genre", "kind"} else next(iter(sorts))

    def players(self) -> tuple[str, ...]:
        return tuple(meaning.value for meaning in self.meanings if meaning.sort == "player")


def find_words(text: str) -> list[Found]:
    """All known words of a text in small letters, longer ones first in case of doubt, in the order of the text."""
    found: list[Found] = []
    for word, pattern, meanings in _vocabulary():
        for match in pattern.finditer(text):
            if any(match.start() < one.end and one.start < match.end() for one in found):
                continue
            if _in_sense(word, match, text):
                found.append(Found(match.start(), match.end(), word, match[0], meanings))
    return sorted(found, key=lambda one: one.start)


def rest(text: str) -> tuple[str, ...]:
    """The words and numbers of what is left of a text that are no fillers."""
    words = (word.rstrip("-'") for word in _WORD.findall(text))
    left = [
        word for word in words if word not in idle() and not (word[0] >= "㐀" and all(sign in idle() for sign in word))
    ]
    return tuple(dict.fromkeys(left))


def stands_at(text: str, place: int) -> bool:
    """Whether a known word begins at a place."""
    return any(pattern.match(text, place) for _, pattern, _ in _vocabulary())


def styled_at(text: str, place: int) -> bool:
    """Whether the name of a style begins at a place."""
    return any(
        pattern.match(text, place) for _, pattern, meanings in _vocabulary() if any(m.sort == "genre" for m in meanings)
    )


@cache
def _vocabulary() -> tuple[tuple[str, re.Pattern[str], tuple[Meaning, ...]], ...]:
    """(word, how it is found, what it means) of all tables, the longest first; read once, as the tables are."""
    table: dict[str, list[Meaning]] = {}
    for entry in entries():
        for word in entry["words"]:
            table.setdefault(word, []).append(Meaning(entry["sort"], entry))
    for name, genre in genres().items():
        for word in genre.words:
            table.setdefault(word, []).append(Meaning("genre", name))
    for name, player in instruments().items():
        for word in player.words:
            table.setdefault(word, []).append(Meaning("player", name))
    for family in families():
        for word in family.words:
            table.setdefault(word, []).append(Meaning("family", family))

    def pattern(word: str) -> re.Pattern[str]:
        chinese = word[0] >= "㐀"
        spaced = re.escape(word).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]?")
        return re.compile(re.escape(word) if chinese else rf"(?<![\w])(?<!\w'){spaced}(?:s|es)?(?![\w])(?!'\w)")

    return tuple((word, pattern(word), tuple(table[word])) for word in sorted(table, key=len, reverse=True))


def _in_sense(word: str, match: re.Match[str], text: str) -> bool:
    """Whether a word that has another sense too is meant as music here."""
    sense = senses().get(word)
    if sense is None:
        return True
    before, after = text[: match.start()], text[match.end() :]
    if sense.get("needs_music"):
        return bool(_OPEN.match(after)) or stands_at(text, match.end() + len(after) - len(after.lstrip()))
    if "unless" in sense and re.match(sense["unless"], after):
        return True
    ruled_out = ("not_before" in sense and re.search(sense["not_before"], before)) or (
        "not_after" in sense and re.match(sense["not_after"], after)
    )
    return not ruled_out
