"""A piece as it is played: voices of notes on one clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from studio.tasks.music.harmony import Chord
from studio.tasks.music.melody_tokens import METRES, TICKS

DRUMS = -1


@dataclass(frozen=True, order=True)
class Sound:
    """`start` and `length` in steps (24 a quarter), `pitch` a MIDI number, `loudness` 1..127."""

    start: int
    length: int
    pitch: int
    loudness: int


@dataclass
class Voice:
    """One player.

    Attributes:
        name: what the instrument is called in `instruments.toml`.
        program: General MIDI number from 0, or `DRUMS`.
        volume: 0..127.
        pan: 0 left .. 127 right.
    """

    name: str
    program: int
    sounds: list[Sound] = field(default_factory=list)
    volume: int = 100
    pan: int = 64


@dataclass
class Score:
    """A piece.

    Attributes:
        tempo: quarter notes a minute.
        tonic: a pitch class; `key` is its name, as "E♭", where somebody named it.
        bars: as they were asked for.
        chords: one entry a slot of the harmony.
        upbeat: steps before the first of `bars`, none or a whole bar.
    """

    title: str
    metre: str
    tempo: float
    tonic: int
    mode: str
    bars: int
    voices: list[Voice] = field(default_factory=list)
    chords: list[Chord] = field(default_factory=list)
    upbeat: int = 0
    key: str = ""

    @property
    def steps(self) -> int:
        """From the beginning to the last bar line."""
        return self.upbeat + self.bars * METRES[self.metre]

    def seconds(self, steps: int) -> float:
        return steps * 60 / (TICKS * self.tempo)
