"""From the words of a prompt, English or Chinese, to what a piece is to be.

What is said as a number or a name (key, metre, tempo, bars, seconds) counts as it stands; words are looked up in the
tables of assets/composing. What nobody said is chosen to fit the rest. Words that say nothing to the composer are
named, so that the page can show them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from studio.composing import keys
from studio.composing.brief import Brief, Groove, entries, grooves, idle, instruments
from studio.composing.language import METRES, beat
from studio.composing.numerals import digits
from studio.requests import MusicRequest

SLOWEST, FASTEST = 30.0, 260.0
MOST_BARS = 128
RING = 1.5
"""Seconds in which the last chord rings on where nobody said how long the piece is to be."""
_METRE = re.compile(r"(?<![\d/])([2-9])\s*/\s*(4|8)(?!\d)(?:\s*(?:time|拍子?))?")
_TEMPO = re.compile(
    r"(?:♩|tempo|速度)\s*[=:：]?\s*(\d{2,3})\b|\b(\d{2,3})\s*(?:bpm|beats per minute)|每分钟\s*(\d{2,3})\s*拍"
)
_BARS = re.compile(r"\b(\d{1,3})[\s-]*(?:bars?|measures?)\b|(\d{1,3})\s*(?:个)?小节")
_SECONDS = re.compile(r"\b(\d{1,3}(?:\.\d+)?)[\s-]*(?:seconds?|secs?|s)\b|(\d{1,3}(?:\.\d+)?)\s*秒")
_LOOP = re.compile(r"\b(?:seamless(?:ly)?|loop(?:s|ed|ing|able)?)\b|循环|无缝")
_ALONE = re.compile(r"\b(?:solo|unaccompanied|alone|a cappella)\b|独奏|无伴奏|清唱")
_WORD = re.compile(r"[a-zà-ÿ][a-zà-ÿ'-]*|[㐀-鿿]+")
_CHORDS, _BELOW = frozenset(("strike", "arpeggio", "hold")), frozenset(("bass", "beat"))
_ALIKE = {"2/8": "2/4", "3/8": "3/4", "4/8": "4/4", "6/4": "6/8", "9/4": "9/8"}
_TEMPOS = {"4/4": 112.0, "3/4": 112.0, "2/4": 100.0, "6/8": 100.0, "9/8": 108.0}


@dataclass(frozen=True)
class Reading:
    """What was understood, and the words that were not.

    Attributes:
        left: of "key", "metre", "tempo", "bars" and "length" those that the seed decides, because nobody said them.
    """

    brief: Brief
    unknown: tuple[str, ...] = ()
    left: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wishes:
    """What fields say beside the prompt; None or nothing leaves it to the prompt.

    Attributes:
        tempo: beats a minute.
        tonic: pitch class.
        spelling: how the tonic was written, as "E♭".
        players: instruments, the melody's first.
        seconds: how long, where the prompt says neither bars nor seconds. It comes out in whole bars: the tempo gives
            way a little, unless somebody named it.
    """

    tempo: float | None = None
    tonic: int | None = None
    mode: str = ""
    metre: str = ""
    bars: int | None = None
    players: tuple[str, ...] = ()
    seconds: float | None = None
    loop: bool = False
    spelling: str = ""


def read(prompt: str, wishes: Wishes | None = None, chance: float = 0.5) -> Reading:
    """What a prompt asks for.

    Args:
        wishes: these win over the prompt.
        chance: 0..1, decides where nothing was said, the key for one.
    """
    wishes = wishes or Wishes()
    text = digits(prompt.lower().replace("，", ",").replace("。", ".").replace("、", ","))
    text, said = _numbers(text)
    found, rest = _look_up(text)
    facets = _facets(found)
    metre = wishes.metre or said.get("metre") or ""
    kind = facets.get("kind", "")
    if metre and facets.get("metre", metre) != metre:
        kind = _kind_in(kind, metre)
    metre = metre or facets.get("metre", "") or ("4/4" if chance < 0.6 else "3/4")
    groove = facets.get("groove") or (
        "ballad" if facets.get("busy") == "calm" else "waltz" if metre == "3/4" else "dance"
    )
    named = wishes.players or tuple(dict.fromkeys(what for _, _, what in found if isinstance(what, str)))
    band = _band(named, grooves()[groove], tuple(facets.get("band", ())), "alone" in said)
    mode = wishes.mode or said.get("mode") or facets.get("mode") or "major"
    tonic = wishes.tonic if wishes.tonic is not None else said.get("tonic")
    if tonic is None:
        often = (2, 7, 9, 0, 5) if mode in ("major", "mixolydian") else (9, 4, 2, 7, 11)
        tonic = often[int(chance * 997) % len(often)]
    exact = wishes.tempo or said.get("tempo")
    tempo = min(FASTEST, max(SLOWEST, exact or facets.get("tempo", _TEMPOS[metre]) * facets.get("pace", 1.0)))
    loop = wishes.loop or bool(said.get("loop"))
    tempo, bars, ending = _time(wishes, said, metre, tempo, bool(exact), loop)
    spelling = wishes.spelling if wishes.tonic is not None else keys.spelling(prompt, tonic, mode)
    busy = facets.get("busy", "even")
    brief = Brief(kind or "tune", metre, mode, tonic, tempo, bars, busy, groove, band, loop, ending, spelling)
    return Reading(brief, tuple(rest))


def asked(request: MusicRequest, chance: float) -> Reading:
    """What a prompt and the fields beside it ask for together.

    Args:
        request: its key has been checked (studio.limits).
    """
    tonic, mode = keys.key_of(request.key) or (None, "")
    players, unknown = players_of(request.players)
    wishes = Wishes(
        tempo=request.tempo or None, tonic=tonic, mode=mode, metre=request.metre, bars=request.bars or None,
        players=players, seconds=request.duration, loop=request.loop,
        spelling=keys.spelling(request.key, tonic, mode) if tonic is not None else "",
    )  # fmt: skip
    found, other = read(request.prompt, wishes, chance), read(request.prompt, wishes, (chance + 0.5) % 1)
    fields = {"key": "tonic", "metre": "metre", "tempo": "tempo", "bars": "bars", "length": "length"}
    left = frozenset(name for name, one in fields.items() if getattr(found.brief, one) != getattr(other.brief, one))
    return Reading(found.brief, (*found.unknown, *unknown), left)


def _numbers(text: str) -> tuple[str, dict[str, Any]]:
    """What is said in so many words, and the text without it."""
    said: dict[str, Any] = {}

    def take(pattern: re.Pattern[str]) -> re.Match[str] | None:
        nonlocal text
        if (match := pattern.search(text)) is not None:
            text = f"{text[: match.start()]} , {text[match.end() :]}"
        return match

    if match := take(_METRE):
        metre = _ALIKE.get(name := f"{match[1]}/{match[2]}", name)
        if metre in METRES:
            said["metre"] = metre
    if match := take(_TEMPO):
        said["tempo"] = float(next(filter(None, match.groups())))
    if match := take(_BARS):
        said["bars"] = min(MOST_BARS, max(1, int(next(filter(None, match.groups())))))
    if match := take(_SECONDS):
        said["seconds"] = float(next(filter(None, match.groups())))
    if match := take(keys.KEY):
        said["tonic"], said["mode"] = keys.meant(match)
    elif match := take(keys.TONIC_ALONE):
        said["tonic"], _ = keys.meant(match)
    for name, pattern in (("loop", _LOOP), ("alone", _ALONE)):
        while take(pattern):
            said[name] = True
    return text, said


def _look_up(text: str) -> tuple[list[tuple[int, str, Any]], list[str]]:
    """(where, as what, entry or instrument's name) of what the tables know, and the words that they do not."""
    found: list[tuple[int, str, Any]] = []
    for word, pattern, meanings in _vocabulary():
        while (match := pattern.search(text)) is not None:
            found.extend((match.start(), word, what) for what in meanings)
            text = f"{text[: match.start()]}{' ' * len(match[0])}{text[match.end() :]}"
    rest = [word for word in _WORD.findall(text) if word not in idle() and not all(sign in idle() for sign in word)]
    return sorted(found, key=lambda one: one[0]), list(dict.fromkeys(rest))


@cache
def _vocabulary() -> tuple[tuple[str, re.Pattern[str], tuple[Any, ...]], ...]:
    """(word, how it is found, what it means) of all tables, the longest first; read once, as the tables are."""
    table: dict[str, list[Any]] = {}
    for entry in entries():
        for word in entry["words"]:
            table.setdefault(word, []).append(entry)
    for name, player in instruments().items():
        for word in player.words:
            table.setdefault(word, []).append(name)

    def pattern(word: str) -> re.Pattern[str]:
        chinese = word[0] >= "㐀"
        return re.compile(re.escape(word) if chinese else rf"(?<![\w]){re.escape(word)}(?:s|es)?(?![\w])")

    return tuple((word, pattern(word), tuple(table[word])) for word in sorted(table, key=len, reverse=True))


def _facets(found: list[tuple[int, str, Any]]) -> dict[str, Any]:
    """One answer for each question. The most particular word decides: longer ones are asked last, paces multiply."""
    facets: dict[str, Any] = {}
    for _, _, entry in sorted((one for one in found if isinstance(one[2], dict)), key=lambda one: len(one[1])):
        for facet, value in entry.items():
            if facet == "pace":
                facets["pace"] = facets.get("pace", 1.0) * value
            elif facet != "words":
                facets[facet] = value
    return facets


def _band(named: tuple[str, ...], groove: Groove, usual: tuple[str, ...], alone: bool) -> tuple[str, ...]:
    """Who was asked for, in that order, melody first, with what they lack; else who suits.

    A melody needs chords: from one of those who were named, from the player of the melody where that one can, or else
    from who usually plays them. `alone` leaves it at who was named.
    """
    known = instruments()
    usual = usual or groove.band
    if not named:
        return usual
    lead = next((name for name in named if not set(known[name].plays) & _BELOW), usual[0])
    rest = [name for name in named if name != lead]
    if any(set(known[name].plays) & _CHORDS for name in rest):
        return (lead, *rest)
    if set(known[lead].plays) & {"strike", "arpeggio"}:
        return (lead, lead, *rest)
    if alone:
        return (lead, *rest)
    more = [name for name in usual if name not in (lead, *rest) and set(known[name].plays) & (_CHORDS | _BELOW)]
    return (lead, *more, *rest)


def _kind_in(kind: str, metre: str) -> str:
    """A kind that is danced in this metre, for a prompt that asks for a reel in six."""
    usual = {"6/8": "jig", "9/8": "slip jig", "3/4": "waltz", "2/4": "march", "4/4": "reel"}
    return kind if kind in ("air", "tune", "march") else usual[metre]


def _time(
    wishes: Wishes, said: dict[str, Any], metre: str, tempo: float, exact: bool, loop: bool
) -> tuple[float, int, float]:
    """Tempo, bars, and seconds in which the last chord rings on.

    Seconds give whole bars, pairs where there is room, and hold what rings on as well. A tempo that nobody named gives
    way; one that was named leaves the end more or less time to ring. A loop has no end.
    """
    bars, seconds = wishes.bars or said.get("bars"), said.get("seconds") or wishes.seconds
    ring = 0.0 if loop else RING
    if bars:
        return tempo, min(MOST_BARS, max(1, bars)), ring
    if not seconds:
        return tempo, 16, ring
    bar = METRES[metre] / beat(metre) * 60 / tempo
    if exact:
        bars = round(seconds / bar) if loop else int(seconds / bar + 1e-6)
    else:
        ring = min(ring, seconds / 4)
        bars = round((seconds - ring) / bar)
        if bars >= 4:
            bars = next(_round_bars((seconds - ring) / bar))
    bars = min(MOST_BARS, max(1, bars))
    if not exact:
        tempo = min(FASTEST, max(SLOWEST, tempo * bars * bar / (seconds - ring)))
    left = seconds - bars * METRES[metre] / beat(metre) * 60 / tempo
    return tempo, bars, ring if loop or not -1e-6 <= left <= bar + RING else max(0.0, left)


def _round_bars(wanted: float) -> Iterator[int]:
    """Whole phrases near to a number of bars: eights if that is near enough, then fours, then twos."""
    for unit in (8, 4, 2):
        near = max(unit, unit * round(wanted / unit))
        if abs(near - wanted) <= 0.09 * wanted:
            yield near
    yield max(1, round(wanted))


def lasting(request: MusicRequest) -> float | None:
    """Seconds of a piece whose bars and tempo are asked for; its metre is 4/4 where none is. None for any other."""
    if not request.bars or not request.tempo:
        return None
    metre = request.metre or "4/4"
    return request.bars * METRES[metre] / beat(metre) * 60 / request.tempo


def players_of(words: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The instruments that a field names, in its order, and the words that name none."""
    found, rest = _look_up(words.lower())
    return tuple(dict.fromkeys(what for _, _, what in found if isinstance(what, str))), tuple(rest)
