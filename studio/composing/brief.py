"""What a piece is to be, once its prompt is read, and the tables that say what words, players and grooves there are."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from studio.composing.language import METRES, TICKS, beat
from studio.i18n import ASSETS


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
        return self.seconds + (0.0 if self.loop else self.ending)


@dataclass(frozen=True)
class Instrument:
    """`program`: General MIDI from 0, -1 for drums. `low`, `high`: MIDI numbers. `plays`: what beside the melody."""

    name: str
    program: int
    low: int
    high: int
    plays: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Groove:
    """`bars`: by metre the lines of signs that grooves.toml explains."""

    name: str
    band: tuple[str, ...]
    swing: int
    grain: int
    bars: dict[str, dict[str, Any]] = field(default_factory=dict)


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((ASSETS / "composing" / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def instruments() -> dict[str, Instrument]:
    return {
        name: Instrument(name, row["program"], low, high, tuple(row["plays"]), tuple(row["words"]))
        for name, row in _table("instruments").items()
        for low, high in [row["range"]]
    }


@cache
def grooves() -> dict[str, Groove]:
    def groove(name: str, row: dict[str, Any]) -> Groove:
        bars = {metre: row[metre] for metre in METRES if metre in row}
        return Groove(name, tuple(row["band"]), row["swing"], row["grain"], bars)

    return {name: groove(name, row) for name, row in _table("grooves").items()}


@cache
def entries() -> tuple[dict[str, Any], ...]:
    """What words ask for, in the order of words.toml."""
    return tuple(_table("words")["entry"])


@cache
def idle() -> frozenset[str]:
    """Words that ask for nothing and are no loss."""
    return frozenset(_table("words")["idle"])
