"""Chords that a style brings along: numerals read, laid under the parts of a form, and kept in a recipe.

Where a style has none, the chords follow from the melody (studio.tasks.music.harmony).
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache

from studio.tasks.music import harmony
from studio.tasks.music.brief import Brief, genres
from studio.tasks.music.form import Form
from studio.tasks.music.harmony import SHAPES, Chord
from studio.tasks.music.melody_tokens import Part

_NUMERAL = re.compile(
    r"(?P<sign>[b#]?)(?P<degree>VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(?P<shape>maj7|7|6|sus4|5|ø|°)?"
)
_DEGREES = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_SMALL = {"": "m", "7": "m7", "6": "m6", "ø": "m7b5", "°": "dim", "5": "5", "sus4": "sus4", "maj7": "m7"}
_LARGE = {"": "", "7": "7", "6": "6", "maj7": "maj7", "5": "5", "sus4": "sus4", "ø": "m7b5", "°": "dim"}
_NEAR = {"major": "mixolydian", "mixolydian": "major", "minor": "dorian", "dorian": "minor"}
"""The mode with the same third, for a style that has no chords in one."""


@cache
def chord(numeral: str) -> Chord:
    """A chord by its numeral, counted from the major scale: "bVII7", "ii7", "Imaj7".

    Raises:
        ValueError: it is none.
    """
    match = _NUMERAL.fullmatch(numeral)
    if match is None:
        raise ValueError(f"no chord: {numeral}")
    degree, shape = match["degree"], match["shape"] or ""
    root = _DEGREES[degree.lower()] + {"b": -1, "#": 1, "": 0}[match["sign"]]
    return Chord(root % 12, (_SMALL if degree.islower() else _LARGE)[shape])


def lay(brief: Brief, form: Form, seed: int, given: Sequence[Part] = ()) -> list[list[Chord]]:
    """Chords for each part of a form, `harmony.slots` a bar; nothing where the style brings none.

    The part that comes last ends on the tonic, unless the piece is to begin again. A second part has another
    progression than the first, if there is one.

    Args:
        given: parts, or their beginnings, that are composed already: for them the progression that fits is taken.
    """
    lines = _lines(brief)
    if not lines:
        return []
    chance, per_bar = random.Random(seed), harmony.slots(brief.metre)
    starts = _starts(form)
    out: list[list[Chord]] = []
    first = chance.randrange(len(lines))
    for index, length in enumerate(form.lengths):
        line = lines[(first + index) % len(lines)]
        if index < len(given) and any(given[index].bars):
            bars = [bar for bar in given[index].bars if bar]
            line = max(
                lines, key=lambda one: harmony.fit(bars, _part(one, starts[index], length, per_bar), brief.metre)
            )
        out.append(_part(line, starts[index], length, per_bar))
    last = form.order[-1]
    if not brief.loop:
        home = min((chord(name) for bar in lines[0] for name in bar), key=lambda one: (one.root != 0, one.root))
        out[last][-per_bar:] = [
            home if home.root == 0 else Chord(0, "m" if brief.mode in ("minor", "dorian") else "")
        ] * per_bar
    return out


def unfold(parts: Sequence[Sequence[Chord]], form: Form) -> list[Chord]:
    """The chords of a whole piece, in the order in which its parts are played."""
    return [one for index in form.order for one in parts[index]]


def write_chords(chords: Sequence[Chord], metre: str) -> str:
    """Chords as a recipe keeps them: semitones above the tonic and shape; a space between bars, a comma within."""
    per_bar = harmony.slots(metre)
    words = [f"{one.root}{one.shape and ':' + one.shape}" for one in chords]
    return " ".join(",".join(words[at : at + per_bar]) for at in range(0, len(words), per_bar))


def read_chords(text: str, metre: str, bars: int) -> tuple[Chord, ...]:
    """What `write_chords` wrote; nothing where it is not that, or of another length."""
    found: list[Chord] = []
    for word in re.split(r"[ ,]", text):
        root, _, shape = word.partition(":")
        if not root.isdecimal() or len(root) > 2 or int(root) > 11 or shape not in SHAPES:
            return ()
        found.append(Chord(int(root), shape))
    return tuple(found) if len(found) == bars * harmony.slots(metre) else ()


def _lines(brief: Brief) -> list[list[list[str]]]:
    """The progressions of a style in this mode: bars of one or two numerals."""
    table = genres()[brief.genre].chords if brief.genre else {}
    lines = table.get(brief.mode) or table.get(_NEAR[brief.mode]) or []
    return [[bar.split(",") for bar in line.split()] for line in lines]


def _starts(form: Form) -> list[int]:
    """At which bar of the piece each part is heard first."""
    starts: dict[int, int] = {}
    at = 0
    for index in form.order:
        starts.setdefault(index, at)
        at += form.lengths[index]
    return [starts[index] for index in range(len(form.lengths))]


def _part(line: Sequence[Sequence[str]], start: int, length: int, per_bar: int) -> list[Chord]:
    """The chords of a part. A progression longer than a part goes on in the next one: twelve bars of blues."""
    offset = start if len(line) > 8 else 0
    out: list[Chord] = []
    for number in range(length):
        bar = line[(offset + number) % len(line)]
        out += [chord(bar[slot * len(bar) // per_bar]) for slot in range(per_bar)]
    return out
