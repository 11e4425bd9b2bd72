"""Ranking of melodies: the one that stays in its key, moves well, comes back to itself and comes home is kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from studio.tasks.music.melody_tokens import Note, Part

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10, 11), "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}  # fmt: skip
WIDE = 19
"""Semitones of a melody that a voice or a flute still sings with ease."""


def worth(parts: Sequence[Part], mode: str) -> float:
    """Higher is better; about 0 to 5. A melody without notes has none."""
    bars = [bar for part in parts for bar in part.bars]
    pitches = [note.pitch for bar in bars for note in bar if note.pitch is not None]
    if len(pitches) < 2:
        return float("-inf")
    steps = [abs(after - before) for before, after in pairwise(pitches)]
    in_key = sum(pitch % 12 in SCALES[mode] for pitch in pitches) / len(pitches)
    still = sum(step == 0 for step in steps) / len(steps)
    leaps = sum(step > 9 for step in steps) / len(steps)
    too_wide = max(0, max(pitches) - min(pitches) - WIDE) / 6
    homes = sum(_home(part) for part in parts) / len(parts)
    return 2 * in_key + homes + _returns(bars) - 2 * max(0.0, still - 0.3) - 4 * leaps - too_wide


def _home(part: Part) -> float:
    """1 where a part ends on the tonic, a little where it ends on another note of its chord."""
    last = next((note.pitch for bar in reversed(part.bars) for note in reversed(bar) if note.pitch is not None), 1)
    return {0: 1.0, 7: 0.4, 4: 0.3, 3: 0.3}.get(last % 12, 0.0)


def _returns(bars: Sequence[Sequence[Note]]) -> float:
    """0..1: how near it is to half of the bars having a rhythm, or notes, that were there before."""
    rhythms = [tuple(note.length for note in bar) for bar in bars]
    notes = [tuple((note.pitch, note.length) for note in bar) for bar in bars]
    share = (len(bars) - len(set(rhythms)) + len(bars) - len(set(notes))) / (2 * len(bars))
    return 1 - abs(share - 0.5) * 2
