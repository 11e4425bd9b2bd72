"""A melody cut into bars and into lengths that notation has a sign for: tied where it needs several, in triplets.

A length is a plain one (a note, or one with a dot: 3, 6, 9, 12, 18 … steps) or two thirds of one, in a group that is
played three in the time of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from studio.tasks.music.form import Line

_PLAIN = (96, 72, 48, 36, 24, 18, 12, 9, 6, 3)
_THIRDS = (16, 8, 4, 2, 1)
"""Lengths that notation has only as two thirds of another one."""


@dataclass(frozen=True)
class Sign:
    """A note or rest as it is written.

    Attributes:
        at: steps from the bar line.
        pitch: semitones above the tonic; None is a rest.
        length: steps that it sounds.
        tied: goes on in the next sign.
        group: of how many signs a triplet has that begins here; 0 elsewhere.
        third: belongs to a triplet, and is written half as long again as it sounds.
    """

    at: int
    pitch: int | None
    length: int
    tied: bool
    group: int = 0
    third: bool = False


def bars(line: Line, bar: int) -> list[list[Sign]]:
    """Every bar of a melody from its beginning, that of an upbeat too, each filled to its end.

    Args:
        bar: steps of one.
    """
    count = len(line.bars) + line.upbeat // bar
    found: list[list[Sign]] = [[] for _ in range(count)]
    now = 0
    for start, length, pitch in line.notes:
        _put(found, now, start, None, bar)
        _put(found, start, start + length, pitch, bar)
        now = start + length
    _put(found, now, count * bar, None, bar)
    return [list(_grouped(signs)) for signs in found]


def _put(found: list[list[Sign]], start: int, end: int, pitch: int | None, bar: int) -> None:
    """One note or rest, cut at bar lines and into lengths that can be written."""
    while start < end:
        number, at = divmod(start, bar)
        length = _sign(at, min(end, (number + 1) * bar) - start)
        start += length
        tied = pitch is not None and start < end
        found[number].append(Sign(at, pitch, length, tied, third=length % 3 > 0))


def _sign(at: int, room: int) -> int:
    """The length of the next sign of a note that still lasts so long."""
    if room in _THIRDS:
        return room
    off = at % 3  # inside a triplet: first come back to where plain lengths begin
    if off and (fits := [third for third in _THIRDS if third <= room and (third + off) % 3 == 0]):
        return fits[0]
    plain = room - room % 3
    return next((length for length in _PLAIN if length <= plain), _THIRDS[-1])


def _grouped(signs: Sequence[Sign]) -> Iterator[Sign]:
    """The same signs with the triplets marked: a group ends where its sounds fill plain lengths, or where it must."""
    at = 0
    while at < len(signs):
        end, sounds = at, 0
        while end < len(signs) and signs[end].third and (end == at or sounds % 3):
            sounds += signs[end].length
            end += 1
        yield from _triplets(signs[at:end]) if end > at else signs[at : at + 1]
        at = max(end, at + 1)


def _triplets(signs: Sequence[Sign]) -> Iterator[Sign]:
    """Groups of three equal signs, longer ones tied: of uneven groups readers differ in how long the last one is."""
    sounds = sum(sign.length for sign in signs)
    unit = next((one for one in _THIRDS if not sounds % (3 * one) and not any(s.length % one for s in signs)), 0)
    if not unit:  # it was broken off
        yield from (replace(sign, group=1) for sign in signs)
        return
    single = [
        replace(sign, at=sign.at + place, length=unit, tied=sign.tied or (sign.pitch is not None and not last))
        for sign in signs
        for place in range(0, sign.length, unit)
        for last in [place + unit == sign.length]
    ]
    owners = [number for number, sign in enumerate(signs) for _ in range(sign.length // unit)]
    for first in range(0, len(single), 3):
        three = single[first : first + 3]
        if len(set(owners[first : first + 3])) == 1:
            yield replace(three[0], length=3 * unit, tied=three[-1].tied, third=False)
        else:
            yield replace(three[0], group=3)
            yield from three[1:]
