"""A melody with its chords in ABC notation (standard 2.1), which programs for folk music read and people can edit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from studio.composing import harmony
from studio.composing.harmony import Chord
from studio.composing.keys import key_name
from studio.composing.language import METRES, TICKS, Part, beat
from studio.composing.played import Melody

_UNIT = TICKS // 2
"""Steps of an eighth, the unit of length."""
_FIFTHS = {"major": 0, "minor": -3, "dorian": -2, "mixolydian": -1}
"""Sharps of a mode's signature beside those of the major key on the same tonic; flats count below zero."""
_LETTERS = "CDEFGAB"
_NATURAL = (0, 2, 4, 5, 7, 9, 11)
_SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_BARS_A_LINE = 4


def write(melody: Melody, title: str = "") -> str:
    """The tune: header, then its parts, those that are played twice between repeat signs."""
    key = key_name(melody.tonic, melody.mode).replace("♯", "#").replace("♭", "b")
    mode = {"major": "", "minor": "m", "dorian": "dor", "mixolydian": "mix"}[melody.mode]
    pulse = Fraction(beat(melody.metre), 4 * TICKS)
    head = [
        "X:1", f"T:{' '.join(title.split())[:100] or melody.kind.title()}", f"M:{melody.metre}", "L:1/8",
        f"Q:{pulse}={round(melody.tempo)}", *([f"R:{melody.kind}"] if melody.kind != "tune" else []), f"K:{key}{mode}",
    ]  # fmt: skip
    return "\n".join([*head, *_parts(melody)]) + "\n"


def _parts(melody: Melody) -> Iterator[str]:
    line = melody.line
    chords = melody.chords or harmony.harmonise(line.bars, melody.metre, melody.mode)
    per_bar = harmony.slots(melody.metre)
    pen = _Pen(melody)
    place = 0
    for index, turns in groupby(melody.form.order):
        times, start = len(list(turns)), line.starts[place]
        place += times
        upbeat, *bars = _tied(melody.parts[index])
        span = METRES[melody.metre] // per_bar
        written = [
            pen.bar(bar, chords[(start + number) * per_bar :][:per_bar], span) for number, bar in enumerate(bars)
        ]
        begin, end = ("|: ", " :|") if times > 1 else ("", " ||")
        begin += pen.bar(upbeat, [], 1) + " | " if upbeat else ""
        if times > 2:  # ABC's repeat sign means twice
            yield f"% {times} times"
        for first in range(0, len(written), _BARS_A_LINE):
            last = first + _BARS_A_LINE >= len(written)
            yield (begin if first == 0 else "") + " | ".join(written[first:][:_BARS_A_LINE]) + (end if last else " |")


@dataclass(frozen=True)
class _Written:
    """A note or rest with its pitch, also where it goes on from the one before; `tied` to the next one."""

    pitch: int | None
    length: int
    tied: bool


def _tied(part: Part) -> list[list[_Written]]:
    """The upbeat and the bars."""
    groups = [part.upbeat, *part.bars]
    flat = [note for group in groups for note in group]
    written: list[_Written] = []
    for note, after in zip(flat, [*flat[1:], None], strict=True):
        pitch = written[-1].pitch if note.held and written else note.pitch
        written.append(_Written(pitch, note.length, after is not None and after.held and pitch is not None))
    rest = iter(written)
    return [[next(rest) for _ in group] for group in groups]


class _Pen:
    """Writes bars; knows the signature, and within a bar which signs already hold."""

    def __init__(self, melody: Melody) -> None:
        name = key_name(melody.tonic, melody.mode)
        self._tonic, self._beat = melody.tonic, beat(melody.metre)
        self._fifths = "FCGDAEB".index(name[0]) - 1 + 7 * {"♯": 1, "♭": -1}.get(name[1:], 0) + _FIFTHS[melody.mode]
        order = "FCGDAEB" if self._fifths > 0 else "BEADGCF"
        self._signature = {
            letter: (1 if self._fifths > 0 else -1) * (letter in order[: abs(self._fifths)]) for letter in _LETTERS
        }

    def bar(self, notes: Sequence[_Written], chords: Sequence[Chord], span: int) -> str:
        """One bar: notes within a beat stand together, a chord above the note at which it changes."""
        signs = dict(self._signature)
        changes = {
            number * span: chord for number, chord in enumerate(chords) if not number or chords[number - 1] != chord
        }
        out: list[str] = []
        at = 0
        for note in notes:
            due = [changes.pop(when) for when in sorted(changes) if when <= at]
            chord = f'"{self._chord(due[-1])}"' if due else ""
            gap = " " if out and at % self._beat == 0 else ""
            pitch = "z" if note.pitch is None else self._pitch(note.pitch, signs)
            out.append(f"{gap}{chord}{pitch}{_times(note.length)}{'-' if note.tied else ''}")
            at += note.length
        return "".join(out)

    def _pitch(self, pitch: int, signs: dict[str, int]) -> str:
        octave, letter, sign = self._spelled(pitch)
        shown = "" if signs[letter] == sign else _SIGNS[sign]
        signs[letter] = sign
        return shown + (letter + "," * -octave if octave <= 0 else letter.lower() + "'" * (octave - 1))

    def _spelled(self, pitch: int) -> tuple[int, str, int]:
        """Octave from middle C's, letter and sign: as the signature has it, else as few signs as can be."""
        midi = pitch + self._tonic
        choices: list[tuple[int, int, int, int]] = []
        for octave in range(midi // 12 - 1, midi // 12 + 2):
            for number, natural in enumerate(_NATURAL):
                sign = midi - 12 * octave - natural
                if abs(sign) <= 1:
                    against = sign * self._fifths < 0  # a flat in a key of sharps
                    choices.append((abs(sign - self._signature[_LETTERS[number]]) + against, abs(sign), octave, number))
        _, _, octave, number = min(choices)
        return octave, _LETTERS[number], midi - 12 * octave - _NATURAL[number]

    def _chord(self, chord: Chord) -> str:
        _, letter, sign = self._spelled(chord.root)
        return letter + {-1: "b", 0: "", 1: "#"}[sign] + chord.shape


def _times(length: int) -> str:
    """A length in eighths as ABC writes it: nothing for one, 2, /2, 3/2."""
    share = Fraction(length, _UNIT)
    return ("" if share.numerator == 1 else str(share.numerator)) + (
        "" if share.denominator == 1 else f"/{share.denominator}"
    )
