"""A melody with its chords in ABC notation (standard 2.1), which programs for folk music read and people can edit."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from fractions import Fraction

from studio.tasks.music import harmony, notation
from studio.tasks.music.harmony import Chord
from studio.tasks.music.keys import fifths
from studio.tasks.music.melody_tokens import METRES, TICKS, beat
from studio.tasks.music.notation import Sign
from studio.tasks.music.performance import Melody

_UNIT = TICKS // 2
"""Steps of an eighth, the unit of length."""
_LETTERS = "CDEFGAB"
_NATURAL = (0, 2, 4, 5, 7, 9, 11)
_SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_BARS_A_LINE = 4
_LONGEST_TITLE = 100
_PLAIN = {"%": "％", "\\": "＼", "&": "＆"}
"""Signs that begin something in a title, as letters that do not: programs differ in how they would be escaped."""


def write(melody: Melody, title: str = "") -> str:
    """The tune as it is played: header, then its bars, a part that is played twice between repeat signs.

    Every bar is whole. An upbeat stands at the end of the bar before it, which is where it sounds; where a part ends
    differently the second time, it has two endings.
    """
    key = melody.name.replace("♯", "#").replace("♭", "b")
    mode = {"major": "", "minor": "m", "dorian": "dor", "mixolydian": "mix"}[melody.mode]
    pulse = Fraction(beat(melody.metre), 4 * TICKS)
    head = [
        "X:1", f"T:{_title(title) or melody.kind.title()}", f"M:{melody.metre}", "L:1/8",
        f"Q:{pulse}={round(melody.tempo)}", *([f"R:{melody.kind}"] if melody.kind != "tune" else []), f"K:{key}{mode}",
    ]  # fmt: skip
    early, lines = _music(melody)
    first, *rest = lines
    begin = "" if not early else f"{early} " if first.startswith("|:") else f"{early} | "
    return "\n".join([*head, begin + first, *rest]) + "\n"


def _title(title: str) -> str:
    """One line without signs that mean something to programs."""
    shown = "".join(" " if unicodedata.category(sign)[0] in "CZ" else _PLAIN.get(sign, sign) for sign in title)
    return " ".join(shown.split())[:_LONGEST_TITLE].rstrip()


def _music(melody: Melody) -> tuple[str, list[str]]:
    """The bar of the upbeat, if there is one, and the lines behind it."""
    line, length = melody.line, METRES[melody.metre]
    chords = melody.chords or harmony.harmonise(line.bars, melody.metre, melody.mode)
    per_bar = harmony.slots(melody.metre)
    pen, span = _Pen(melody), length // per_bar
    early, *own = notation.bars(line, length) if line.upbeat else [[], *notation.bars(line, length)]
    before = pen.bar(early, [], span) if early else ""
    bars = [pen.bar(signs, chords[number * per_bar :][:per_bar], span) for number, signs in enumerate(own)]
    ends = [*line.starts[1:], len(bars)]
    turns = [bars[start:end] for start, end in zip(line.starts, ends, strict=True)]
    return before, list(_parts(turns, melody.form.order))


def _parts(turns: Sequence[Sequence[str]], order: Sequence[int]) -> Iterator[str]:
    """Line by line.

    Args:
        turns: the bars of each part in the order that they are played, `order`.
    """
    place = 0
    while place < len(turns):
        first, second = turns[place], turns[place + 1] if place + 1 < len(turns) else []
        again = place + 1 < len(turns) and order[place] == order[place + 1]
        same = _alike(first, second) if again else 0
        if again and 2 * same >= len(first) and not first[-1].endswith("-"):
            yield from _repeated(first, second, same)
        else:
            yield from _rows(first, "", " ||")
            again = False
        place += 2 if again else 1


def _alike(first: Sequence[str], second: Sequence[str]) -> int:
    """How many bars they begin with in common; no note is tied over the end of them."""
    same = next((at for at, (a, b) in enumerate(zip(first, second, strict=True)) if a != b), len(first))
    while same and first[same - 1].endswith("-"):
        same -= 1
    return same


def _repeated(first: Sequence[str], second: Sequence[str], same: int) -> Iterator[str]:
    """A part that is played twice, with two endings from where they differ."""
    if same == len(first):
        yield from _rows(first, "|: ", " :|")
        return
    rows = list(_rows(first[:same], "|: ", " "))
    yield from rows[:-1]
    yield f"{rows[-1]}|1 {' | '.join(first[same:])} :|2 {' | '.join(second[same:])} ||"


def _rows(bars: Sequence[str], begin: str, end: str) -> Iterator[str]:
    """Some bars a line."""
    for first in range(0, len(bars), _BARS_A_LINE):
        last = first + _BARS_A_LINE >= len(bars)
        yield (begin if first == 0 else "") + " | ".join(bars[first:][:_BARS_A_LINE]) + (end if last else " |")


class _Pen:
    """Writes bars; knows the signature, and within a bar which signs already hold."""

    def __init__(self, melody: Melody) -> None:
        self._tonic, self._beat = melody.tonic, beat(melody.metre)
        self._fifths = fifths(melody.name, melody.mode)
        self._tied, self._shown = False, ""
        order = "FCGDAEB" if self._fifths > 0 else "BEADGCF"
        self._signature = {
            letter: (1 if self._fifths > 0 else -1) * (letter in order[: abs(self._fifths)]) for letter in _LETTERS
        }

    def bar(self, notes: Sequence[Sign], chords: Sequence[Chord], span: int) -> str:
        """One bar: notes within a beat stand together, a chord above the note at which it changes."""
        signs: dict[tuple[str, int | None], int] = {(letter, None): sign for letter, sign in self._signature.items()}
        changes = {
            number * span: chord for number, chord in enumerate(chords) if not number or chords[number - 1] != chord
        }
        out: list[str] = []
        inside = 0  # signs of a triplet that follow: it is not taken apart
        for place, note in enumerate(notes):
            due = [changes.pop(when) for when in sorted(changes) if when <= note.at]
            chord = f'"{self._chord(due[-1])}"' if due else ""
            gap = " " if out and not inside and note.at % self._beat == 0 else ""
            group = _group(notes[place : place + note.group])
            inside = note.group - 1 if note.group else max(0, inside - 1)
            pitch = "z" if note.pitch is None else self._pitch(note.pitch, signs)
            self._tied = note.tied
            length = note.length * (Fraction(3, 2) if note.third else 1)
            out.append(f"{gap}{chord}{group}{pitch}{_times(Fraction(length))}{'-' if note.tied else ''}")
        return "".join(out)

    def _pitch(self, pitch: int, signs: dict[tuple[str, int | None], int]) -> str:
        """A pitch, with its sign unless it is the signature's and all readers know that it holds again.

        What goes on from the note before has the sign that this one had: else some do not take them for the same.

        Args:
            signs: that hold in this bar: some programs keep one for its octave, others for the letter (under None),
                and others keep none.
        """
        octave, letter, sign = self._spelled(pitch)
        known = self._signature[letter], signs[letter, None], signs.get((letter, octave), self._signature[letter])
        signs[letter, None] = signs[letter, octave] = sign
        self._shown = self._shown if self._tied else "" if set(known) == {sign} else _SIGNS[sign]
        return self._shown + (letter + "," * -octave if octave <= 0 else letter.lower() + "'" * (octave - 1))

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


def _group(signs: Sequence[Sign]) -> str:
    """The mark before a triplet; nothing before other notes."""
    return "" if not signs else "(3" if len(signs) == 3 else f"(3:2:{len(signs)}"


def _times(length: Fraction) -> str:
    """A length in eighths as ABC writes it: nothing for one, 2, /2, 3/2."""
    share = length / _UNIT
    return ("" if share.numerator == 1 else str(share.numerator)) + (
        "" if share.denominator == 1 else f"/{share.denominator}"
    )
