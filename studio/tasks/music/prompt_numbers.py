"""Numbers of a prompt: tempo, metre, bars and seconds, as people write them, in English and Chinese.

A number that cannot be kept as it stands comes with what it is changed to, so that the person is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from studio.tasks.music.melody_tokens import METRES

SLOWEST, FASTEST = 30.0, 260.0
MOST_BARS = 128
RING = 1.5
"""Seconds in which the last chord rings on where nobody said how long the piece is to be."""
Change = tuple[str, dict[str, Any]]
"""What is played instead of what was asked: the name of a text, and what it tells."""

_N = r"(?<![\d./])\d{1,4}(?:\.\d{1,3}|,\d{1,2}(?!\d)|,\d{3}(?!\d))?"
_V = rf"(?:(?P<low>{_N})\s*(?:bpm\s*)?(?:-|–|—|~|to|and|到|至)\s*)?(?P<one>{_N})"
_UNIT = (
    r"(?:b\.?p\.?m(?![a-z])\.?|beats?\s*(?:per|an?|/)\s*min(?:ute)?s?\b(?:\s*\(?bpm\)?)?"
    r"|拍\s*(?:/|每)\s*分钟?|拍每分钟?)"
)
_TEMPO = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:between\s+)?{_V}(?:-?ish)?\s*-?\s*{_UNIT}",
        rf"(?:(?:{_UNIT}|\btempo|\bspeed|速度|拍速|节拍器?|♩\.?|\bq(?:uarter)?(?:\s+notes?)?(?=\s*=)|\bm\.?m\.?(?=\s*[=\d]))"
        rf"\s*(?:\(bpm\))?\s*(?:[:=≈]|is|of|at|set\s+to|between|around|about|约|为|是|大约|在)?\s*(?:约|大约|around|about|~)?\s*){_V}"
        rf"(?![\d/])(?:\s*{_UNIT})?",
        rf"(?:每|一)分钟\s*{_V}\s*拍",
        rf"{_V}\s*拍(?!子|\s*/)",
        rf"(?:\bat|@)\s*(?:about\s+|around\s+|~)?{_V}(?!\s*(?:[-:/%°\d]|s\b|sec|min|bars?\b|measures?\b|k?hz|am\b|pm\b|db\b|"
        r"th\b|st\b|nd\b|rd\b|degrees|years|miles|km|o'clock|percent))(?![\w.])",
    )
)
_METRE = re.compile(
    r"(?<![\d/.:])([2-9]|1\d|2[01])\s*/\s*(2|4|8|16)(?![\d/])(?:[\s-]*(?:time(?:\s+signature)?|metre|meter|beat\b|拍子?|节拍))?"
)
_CUT = re.compile(r"\b(?:cut\s+(?:time|common)|alla\s+breve)\b")
_COMMON = re.compile(r"\bcommon\s+time\b")
_BARS = re.compile(
    r"(?<![\d.])(\d{1,6})[\s-]*(?:bars?|measures?)\b|(?<![\d.])(\d{1,6})\s*个?小节|(?:\bbars|小节数?)\s*[:=]\s*(\d{1,6})"
)
_D = r"(?<![\d.:/])\d{1,5}(?:\.\d{1,3}|,\d{1,2}(?!\d))?"
_SECONDS = tuple(
    (re.compile(pattern), factors)
    for pattern, factors in (
        (rf"({_D})[\s-]*(?:hours?|hrs?)\b|({_D})\s*个?小时", (3600, 3600)),
        (rf"({_D})\s+and\s+a\s+half\s+(?:minutes?|mins?)\b()", (60, 0, 30)),
        (
            rf"({_D})[\s-]*(?:minutes?|mins?|m(?=\s*\d+\s*s))(?![a-z])\s*(?:,|and)?\s*(?:({_D})[\s-]*(?:seconds?|secs?|s)\b)?",
            (60, 1),
        ),
        (r"\ba\s+minute\s+and\s+a\s+half\b()", (0, 90)),
        (r"\b(?:half[\s-]+an?|an?\s+half|half)[\s-]+minute\b()", (0, 30)),
        (r"\b(?:a|one)[\s-]+minute\b()(?!\s+(?:walk|from|ago))", (0, 60)),
        (rf"({_D})\s*分钟?半钟?()", (60, 0, 30)),
        (r"半分钟()", (0, 30)),
        (rf"({_D})\s*分(?:钟\s*(?:({_D})\s*秒)?|\s*({_D})\s*秒)", (60, 1, 1)),
        (r"(?<![\d:.])(\d{1,2}):([0-5]\d)(?![\d:])(?!\s*[ap]\.?m)(?:\s*(?:min(?:ute)?s?|long)\b)?", (60, 1)),
        (r"(?<![\d'])(\d{1,2})\s*['′]\s*([0-5]\d)\s*(?:\"|″|'')", (60, 1)),
        (rf"(?<!')({_D})[\s-]*(?:seconds?|secs?|s)\b|({_D})\s*秒钟?", (1, 1)),
    )
)
_DECADE = re.compile(
    r"(?<![\d.])(?P<before>(?:\b(?:the|early|late|mid)[\s-]*|')?)(?P<century>19|20)?(?P<year>[1-9]0)'?s\b"
)
_PERIOD = re.compile(r"[\s-]*(?:music|style|era|vibes?|feel|inspired|hits?|retro|sound|nostalgia|throwback)\b")
_OLD = re.compile(r"[\s-]*(?:jazz|swing|big band|charleston|ragtime|blues|dixieland)\b")


@dataclass(frozen=True)
class Figure:
    """A number: which one, its value, its place, its words, and what had to be changed."""

    name: str
    value: Any
    start: int
    end: int
    words: str
    change: Change | None = None


def find_figures(text: str, styled: Callable[[int], bool]) -> list[Figure]:
    """All such numbers in a text of small letters, in the order of the text.

    Args:
        styled: whether the name of a style stands at a place: "90s ambient" is a decade, "90s, ambient" a length.
    """
    decades = list(_decades(text, styled))
    found: list[Figure] = []
    for figure in (*_tempos(text), *_metres(text), *_bars(text), *_lengths(text)):
        taken = (*decades, *((one.start, one.end) for one in found))
        if not any(figure.start < end and start < figure.end for start, end in taken):
            found.append(figure)
    return sorted(found, key=lambda one: one.start)


def plain(number: float) -> str:
    """A number as people write it, with at most two decimals."""
    return f"{round(number, 2):g}" if abs(number) < 1e5 else f"{number:.0f}"


def _value(text: str) -> float:
    if re.fullmatch(r"\d{1,4},\d{3}", text):
        return float(text.replace(",", ""))
    return float(text.replace(",", "."))


def _tempos(text: str) -> Iterator[Figure]:
    for place, pattern in enumerate(_TEMPO):
        for match in pattern.finditer(text):
            one, low = _value(match["one"]), _value(match["low"]) if match["low"] else None
            if place >= 3 and not 40 <= one <= 300:
                continue  # "at 5", 三拍: no tempo without its unit
            asked, change = one, None
            if low is not None and low < one:
                asked = (low + one) / 2
                change = ("tempo_range", {"low": plain(low), "high": plain(one), "played": plain(asked)})
            kept = min(FASTEST, max(SLOWEST, asked))
            if kept != asked:
                change = ("tempo_cut", {"asked": plain(asked), "played": plain(kept)})
            yield Figure("tempo", kept, match.start(), match.end(), match[0].strip(), change)


def _metres(text: str) -> Iterator[Figure]:
    for match in _METRE.finditer(text):
        asked = f"{match[1]}/{match[2]}"
        yield _metre(asked, match)
    for match in _CUT.finditer(text):
        yield _metre("2/2", match)
    for match in _COMMON.finditer(text):
        yield _metre("4/4", match)


def _metre(asked: str, match: re.Match[str]) -> Figure:
    metre = asked if asked in METRES else nearest(asked)
    change = None if metre == asked else ("metre_played", {"asked": asked, "played": metre})
    return Figure("metre", metre, match.start(), match.end(), match[0].strip(), change)


def nearest(metre: str) -> str:
    """The metre that the composer knows with the same pulse, or with nearly as many beats.

    Three beats stay three, compound ones compound, even ones even; five and seven become four, the commonest.
    """
    count, unit = map(int, metre.split("/"))
    if count == 3:
        return "3/4"
    if count % 3 == 0 and count > 3:
        return "9/8" if count in (9, 18) else "6/8"
    if count == 2:
        return "4/4" if unit == 2 else "2/4"
    return "4/4"


def _bars(text: str) -> Iterator[Figure]:
    for match in _BARS.finditer(text):
        asked = int(next(filter(None, match.groups())))
        if asked == 12 and re.match(r"[\s-]*blues\b", text[match.end() :]):
            continue  # the name of a form, not of a length
        kept = min(MOST_BARS, max(1, asked))
        change = None if kept == asked else ("bars_cut", {"asked": asked, "played": kept})
        yield Figure("bars", kept, match.start(), match.end(), match[0].strip(), change)


def _lengths(text: str) -> Iterator[Figure]:
    for pattern, factors in _SECONDS:
        for match in pattern.finditer(text):
            groups = (*match.groups(), *("1" for _ in range(len(factors) - len(match.groups()))))
            if not match.groups() or (not any(match.groups()) and len(factors) == 2 and factors[0] == 0):
                groups = ("0", "1")
            seconds = sum(_value(part) * factor for part, factor in zip(groups, factors, strict=True) if part)
            if seconds > 0:
                yield Figure("seconds", seconds, match.start(), match.end(), match[0].strip())


def _decades(text: str, styled: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    """ "90s music", "the 80s", 1980s: times that style a piece, and no lengths."""
    for match in _DECADE.finditer(text):
        year, after = int(match["year"]), match.end()
        next_word = after + len(text[after:]) - len(text[after:].lstrip(" -"))
        styles = year >= 50 and styled(next_word) and not re.search(r"\bloop", text[after:])
        if match["before"] or match["century"] or _PERIOD.match(text, after) or _OLD.match(text, after) or styles:
            yield match.span()
