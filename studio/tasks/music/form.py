"""Form: how long the parts of a piece are, in which order they come, and the melody that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.tasks.music.melody_tokens import METRES, Note, Part

_ORDERS = ("A", "AB", "AAB", "AABB", "AABBA", "AABBCC", "AABBCCA", "AABBAABB")
"""By the number of eight-bar parts, from one on."""


@dataclass(frozen=True)
class Form:
    """`lengths`: bars of each part that has to be composed. `order`: which of them come one after the other."""

    lengths: tuple[int, ...]
    order: tuple[int, ...]


def plan(bars: int) -> Form:
    """The form of a piece of so many bars: parts of eight, the usual repeats, and what is left over at the end."""
    whole, rest = divmod(bars, 8)
    if bars <= 9:
        return Form((bars,), (0,))
    letters = "".join(_ORDERS[left - 1] for left in _shares(whole))
    order = [ord(letter) - ord("A") for letter in letters]
    lengths = [8] * (max(order) + 1)
    if rest:
        lengths.append(rest)
        order.append(len(lengths) - 1)
    return Form(tuple(lengths), tuple(order))


def _shares(whole: int) -> list[int]:
    """So many eights, by the number of those that the longest order has."""
    most = len(_ORDERS)
    return [most] * (whole // most) + ([whole % most] if whole % most else [])


@dataclass(frozen=True)
class Line:
    """A melody on one clock.

    Attributes:
        notes: (start, length, pitch) in steps from the beginning, and semitones above the tonic.
        bars: for the harmony, every bar from its line on, as notes.
        upbeat: steps before the first of `bars`: none, or a whole bar with a rest and the upbeat at its end, so that
            every bar line lies where whoever counts bars from the beginning expects it.
        passes: for every part in the order that it is played how often it was heard before.
        starts: the first bar of each of them.
    """

    notes: list[tuple[int, int, int]]
    bars: list[list[Note]]
    upbeat: int
    passes: list[int]
    starts: list[int]


def unfold(parts: Sequence[Part], form: Form, metre: str, loop: bool) -> Line:
    """Put the parts one after the other. An upbeat takes its time from the bar before it.

    In a loop the first upbeat stands at the end of the last bar.
    """
    bar = METRES[metre]
    first = parts[form.order[0]].upbeat
    upbeat = bar if first and not loop else 0
    notes: list[tuple[int, int, int]] = []
    bars: list[list[Note]] = []
    passes, starts, heard = [], [], dict.fromkeys(range(len(parts)), 0)
    at = upbeat
    for place, index in enumerate(form.order):
        part = parts[index]
        begin = _length(part.upbeat)
        if part.upbeat and (place or not loop):
            _clear(notes, at - begin)
            _add(notes, part.upbeat, at - begin)
        passes.append(heard[index])
        heard[index] += 1
        starts.append(len(bars))
        for own in part.bars:
            _add(notes, own, at)
            bars.append(own)
            at += bar
    if loop and first:
        _clear(notes, at - _length(first))
        _add(notes, first, at - _length(first))
    return Line(_linger(notes, at, bar), bars, upbeat, passes, starts)


def _length(notes: Sequence[Note]) -> int:
    return sum(note.length for note in notes)


def _add(line: list[tuple[int, int, int]], notes: Sequence[Note], at: int) -> None:
    for note in notes:
        if note.held and line:
            start, _, pitch = line[-1]
            line[-1] = (start, at + note.length - start, pitch)
        elif note.pitch is not None:
            line.append((at, note.length, note.pitch))
        at += note.length


def _clear(line: list[tuple[int, int, int]], until: int) -> None:
    """Make room: nothing sounds after this moment."""
    while line and line[-1][0] >= until:
        line.pop()
    if line and line[-1][0] + line[-1][1] > until:
        start, _, pitch = line[-1]
        line[-1] = (start, until - start, pitch)


def _linger(line: list[tuple[int, int, int]], end: int, bar: int) -> list[tuple[int, int, int]]:
    """The last note sounds to the end, if it is not further away than a bar."""
    if line and end - sum(line[-1][:2]) < bar:
        start, _, pitch = line[-1]
        line = [*line[:-1], (start, end - start, pitch)]
    return line
