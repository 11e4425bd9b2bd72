"""Chords under a melody: the likeliest way through the chords of its mode, by dynamic programming.

A chord is liked for the melody notes that it holds, weighed by how long they last and where they fall, and for how it
follows the chord before. Phrases of four bars end on a chord of rest, the last one on the tonic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.tasks.music.melody_tokens import METRES, Note, beat

_SHAPES = {
    "": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "dim": (0, 3, 6), "maj7": (0, 4, 7, 11), "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "sus4": (0, 5, 7), "5": (0, 7),
}  # fmt: skip
SHAPES = tuple(_SHAPES)


@dataclass(frozen=True)
class Chord:
    """`root`: semitones above the tonic, 0..11. `shape`: one of SHAPES, as chord symbols write it."""

    root: int
    shape: str = ""

    @property
    def tones(self) -> tuple[int, ...]:
        """Semitones above the tonic, from the root up; not reduced to an octave."""
        return tuple(self.root + step for step in _SHAPES[self.shape])


# What each mode has, and for each of its chords the ones that follow it gladly, best first.
_WAYS: dict[str, dict[str, tuple[Chord, str]]] = {
    "major": {
        "I": (Chord(0), "V IV vi ii V7"), "ii": (Chord(2, "m"), "V V7 IV I"), "iii": (Chord(4, "m"), "vi IV"),
        "IV": (Chord(5), "I V V7 ii"), "V": (Chord(7), "I vi V7 IV"), "V7": (Chord(7, "7"), "I vi"),
        "vi": (Chord(9, "m"), "IV ii V I"),
    },
    "minor": {
        "i": (Chord(0, "m"), "V VII iv VI III"), "III": (Chord(3), "VI VII i iv"), "iv": (Chord(5, "m"), "i V VII"),
        "v": (Chord(7, "m"), "i VI"), "V": (Chord(7), "i VI"), "VI": (Chord(8), "VII iv III V i"),
        "VII": (Chord(10), "i III VI"),
    },
    "dorian": {
        "i": (Chord(0, "m"), "VII IV III v"), "III": (Chord(3), "VII i IV"), "IV": (Chord(5), "i VII"),
        "v": (Chord(7, "m"), "i VII"), "VII": (Chord(10), "i III IV"),
    },
    "mixolydian": {
        "I": (Chord(0), "VII IV v"), "ii": (Chord(2, "m"), "VII I"), "IV": (Chord(5), "I VII"),
        "v": (Chord(7, "m"), "I VII"), "VII": (Chord(10), "I IV"),
    },
}  # fmt: skip
_STAY, _STRANGE, _REST = 0.25, -1.2, 1.5
_REPLY = {"major": ("I", "V", "V7"), "minor": ("i", "V", "VII"), "dorian": ("i", "VII"), "mixolydian": ("I", "VII")}
"""The chords on which a phrase may rest, the tonic first."""


def slots(metre: str) -> int:
    """How many chords a bar may have."""
    return {"4/4": 2, "6/8": 2, "9/8": 3}.get(metre, 1)


def harmonise(bars: Sequence[Sequence[Note]], metre: str, mode: str) -> list[Chord]:
    """`slots(metre)` chords for every bar; equal neighbours are one chord that goes on."""
    ways, per_bar = _WAYS[mode], slots(metre)
    heard = [weights for bar in bars for weights in _heard(bar, metre, per_bar)]
    names = list(ways)
    # another chord than the tonic begins only where the melody insists on it
    best = {name: (0.0 if name == names[0] else -1.5) for name in names}
    came: list[dict[str, str]] = []
    for place, weights in enumerate(heard):
        bonus = _bonus(place, per_bar, len(bars), mode)
        now, back = {}, {}
        for name in names:
            before = max(names, key=lambda other: best[other] + _step(ways, other, name, place % per_bar == 0))
            back[name] = before
            fit = _fit(ways[name][0], weights) + bonus.get(name, 0.0)
            now[name] = best[before] + _step(ways, before, name, place % per_bar == 0) + fit
        best = now
        came.append(back)
    if not came:
        return []
    path = [max(names, key=lambda name: best[name])]
    for back in reversed(came[1:]):  # what came before the first place is no chord of the piece
        path.append(back[path[-1]])
    return [ways[name][0] for name in reversed(path)]


def _heard(bar: Sequence[Note], metre: str, per_bar: int) -> list[dict[int, float]]:
    """For each slot how much of each pitch class is heard: steps, doubled on the beat."""
    span = METRES[metre] // per_bar
    found: list[dict[int, float]] = [{} for _ in range(per_bar)]
    at, sounding = 0, None
    for note in bar:
        sounding = sounding if note.held else note.pitch
        if sounding is not None and at < METRES[metre]:
            # a long note counts in every slot that it reaches into, with the part that lies there
            for slot in range(at // span, min(per_bar, -(-(at + note.length) // span))):
                share = min(at + note.length, (slot + 1) * span) - max(at, slot * span)
                weight = share * (2.0 if at % beat(metre) == 0 else 1.0)
                key = sounding % 12
                found[slot][key] = found[slot].get(key, 0.0) + weight / span
        at += note.length
    return found


def fit(bars: Sequence[Sequence[Note]], chords: Sequence[Chord], metre: str) -> float:
    """How well chords, `slots(metre)` a bar, hold the notes of some bars."""
    heard = [weights for bar in bars for weights in _heard(bar, metre, slots(metre))]
    return sum(_fit(chord, weights) for chord, weights in zip(chords, heard, strict=False))


def _fit(chord: Chord, weights: dict[int, float]) -> float:
    inside = {tone % 12 for tone in chord.tones}
    # melodies pass through notes of no chord, so a strange note takes away less than one that fits gives
    return sum(weight if pitch in inside else -0.8 * weight for pitch, weight in weights.items())


def _step(ways: dict[str, tuple[Chord, str]], before: str, after: str, new_bar: bool) -> float:
    """How gladly one chord follows another; within a bar it would rather stay."""
    if before == after:
        return _STAY if new_bar else 3 * _STAY
    liked = ways[before][1].split()
    change = 0.0 if new_bar else -_STAY
    return change + (0.4 - 0.12 * liked.index(after) if after in liked else _STRANGE)


def _bonus(place: int, per_bar: int, bars: int, mode: str) -> dict[str, float]:
    """What the form asks for at this place: a rest at the end of each fourth bar, the tonic at the very end."""
    bar, slot = divmod(place, per_bar)
    tonic, *others = _REPLY[mode]
    if bar == bars - 1:
        return {tonic: 2 * _REST} if slot == per_bar - 1 else dict.fromkeys((tonic, others[0]), _REST / 2)
    if bar % 4 == 3 and slot == per_bar - 1:
        return dict.fromkeys(_REPLY[mode], _REST / 2)
    if bar == bars - 2 and slot == per_bar - 1:  # the chord that leads home, so that the end is heard coming
        return {others[0]: _REST / 2}
    return {}
