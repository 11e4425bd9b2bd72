"""The tunes that the composer learns from, in its own notes and parts: three old prints of dances, marches and airs.

music21 carries transcriptions of them in ABC and reads them. A tune whose bars do not add up is left out.
"""

# music21 builds its objects at run time:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from studio.tasks.music.melody_tokens import METRES, TICKS, Note, Part

_MIDDLE_C = 60
LONGEST = 16
"""Bars of a part. A longer one without a mark is cut every eight bars."""
_MODES = {"major": "major", "minor": "minor", "ionian": "major", "aeolian": "minor", "dorian": "dorian",
          "mixolydian": "mixolydian"}  # fmt: skip
_EVEN = ("reel", "hornpipe", "strathspey")
"""Kinds in four that some printers wrote in two, with notes half as long."""
_ONEILL = ((700, "air"), (1115, "jig"), (1175, "slip jig"), (1555, "reel"), (1780, "hornpipe"), (1850, ""))
"""The numbers up to which a kind goes in O'Neill's "Music of Ireland", for tunes that do not say theirs."""
_WORDS = {
    "strathspey": "strathspey", "fling": "strathspey", "clog": "hornpipe", "hornpipe": "hornpipe", "reel": "reel",
    "slip jig": "slip jig", "slipjig": "slip jig", "jig": "jig", "giga": "jig", "quick step": "march",
    "quickstep": "march", "troop": "march", "march": "march", "minuet": "minuet", "waltz": "waltz", "song": "air",
    "lament": "air", "air": "air",
}  # fmt: skip
_BARS = {"jig": ("6/8",), "slip jig": ("9/8",), "reel": ("4/4",), "hornpipe": ("4/4",), "strathspey": ("4/4",),
         "march": ("4/4", "2/4", "6/8"), "minuet": ("3/4",), "waltz": ("3/4",),
         "air": ("4/4", "3/4", "2/4", "6/8")}  # fmt: skip


@dataclass(frozen=True)
class Tune:
    """A tune that adds up. `metre` is one of METRES."""

    collection: str
    title: str
    kind: str
    metre: str
    mode: str
    parts: tuple[Part, ...]


def read(folder: Path) -> Iterator[Tune]:
    """Every usable tune below music21's corpus folder, in a fixed order."""
    from music21 import converter  # pyright: ignore[reportMissingImports]  # only training needs it

    for collection in ("ryansMammoth", "oneills1850", "airdsAirs"):
        for file in sorted((folder / collection).glob("*.abc")):
            found: Any = converter.parse(file, format="abc", forceSource=True)
            for number, score in enumerate(getattr(found, "scores", None) or [found]):
                text = file.read_text(encoding="utf-8", errors="replace")
                headers = re.split(r"(?m)^X:", text)[1:]
                header = headers[number] if number < len(headers) else ""
                if (tune := _tune(collection, header, score)) is not None:
                    yield tune


def _tune(collection: str, header: str, score: Any) -> Tune | None:
    measures = list(score.parts[0].getElementsByClass("Measure")) if score.parts else []
    if len(measures) < 4:
        return None
    meters = {m.timeSignature.ratioString for m in measures if m.timeSignature is not None}
    keys = {(k.tonic.pitchClass, k.mode) for m in measures for k in m.getElementsByClass("Key")}
    if len(meters) != 1 or len(keys) != 1:
        return None  # a tune that changes its metre or key says too little of either
    metre, (tonic, mode) = {"2/2": "4/4"}.get(metre := meters.pop(), metre), keys.pop()
    try:
        parts = [part for part in _parts(measures, _length(metre), tonic) if part.bars]
    except ValueError:
        return None
    title = next(iter(re.findall(r"(?m)^T:\s*(.*?)\s*$", header)), "")
    kind = _kind(collection, header, title, metre)
    if kind in _EVEN and metre == "2/4":
        parts, metre = [_twice(part) for part in parts], "4/4"
    if metre == "3/8":
        parts, metre = [_twice(part) for part in parts], "3/4"
    if mode not in _MODES or metre not in METRES or metre not in _BARS.get(kind, (metre,)):
        return None
    parts = [piece for part in parts for piece in _cut(part)]
    if not parts or not all(_adds_up(part, _length(metre)) for part in parts):
        return None
    return Tune(collection, title, kind, metre, _MODES[mode], tuple(parts))


def _kind(collection: str, header: str, title: str, metre: str) -> str:
    """One of the kinds in `_WORDS`, or nothing where neither the header nor the title says it."""
    said = " ".join(re.findall(r"(?m)^R:\s*(.*?)\s*$", header)).lower()
    for text in (said, title.lower()):
        for word, kind in _WORDS.items():
            if re.search(rf"\b{word}\b", text) and metre in (*_BARS[kind], "2/4", "3/8"):
                return kind
    if collection == "oneills1850" and (number := re.match(r"\s*(\d+)", header)):
        return next((kind for last, kind in _ONEILL if int(number[1]) <= last), "")
    if collection == "airdsAirs" and metre == "6/8":
        return "jig"
    return ""


def _length(metre: str) -> int:
    """Steps of a bar, of any metre."""
    count, unit = metre.split("/")
    return TICKS * 4 * int(count) // int(unit)


def _parts(measures: list[Any], length: int, tonic: int) -> Iterator[Part]:
    """The strains between repeat signs and double bars. Of two endings the second is taken: it closes.

    Raises:
        ValueError: a note that no number of steps fits.
    """
    part, first_ending = Part(), False
    for measure in measures:
        left, right = measure.leftBarline, measure.rightBarline
        if left is not None and getattr(left, "direction", "") == "start" and part.bars:
            yield part
            part = Part()
        endings = [spanner.number for spanner in measure.getSpannerSites("RepeatBracket")]
        first_ending = "1" in [str(ending) for ending in endings]
        notes = [] if first_ending else list(_notes(measure, tonic))
        total = sum(note.length for note in notes)
        if not part.bars and not part.upbeat and 0 < total < length / 2 + TICKS / 8:
            part.upbeat = notes
        elif notes:
            part.bars.append(notes)
        closes = right is not None and (getattr(right, "direction", "") == "end" or right.type in ("double", "final"))
        if closes and not first_ending and part.bars:
            yield part
            part = Part()
    if part.bars:
        yield part


def _notes(measure: Any, tonic: int) -> Iterator[Note]:
    for element in measure.notesAndRests:
        length = Fraction(element.quarterLength).limit_denominator(48) * TICKS
        if length <= 0 or element.duration.isGrace:
            continue
        if length.denominator > 1:
            raise ValueError(element.quarterLength)
        held = element.tie is not None and element.tie.type in ("stop", "continue")
        if element.isRest:
            yield Note(None, int(length))
        elif element.isNote or element.isChord:
            highest = max(pitch.midi for pitch in element.pitches)
            yield Note(None if held else highest - _MIDDLE_C - tonic, int(length), held)


def _twice(part: Part) -> Part:
    def slow(notes: list[Note]) -> list[Note]:
        return [Note(note.pitch, note.length * 2, note.held) for note in notes]

    return Part(slow(part.upbeat), [slow(bar) for bar in part.bars])


def _cut(part: Part) -> Iterator[Part]:
    if len(part.bars) <= LONGEST:
        yield part
        return
    for start in range(0, len(part.bars), 8):
        yield Part(part.upbeat if start == 0 else [], part.bars[start : start + 8])


def _adds_up(part: Part, length: int) -> bool:
    """Every bar is full, but for the last, which may leave room for an upbeat."""
    totals = [sum(note.length for note in bar) for bar in part.bars]
    *inner, last = totals
    return len(totals) >= 2 and all(total == length for total in inner) and length / 2 <= last <= length
