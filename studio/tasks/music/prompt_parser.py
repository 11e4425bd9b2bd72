"""Parser of a music prompt, English or Chinese: from its words to what a piece is to be.

What is said as a number or a name (key, metre, tempo, bars, seconds) counts as it stands; words are looked up in the
tables of assets/composing. What nobody said is chosen to fit the rest. Nothing is passed over in silence: words that
say nothing to the composer, things that were excluded and numbers that had to be changed are named.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

from studio.requests import MusicRequest
from studio.tasks.music import band, key_parser, prompt_negation, prompt_vocabulary, timing
from studio.tasks.music.brief import Brief, Genre, genres, grooves, instruments
from studio.tasks.music.key_parser import Named
from studio.tasks.music.keys import key_of, spelling, whole_name
from studio.tasks.music.number_words import digits
from studio.tasks.music.prompt_intent import Wanted, members, weigh
from studio.tasks.music.prompt_negation import Denied, Item
from studio.tasks.music.prompt_numbers import FASTEST, SLOWEST, Change, Figure, find_figures
from studio.tasks.music.prompt_vocabulary import Found

PLAIN = Genre("", (), metre="", groove="plain", style="plain", kind="tune", busy="calm")
"""What is played where no style, no kind and no dance is named."""
_DANCED = {
    "reel": ("4/4",), "jig": ("6/8",), "slip jig": ("9/8",), "waltz": ("3/4",), "march": ("2/4",),
    "hornpipe": ("4/4",), "strathspey": ("4/4",), "minuet": ("3/4",),
}  # fmt: skip
_SPACE = re.compile(r"\s{2,}")
_SEAM = re.compile(r"(?<=[A-Za-z0-9])(?=[㐀-鿿])|(?<=[㐀-鿿])(?=[A-Za-z0-9])")
"""Where Chinese meets letters or digits; nobody writes a space there, and a word ends all the same."""
_DRUMLESS = re.compile(r"\b([A-Za-z]{3,}?)less\b", re.ASCII)
_TEMPOS = {"4/4": 104.0, "3/4": 104.0, "2/4": 100.0, "6/8": 88.0, "9/8": 96.0}


@dataclass(frozen=True)
class Reading:
    """What was understood, and the words that were not.

    Attributes:
        left: of "key", "metre", "tempo", "bars" and "length" those that the seed decides, because nobody said them.
        without: what was excluded, as the person wrote it.
        changes: what is played otherwise than it was asked for.
        named: whether the prompt names a style, a kind or a player; else a plain tune is played.
        moods: the words of moods, modes and tempo marks that were understood.
        dance: the word of a kind that goes by another's name.
        tempo_said: whether the tempo is one that somebody named.
        passed: words that were understood, of which a piece has only one: a second style, key or tempo.
    """

    brief: Brief
    unknown: tuple[str, ...] = ()
    left: frozenset[str] = frozenset()
    without: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    named: bool = True
    moods: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    dance: str = ""
    tempo_said: bool = False


@dataclass(frozen=True)
class Wishes:
    """What fields say beside the prompt; None or nothing leaves it to the prompt.

    Attributes:
        tempo: beats a minute.
        tonic: pitch class; `spelling` is how it was written, as "E♭".
        players: instruments, the melody's first.
        excluded: instruments that are not to play.
        seconds: how long, where the prompt says neither bars nor seconds. It comes out in whole bars: the tempo gives
            way a little, unless somebody named it.
        longest: seconds that the model can make.
    """

    tempo: float | None = None
    tonic: int | None = None
    mode: str = ""
    metre: str = ""
    bars: int | None = None
    players: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    seconds: float | None = None
    loop: bool = False
    longest: float | None = None
    spelling: str = ""


@dataclass(frozen=True)
class Words:
    """A prompt taken apart: keys, numbers and words, what of them is excluded, and what is left over."""

    text: str
    keys: list[Named]
    figures: list[Figure]
    found: list[Found]
    denied: Denied
    rest: tuple[str, ...]


def read_prompt(prompt: str, wishes: Wishes | None = None, chance: float = 0.5) -> Reading:
    """What a prompt asks for.

    Args:
        wishes: these win over the prompt.
        chance: 0..1, decides where nothing was said, the key for one.
    """
    wishes = wishes or Wishes()
    words = take_apart(prompt)
    wanted = weigh(words.text, words.found, words.denied)
    said, twice, told = _said(words)
    genre = genres()[wanted.genre] if wanted.genre else PLAIN
    kind = wanted.kind
    metre = wishes.metre or said.get("metre") or kind.get("metre") or genre.metre
    if not metre:  # who counts bars means bars of four, as studio.tasks.music.timing has it
        four = chance < 0.6 or "3/4" in wanted.not_metres or wishes.bars or said.get("bars")
        metre = "4/4" if four else "3/4"
    denied_metres = {one.value for one in words.figures if one.name == "metre" and words.denied.has(one.start, one.end)}
    if metre in denied_metres | wanted.not_metres and not wishes.metre:
        metre = next(one for one in ("4/4", "3/4", "6/8") if one not in denied_metres | wanted.not_metres)
    called = _kind(kind, genre, metre)
    mode = wishes.mode or said.get("mode") or wanted.mode or kind.get("mode") or genre.mode or "major"
    if mode in wanted.not_modes and not (wishes.mode or said.get("mode")):
        mode = "minor" if mode in ("major", "mixolydian") else "major"
    not_keys = {(one.tonic, one.mode or mode) for one in words.keys if words.denied.has(one.start, one.end)}
    tonic = wishes.tonic if wishes.tonic is not None else said.get("tonic")
    if tonic is None:
        usual = (2, 7, 9, 0, 5) if mode in ("major", "mixolydian") else (9, 4, 2, 7, 11)
        usual = tuple(one for one in usual if (one, mode) not in not_keys)
        tonic = usual[int(chance * 997) % len(usual)]
    groove, style = _manner(wanted, genre)
    excluded = {*wanted.excluded, *wishes.excluded}
    players = wishes.players or wanted.players
    usual_band = genre.band or tuple(kind.get("band", ())) or grooves()[groove].band
    names = band.choose(
        players, excluded, usual_band, alone=wanted.alone, lead=wanted.lead if not wishes.players else "",
        drummed=bool(wanted.genre and genre.style) and any("beat" in instruments()[name].plays for name in usual_band),
    )  # fmt: skip
    exact = wishes.tempo or said.get("tempo")
    tempo = exact or wanted.mark or (genre.tempo or kind.get("tempo") or wanted.plain.get("tempo") or _TEMPOS[metre])
    if not exact and not wanted.mark:
        tempo = float(round(tempo * wanted.pace))
    tempo = min(FASTEST, max(SLOWEST, tempo))
    loop = wishes.loop or wanted.loop
    tempo, bars, ending, changed = timing.settle(
        timing.Times(
            metre, tempo, bool(exact or wanted.mark), genre.tempos, wishes.bars or said.get("bars"),
            said.get("seconds") or wishes.seconds, wishes.longest, loop,
        )
    )  # fmt: skip
    busy = wanted.busy or kind.get("busy") or genre.busy or "even"
    brief = Brief(
        called, metre, mode, tonic, tempo, bars, busy, groove, names, loop, wanted.genre, style, wanted.scale,
        ending, wishes.spelling if wishes.tonic is not None else spelling(prompt, tonic, mode),
    )  # fmt: skip
    passed = tuple(dict.fromkeys((*twice, *wanted.passed)))
    without = tuple(dict.fromkeys((*wanted.without, *_denied(words))))
    named = bool(wanted.genre or kind or players or wanted.moods)
    stays = wanted.tuneless or (players and names[0] not in players and (wanted.alone or not wanted.genre))
    melody: list[Change] = [("melody_stays", {})] if stays else []
    return Reading(
        brief, words.rest, without=without, changes=(*_told(told, wishes), *changed, *melody), named=named,
        moods=wanted.moods, passed=passed, dance=wanted.dance if called == kind.get("kind") else "",
        tempo_said=bool(exact),
    )  # fmt: skip


def read_request(request: MusicRequest, chance: float, longest: float | None = None) -> Reading:
    """What a prompt and the fields beside it ask for together.

    Args:
        request: its key has been checked (studio.tasks.limits).
        longest: seconds that the model can make.
    """
    tonic, mode = key_of(request.key) or (None, "")
    field, strange = players_of(request.players)
    wishes = Wishes(
        tempo=request.tempo or None, tonic=tonic, mode=mode, metre=request.metre, bars=request.bars or None,
        players=field.players, excluded=(*field.excluded, *barred_by(request.negative_prompt)),
        seconds=request.duration, loop=request.loop, longest=longest,
        spelling=spelling(request.key, tonic, mode) if tonic is not None else "",
    )  # fmt: skip
    found, other = read_prompt(request.prompt, wishes, chance), read_prompt(request.prompt, wishes, (chance + 0.5) % 1)
    fields = {"key": "tonic", "metre": "metre", "tempo": "tempo", "bars": "bars", "length": "length"}
    left = frozenset(name for name, one in fields.items() if getattr(found.brief, one) != getattr(other.brief, one))
    barred_words = [one.shown for one in take_apart(request.negative_prompt).found if any(members(one))]
    return replace(
        found,
        unknown=tuple(dict.fromkeys((*found.unknown, *strange))),
        left=left,
        without=tuple(dict.fromkeys((*found.without, *field.without, *barred_words))),
    )


def players_of(words: str) -> tuple[Wanted, tuple[str, ...]]:
    """What a field of players asks for, and its words that name nobody."""
    apart = take_apart(words)
    return weigh(apart.text, apart.found, apart.denied), apart.rest


def barred_by(words: str) -> tuple[str, ...]:
    """The instruments that a negative prompt keeps away: each word there takes its family with it."""
    return tuple(dict.fromkeys(name for one in take_apart(words).found for name in members(one)))


def take_apart(prompt: str) -> Words:
    """Keys, numbers and words of a prompt."""
    shown = digits(unicodedata.normalize("NFKC", prompt.replace("，", ", ")).replace("’", "'").replace("。", "."))
    shown = _DRUMLESS.sub(lambda match: f"{match[1]} less" if _plays(match[1]) else match[0], shown)
    shown = _SEAM.sub(" ", _SPACE.sub(lambda match: "\n" if "\n" in match[0] else " ", shown))
    text = "".join(sign.lower() if len(sign.lower()) == 1 else sign for sign in shown)
    keys = key_parser.find_keys(shown, lambda place: prompt_vocabulary.stands_at(text, place))
    left = _blanked(text, [(one.start, one.end) for one in keys])
    numbers = find_figures(left, lambda place: prompt_vocabulary.styled_at(left, place))
    left = _blanked(left, [(one.start, one.end) for one in numbers])
    found = prompt_vocabulary.find_words(left)
    items = [
        *(Item(one.start, one.end, "key") for one in keys),
        *(Item(one.start, one.end, "number") for one in numbers),
        *(Item(one.start, one.end, one.sort) for one in found),
    ]
    denied = prompt_negation.find_denied(text, sorted(items, key=lambda one: one.start))
    left = _blanked(left, [*((one.start, one.end) for one in found), *denied.cues])
    return Words(text, keys, numbers, found, denied, prompt_vocabulary.rest(left))


def _plays(word: str) -> bool:
    """Whether a word, and nothing else, names players."""
    return [one.sort for one in prompt_vocabulary.find_words(word.lower())] == ["player"]


def _blanked(text: str, places: list[tuple[int, int]]) -> str:
    for start, end in places:
        text = f"{text[:start]}{',' + ' ' * (end - start - 1)}{text[end:]}" if end > start else text
    return text


def _said(words: Words) -> tuple[dict[str, Any], list[str], list[tuple[str, Change]]]:
    """The first value of each, the words of the others, and what was changed of which."""
    said: dict[str, Any] = {}
    twice: list[str] = []
    told: list[tuple[str, Change]] = []
    for key in words.keys:
        if words.denied.has(key.start, key.end):
            continue
        mine = words.text[key.start : key.end].strip()
        if "tonic" in said and (said["tonic"], said.get("mode")) != (key.tonic, key.mode or said.get("mode")):
            twice.append(mine)
            continue
        said["tonic"] = key.tonic
        if key.mode:
            said["mode"] = key.mode
        if key.asked:
            played = whole_name(key.tonic or 0, key.mode)
            told.append(("key", ("mode_played", {"asked": key.asked, "key": played})))
    for figure in words.figures:
        if words.denied.has(figure.start, figure.end):
            continue
        if said.get(figure.name, figure.value) != figure.value:
            twice.append(figure.words)
            continue
        said[figure.name] = figure.value
        if figure.change:
            told.append((figure.name, figure.change))
    return said, twice, told


def _told(told: list[tuple[str, Change]], wishes: Wishes) -> list[Change]:
    """Without the changes of what a field decides anyway."""
    decided = {"tempo": wishes.tempo, "metre": wishes.metre, "bars": wishes.bars, "key": wishes.tonic is not None}
    return [change for name, change in told if not decided.get(name)]


def _denied(words: Words) -> list[str]:
    """Keys and numbers that are excluded, as they were written."""
    keys = [words.text[one.start : one.end].strip() for one in words.keys if words.denied.has(one.start, one.end)]
    return keys + [one.words for one in words.figures if words.denied.has(one.start, one.end)]


def _kind(kind: dict[str, Any], genre: Genre, metre: str) -> str:
    """What the network is told; a dance that this metre has, for a prompt that asks for a reel in six."""
    called = kind.get("kind") or genre.kind or "tune"
    if called in ("air", "tune", "march") or metre in _DANCED[called]:
        return called
    return next(name for name, metres in _DANCED.items() if metre in metres)


def _manner(wanted: Wanted, genre: Genre) -> tuple[str, str]:
    """Groove and style. A dance of old is left to the network, which learnt it, unless a style plays it."""
    if wanted.genre:
        return genre.groove, genre.style
    if "groove" in wanted.kind:
        return wanted.kind["groove"], ""
    calm = wanted.busy == "calm"
    groove = wanted.plain.get("groove") or ("ballad" if calm else genre.groove)
    return groove, wanted.plain.get("style", "") if wanted.kind else wanted.plain.get("style", genre.style)
