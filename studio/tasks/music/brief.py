"""Brief of a piece, once its prompt is read, and the tables that say what words, players and grooves there are."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from studio.i18n import ASSETS
from studio.tasks.music.melody_tokens import METRES, TICKS, beat


@dataclass(frozen=True)
class Brief:
    """Everything that is settled before the first note.

    Attributes:
        kind, metre, mode, busy: as the composer's language has them.
        tonic: pitch class, 0 for C.
        tempo: beats a minute; a beat is a quarter, or a dotted quarter in 6/8 and 9/8.
        bars: without an upbeat.
        groove: how the accompaniment moves.
        band: names of instruments; the first plays the melody.
        loop: ends so that it can begin again.
        genre: of genres.toml; "" for none.
        style: of styles.toml, how the melody moves; "" leaves it to the composer.
        scale: of styles.toml, instead of the style's own.
        ending: seconds in which the last chord rings on.
        spelling: how the tonic was written by who asked for it, as "E♭"; empty for the usual way.
    """

    kind: str
    metre: str
    mode: str
    tonic: int
    tempo: float
    bars: int
    busy: str
    groove: str
    band: tuple[str, ...]
    loop: bool = False
    genre: str = ""
    style: str = ""
    scale: str = ""
    ending: float = 1.5
    spelling: str = ""

    @property
    def quarters(self) -> float:
        """Quarter notes a minute."""
        return self.tempo * beat(self.metre) / TICKS

    @property
    def seconds(self) -> float:
        """From the first bar line to the last."""
        return self.bars * METRES[self.metre] / TICKS * 60 / self.quarters

    @property
    def length(self) -> float:
        """Seconds of its sound."""
        return round(self.seconds + (0.0 if self.loop else self.ending), 3)


@dataclass(frozen=True)
class Instrument:
    """`program`: General MIDI from 0, -1 for drums. `low`, `high`: MIDI numbers. `plays`: what beside the melody.

    `voicing` is "power" for one whose chords are root and fifth.
    """

    name: str
    program: int
    low: int
    high: int
    plays: tuple[str, ...]
    words: tuple[str, ...]
    voicing: str = ""


@dataclass(frozen=True)
class Family:
    """Words that exclude all of its members. `generic` ones mean the member that a style has."""

    words: tuple[str, ...]
    members: tuple[str, ...]
    generic: bool = False


@dataclass(frozen=True)
class Groove:
    """`bars`: by metre the lines of signs that grooves.toml explains. `instead`: who plays a metre that it lacks."""

    name: str
    band: tuple[str, ...]
    swing: int
    bars: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    instead: str = ""

    @property
    def drummed(self) -> bool:
        return any("drums" in bar for bar in self.bars.values())


@dataclass(frozen=True)
class Genre:
    """A style of genres.toml. What it leaves open is empty; `tempos` are the slowest and the fastest that suit it."""

    name: str
    words: tuple[str, ...]
    weak: bool = False
    metre: str = ""
    tempo: float = 0.0
    tempos: tuple[float, ...] = ()
    mode: str = ""
    kind: str = ""
    busy: str = ""
    groove: str = ""
    style: str = ""
    band: tuple[str, ...] = ()
    chords: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Style:
    """A manner of melody of styles.toml, whose fields it has."""

    name: str
    lines: dict[str, list[str]] = field(default_factory=dict)
    close: dict[str, str] = field(default_factory=dict)
    form: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    range: tuple[int, ...] = (-5, 14)
    leap: int = 12
    scale: str = ""
    strong: str = "half"
    touch: float = 1.0


_LISTS = ("scales", "colours")
"""Tables of styles.toml that are no styles."""


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((ASSETS / "composing" / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def instruments() -> dict[str, Instrument]:
    return {
        name: Instrument(
            name, row["program"], low, high, tuple(row["plays"]), tuple(row["words"]), row.get("voicing", "")
        )
        for name, row in _table("instruments").items()
        for low, high in [row["range"]]
    }


@cache
def grooves() -> dict[str, Groove]:
    def groove(name: str, row: dict[str, Any]) -> Groove:
        bars = {metre: row[metre] for metre in METRES if metre in row}
        return Groove(name, tuple(row["band"]), row["swing"], bars, row.get("roles", {}), row.get("instead", ""))

    return {name: groove(name, row) for name, row in _table("grooves").items()}


@cache
def genres() -> dict[str, Genre]:
    """All styles, each with what it takes over from the one that it is like."""
    rows = _table("genres") | _table("genres-bands")

    def whole(name: str) -> dict[str, Any]:
        row = rows[name]
        return {**whole(row["like"]), "weak": False, **row} if "like" in row else row

    def genre(name: str) -> Genre:
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in whole(name).items()
        }
        fields.pop("like", None)
        return Genre(name, **fields)

    return {name: genre(name) for name in rows}


@cache
def styles() -> dict[str, Style]:
    def style(name: str, row: dict[str, Any]) -> Style:
        form = tuple(row.get("form", "").split())
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
        return Style(name, **{**fields, "form": form})

    return {name: style(name, row) for name, row in _table("styles").items() if name not in _LISTS}


@cache
def scales() -> dict[str, dict[str, tuple[int, ...]]]:
    """By name and mode, semitones above the tonic."""
    return {
        name: {mode: tuple(notes) for mode, notes in row.items()} for name, row in _table("styles")["scales"].items()
    }


@cache
def colours() -> dict[str, tuple[int, ...]]:
    """By the name of a scale, the notes by which it is known."""
    return {name: tuple(notes) for name, notes in _table("styles")["colours"].items()}


@cache
def families() -> tuple[Family, ...]:
    return tuple(
        Family(tuple(row["words"]), tuple(row["members"]), row.get("generic", False))
        for row in _table("families").values()
    )


@cache
def senses() -> dict[str, dict[str, Any]]:
    """Words of two senses, by the word: where they are no music."""
    return _table("words")["sense"]


@cache
def names() -> dict[str, str]:
    """Of an English word the Chinese one that comes nearest, where an entry's first one would not."""
    return _table("words")["names"]


@cache
def entries() -> tuple[dict[str, Any], ...]:
    """What words ask for, in the order of words.toml."""
    return tuple(_table("words")["entry"])


@cache
def idle() -> frozenset[str]:
    """Words that ask for nothing and are no loss."""
    return frozenset(_table("words")["idle"])
