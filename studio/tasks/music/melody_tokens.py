"""The words in which the composer writes melodies, and their grammar.

A piece is a line of words: what it is (kind, metre, mode, how busy), then its parts. A part begins with `part`, may
have an upbeat, and then its bars, counted down (`bar8` ... `bar1`), so that an ending is seen coming. Inside a bar
stand notes, as semitones above the tonic, and lengths, which hold until the next one. A key is thus only where the
tonic lies, and a bar that does not add up cannot be written: the grammar says which words may come next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

TICKS = 24
"""Steps of a quarter note."""
LENGTHS = (3, 4, 6, 8, 9, 12, 16, 18, 24, 36, 48, 72, 96)
"""Lengths of notes in steps, from a thirty-second to a whole note."""
LOWEST, HIGHEST = -14, 28
"""Semitones from the tonic. The tonic of a tune lies within the octave from middle C."""
MOST_BARS = 16
KINDS = ("tune", "reel", "hornpipe", "jig", "slip jig", "strathspey", "march", "minuet", "waltz", "air")
METRES = {"2/4": 48, "3/4": 72, "4/4": 96, "6/8": 72, "9/8": 108}
"""Metres with their steps."""
COMPOUND = ("6/8", "9/8")
"""Metres whose beat is a dotted quarter."""
MODES = ("major", "minor", "dorian", "mixolydian")
BUSY = ("calm", "even", "busy")
START, END, PART, UPBEAT, REST, HOLD = "start", "end", "part", "upbeat", "rest", "hold"


def beat(metre: str) -> int:
    """Steps of a beat."""
    return 36 if metre in COMPOUND else TICKS


WORDS: tuple[str, ...] = (
    "pad", START, END, PART, UPBEAT, REST, HOLD,
    *(kind.replace(" ", "-") for kind in KINDS), *METRES, *MODES, *BUSY,
    *(f"bar{left}" for left in range(MOST_BARS, 0, -1)),
    *(f"d{length}" for length in LENGTHS),
    *(f"n{pitch}" for pitch in range(LOWEST, HIGHEST + 1)),
)  # fmt: skip


@dataclass(frozen=True)
class Note:
    """`pitch`: semitones above the tonic; None is a rest. `length`: steps. `held`: goes on from the note before."""

    pitch: int | None
    length: int
    held: bool = False


@dataclass
class Part:
    """What sounds before the first bar, and the bars. The last bar may leave room for the upbeat."""

    upbeat: list[Note] = field(default_factory=list)
    bars: list[list[Note]] = field(default_factory=list)


@dataclass(frozen=True)
class Header:
    """What a piece is asked to be."""

    kind: str
    metre: str
    mode: str
    busy: str

    def words(self) -> tuple[str, ...]:
        return START, self.kind.replace(" ", "-"), self.metre, self.mode, self.busy


def write_melody(header: Header, parts: Iterable[Part]) -> list[str]:
    """A piece in words.

    Raises:
        ValueError: a note outside the words there are, or a part of too many bars.
    """
    words = list(header.words())
    for part in parts:
        words.append(PART)
        length = 0

        def add(notes: list[Note]) -> None:
            nonlocal length
            for note in notes:
                if note.length != length:
                    length = note.length
                    words.append(f"d{length}")
                words.append(HOLD if note.held else REST if note.pitch is None else f"n{note.pitch}")

        if part.upbeat:
            words.append(UPBEAT)
            add(part.upbeat)
        for left, bar in zip(range(len(part.bars), 0, -1), part.bars, strict=True):
            words.append(f"bar{left}")
            add(bar)
    words.append(END)
    if unknown := set(words) - _KNOWN:
        raise ValueError(f"no words for {sorted(unknown)}")
    return words


_KNOWN = frozenset(WORDS)


def body(words: Sequence[str]) -> Sequence[str]:
    """A line of words without its header and its end: the parts alone."""
    return [word for word in words[words.index(PART) :] if word != END]


def read_melody(words: Iterable[str]) -> list[Part]:
    """The parts that a line of words holds, however it ends; what comes before the first part is passed over."""
    parts: list[Part] = []
    length, notes = 0, None
    for word in words:
        if word == PART:
            parts.append(Part())
            length, notes = 0, None
        elif not parts:
            continue
        elif word == UPBEAT:
            notes = parts[-1].upbeat
        elif word.startswith("bar"):
            notes = []
            parts[-1].bars.append(notes)
        elif word[0] == "d" and word[1:].isdigit():
            length = int(word[1:])
        elif notes is not None and length and word in (REST, HOLD):
            notes.append(Note(None, length, word == HOLD))
        elif notes is not None and length and word[0] == "n":
            notes.append(Note(int(word[1:]), length))
    return parts


class Grammar:
    """Which words may come next in a piece whose metre and parts are settled.

    Args:
        metre: one of `METRES`.
        plan: bars of each part, 1..16.
        upbeat: the first part may begin before its first bar, so that the piece is longer than its bars.
    """

    def __init__(self, metre: str, plan: Sequence[int], *, upbeat: bool = True) -> None:
        self._bar, self._plan, self._early = METRES[metre], list(plan), upbeat
        self._part, self._left = -1, 0
        self._room = 0  # steps to the next bar line; in an upbeat those that it may still take
        self._upbeat: int | None = None  # steps of the upbeat so far, while in it
        self._lent = 0  # steps that the upbeat takes from the last bar
        self._length, self._changed = 0, False
        self._sounds = False

    def allowed(self) -> tuple[str, ...]:
        """The words that may follow; only the end at the end."""
        if self._part < 0 or (self._room == 0 and self._left == 0 and self._upbeat is None):
            return (PART,) if self._part + 1 < len(self._plan) else (END,)
        if self._upbeat is None and self._left == self._plan[self._part] + 1:
            begin = f"bar{self._left - 1}"
            return (UPBEAT, begin) if self._early or self._part else (begin,)
        if self._upbeat is None and self._room == 0:
            return (f"bar{self._left}",)
        return tuple(self._within())

    def _within(self) -> Iterator[str]:
        """Inside a bar or an upbeat."""
        if self._upbeat:
            yield f"bar{self._left}"
        if self._length and _fills(self._room - self._length):
            yield from _PITCHES
            if self._sounds and self._upbeat is None:
                yield HOLD
        if not self._changed:
            for length in LENGTHS:
                if length != self._length and _fills(self._room - length):
                    yield f"d{length}"

    def take(self, word: str) -> None:
        """Go on by a word that `allowed` named."""
        if word == PART:
            self._part += 1
            self._left, self._room, self._upbeat, self._lent = self._plan[self._part] + 1, 0, None, 0
            self._length, self._sounds = 0, False
        elif word == UPBEAT:
            self._upbeat, self._left, self._room = 0, self._left - 1, self._bar // 2
        elif word.startswith("bar"):
            if self._upbeat is not None:
                self._lent, self._upbeat = self._upbeat, None
            self._left = int(word[3:]) - 1
            self._room = self._bar - (self._lent if self._left == 0 else 0)
        elif word[0] == "d":
            self._length, self._changed = int(word[1:]), True
        elif word != END:
            self._room, self._changed = self._room - self._length, False
            self._sounds = word != REST
            if self._upbeat is not None:
                self._upbeat += self._length


_PITCHES = (REST, *(f"n{pitch}" for pitch in range(LOWEST, HIGHEST + 1)))


@lru_cache(maxsize=512)
def _fills(room: int) -> bool:
    """Whether notes can fill so many steps exactly."""
    return room == 0 or (room > 0 and any(_fills(room - length) for length in LENGTHS))
