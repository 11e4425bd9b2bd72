"""Tempo and bars: what was said, what a length comes to, and what has to give way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from studio.requests import MusicRequest
from studio.tasks.music.melody_tokens import METRES, beat
from studio.tasks.music.prompt_numbers import FASTEST, MOST_BARS, RING, SLOWEST, Change, plain

_USUAL = 16
"""Bars where nothing says how long."""


@dataclass(frozen=True)
class Times:
    """What is known of a piece's time.

    Attributes:
        tempo: beats a minute; `exact` where somebody named it.
        tempos: the slowest and fastest that suit the style, for one that nobody named; empty for any.
        bars, seconds: what was asked for, or None.
        longest: seconds that the model can make, or None.
        loop: it has no end in which anything rings on.
    """

    metre: str
    tempo: float
    exact: bool
    tempos: tuple[float, ...] = ()
    bars: int | None = None
    seconds: float | None = None
    longest: float | None = None
    loop: bool = False


def settle(times: Times) -> tuple[float, int, float, list[Change]]:
    """Tempo, bars, seconds in which the last chord rings on, and what of the asked was changed.

    Seconds give whole bars, whole phrases where there is room, and hold what rings on as well. A tempo that nobody
    named gives way; one that was named leaves the end more or less time to ring.
    """
    told: list[Change] = []
    tempo, seconds = times.tempo, times.seconds
    if not times.exact and times.tempos:
        tempo = min(times.tempos[-1], max(times.tempos[0], tempo))
    if times.bars:
        bars = min(MOST_BARS, max(1, times.bars))
    elif seconds:
        if times.longest is not None and seconds > times.longest:
            told.append(("seconds_cut", {"asked": plain(seconds), "played": plain(times.longest)}))
            seconds = times.longest
        tempo, bars = _filled(times, tempo, seconds)
    else:
        bars = _USUAL
    bar = _bar(times.metre, tempo)
    if times.longest is not None and bars * bar > times.longest + 1e-6:
        # the millionth: bars that fit exactly must not be lost to rounding, here and below
        fits = max(1, math.floor(times.longest / bar + 1e-6))
        told.append(("bars_fit", {"asked": bars, "played": fits, "seconds": plain(times.longest)}))
        bars = fits
    ending = 0.0 if times.loop else RING
    if seconds and not times.bars:
        left = seconds - bars * bar
        # what is left of the asked seconds rings, a bar longer than usual at most; beyond that the piece is shorter
        if not times.loop and -1e-6 <= left <= bar + RING:
            ending = max(0.0, left)
        length = bars * bar + ending
        if abs(length - seconds) > 0.01 * seconds + 0.05:
            told.append(("seconds_near", {"asked": plain(seconds), "played": plain(round(length, 1))}))
    return tempo, bars, ending, told


def _filled(times: Times, tempo: float, seconds: float) -> tuple[float, int]:
    bar = _bar(times.metre, tempo)
    if times.exact:
        # a loop takes the nearest number; another piece the lower one, since what is left over can ring
        bars = round(seconds / bar) if times.loop else int(seconds / bar + 1e-6)
        return tempo, min(MOST_BARS, max(1, bars))
    # room for the last chord to ring, but not most of a very short piece
    seconds -= 0.0 if times.loop else min(RING, seconds / 4)
    wanted = seconds / bar
    low, high = (times.tempos[0], times.tempos[-1]) if times.tempos else (SLOWEST, FASTEST)
    for bars in _round_bars(wanted):
        free = tempo * bars * bar / seconds  # the tempo at which so many bars last exactly that long
        if bars <= MOST_BARS and low <= free <= high:
            return free, bars
    bars = min(MOST_BARS, max(1, round(wanted)))
    return min(FASTEST, max(SLOWEST, tempo * bars * bar / seconds)), bars


def _round_bars(wanted: float) -> Iterator[int]:
    """Whole phrases near to a number of bars: eights if that is near enough, then fours, then twos, then any."""
    for unit in (8, 4, 2):
        near = max(unit, unit * round(wanted / unit))
        if abs(near - wanted) <= 0.09 * wanted and wanted >= 3.5:
            yield near
    yield max(1, round(wanted))


def _bar(metre: str, tempo: float) -> float:
    """Seconds of a bar."""
    return METRES[metre] / beat(metre) * 60 / tempo


def lasting(request: MusicRequest) -> float | None:
    """Seconds of a piece whose bars and tempo are asked for; its metre is 4/4 where none is. None for any other."""
    if not request.bars or not request.tempo:
        return None
    return request.bars * _bar(request.metre or "4/4", request.tempo)
