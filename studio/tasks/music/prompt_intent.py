"""Intent of a prompt's words together: which style wins, who plays and who does not, what moods do to the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.tasks.music.brief import genres, grooves
from studio.tasks.music.prompt_negation import Denied
from studio.tasks.music.prompt_vocabulary import Found

_WITHIN = re.compile(
    r"(?:\bwith|\bfeaturing|\bincluding|\bplus|\band|\bthen|带|有)\s+(?:an?|the|some|one|long|short|epic|big|\s)*$"
)
_ONLY = re.compile(
    r"(?:\b(?:nothing\s+but|only|just|solely)|只有|只用|只要|仅有|仅用|仅)\s*(?:an?\s+|the\s+|one\s+|一[架把支个])?$"
)
_ONLY_AFTER = re.compile(r"\s+only\b|\s*而已")
_PLAIN_METRE = "4/4"


@dataclass(frozen=True)
class Wanted:
    """The words weighed against each other.

    Attributes:
        genre: of genres.toml, or "". kind: an entry of words.toml, or nothing.
        mode, busy, pace, mark, scale: as moods and tempo marks say; "", 1 and 0 where none does.
        plain: what moods want where no style and no kind is named.
        players: in the order of the prompt. lead: who has the melody, where that is said.
        excluded: instruments that are not to be heard. without: the words that excluded anything.
        moods: the words of moods, modes and tempo marks.
        passed: words of styles that another one won over.
        dance: the word for a kind that has none of its own: a polka is made as a march is.
        tuneless: whether the melody itself is excluded.
        not_metres, not_modes: what is not to be chosen where nobody says anything.
    """

    genre: str = ""
    kind: dict[str, Any] = field(default_factory=dict)
    mode: str = ""
    busy: str = ""
    pace: float = 1.0
    mark: float = 0.0
    scale: str = ""
    plain: dict[str, Any] = field(default_factory=dict)
    loop: bool = False
    alone: bool = False
    lead: str = ""
    players: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    tuneless: bool = False
    dance: str = ""
    moods: tuple[str, ...] = ()
    not_metres: frozenset[str] = frozenset()
    not_modes: frozenset[str] = frozenset()


def weigh(text: str, found: Sequence[Found], denied: Denied) -> Wanted:
    """What the known words of a text in small letters ask for."""
    yes = [one for one in found if not denied.has(one.start, one.end)]
    no = [one for one in found if denied.has(one.start, one.end)]
    genre, passed = _genre(text, yes)
    entries = list(_entries(yes))
    kinds = [entry for entry in entries if entry["sort"] == "kind"]
    kind = next((entry for entry in reversed(kinds) if not entry.get("weak")), None)
    if kind is None and not genre:
        kind = kinds[-1] if kinds else None
    plain: dict[str, Any] = {}
    facets: dict[str, Any] = {}
    pace = 1.0
    for entry in sorted(entries, key=lambda entry: entry["sort"] == "mode"):  # a mode that is said wins over a mood's
        pace *= entry.get("pace", 1.0) if entry["sort"] != "kind" else 1.0
        plain |= entry.get("plain", {})
        if entry["sort"] != "kind":
            facets |= {name: entry[name] for name in ("mode", "busy", "mark", "scale") if name in entry}
    denials = list(_entries(no))
    for entry in denials:
        pace *= entry.get("pace", 1.0) ** -0.5  # "not too fast" is a little slower than usual, and no crawl
    alone, lead = _alone(text, yes, genre)
    excluded = [name for one in no for name in members(one)]
    by_name = {name for one in no for name in one.players()}
    spared = [name for entry in entries for name in entry.get("without", ())]
    players = tuple(
        dict.fromkeys(name for one in yes for name in _players(one, genre) if name not in by_name)
    )  # "a beat with no drums": who is excluded by name stays away, whatever else could mean them
    tunes = [one for one in no if any(isinstance(each.value, dict) and each.value.get("weak") for each in one.meanings)]
    without = [one.shown for one in no if one not in tunes]
    if spared:
        without.append(
            "人声" if any(one.shown[0] >= "㐀" for one in yes if "without" in str(one.meanings)) else "vocals"
        )
    return Wanted(
        genre=genre, kind=kind or {}, mode=facets.get("mode", ""), busy=facets.get("busy", ""), pace=pace,
        mark=float(facets.get("mark", 0)), scale=facets.get("scale", ""), plain=plain,
        loop=any(entry.get("loop") for entry in entries), alone=alone, lead=lead, players=players,
        excluded=tuple(dict.fromkeys(name for name in (*excluded, *spared) if name not in players)),
        without=tuple(dict.fromkeys(without)), passed=passed, tuneless=bool(tunes),
        dance=next((one.shown for one in yes if kind and any(each.value is kind for each in one.meanings)), "")
        if kind and kind["words"][0] != kind["kind"]
        else "",
        moods=tuple(dict.fromkeys(one.shown for one in yes if one.sort in ("mood", "mode"))),
        not_metres=frozenset(
            entry["metre"]
            for entry in denials
            if entry["sort"] == "kind" and entry.get("metre", _PLAIN_METRE) != _PLAIN_METRE
        ),
        not_modes=frozenset(entry["mode"] for entry in denials if "mode" in entry),
    )  # fmt: skip


def _styles(one: Found) -> bool:
    return any(meaning.sort == "genre" for meaning in one.meanings)


def _entries(found: Iterable[Found]) -> Iterable[dict[str, Any]]:
    """The entries of words.toml behind words, each once, those of longer words last: they are more particular."""
    seen: list[dict[str, Any]] = []
    for one in sorted(found, key=lambda one: len(one.word)):
        for meaning in one.meanings:
            if isinstance(meaning.value, dict) and meaning.value not in seen:
                seen.append(meaning.value)
    return seen


def members(one: Found) -> Iterable[str]:
    """Whom a word that excludes takes away: the player, or its whole family."""
    for meaning in one.meanings:
        if meaning.sort == "player":
            yield meaning.value
        elif meaning.sort == "family":
            yield from meaning.value.members


def _genre(text: str, yes: Sequence[Found]) -> tuple[str, tuple[str, ...]]:
    """The style that wins, and the words of the others that it does not cover.

    Of names that stand side by side the last one is the noun: folk metal is metal. Otherwise the first one named.
    """
    known = genres()
    named = [(one, meaning.value) for one in yes for meaning in one.meanings if meaning.sort == "genre"]
    strong = [(one, name) for one, name in named if not known[name].weak] or named
    if not strong:
        return "", ()
    head, winner = strong[0]
    for one, name in strong[1:]:
        if text[head.end : one.start].strip(" -"):
            break
        head, winner = one, name
    lost = [one.shown for one, name in named if known[name].groove != known[winner].groove]
    return winner, tuple(dict.fromkeys(lost))


def _alone(text: str, yes: Sequence[Found], genre: str) -> tuple[bool, str]:
    """Whether who is named plays alone, and who has a solo within a band.

    "Solo" behind an instrument is a piece for it, unless it stands "with" something or in a style that has a beat.
    """
    alone, lead = False, ""
    for place, one in enumerate(yes):
        if one.players() and (_ONLY.search(text[: one.start]) or _ONLY_AFTER.match(text, one.end)):
            alone = True
        if not any(isinstance(meaning.value, dict) and meaning.value.get("alone") for meaning in one.meanings):
            continue
        before = yes[place - 1] if place and not text[yes[place - 1].end : one.start].strip() else None
        if before is None or not before.players():
            after = yes[place + 1] if place + 1 < len(yes) else None
            within = _WITHIN.search(text[: one.start]) and after is not None and genre
            alone = alone or not within
        elif genre and (_WITHIN.search(text[: before.start]) or grooves()[genres()[genre].groove].drummed):
            lead = _soloist(before, genre)
        else:
            alone = True
    return alone, lead


def _soloist(one: Found, genre: str) -> str:
    """Of a family the member that the style has: the guitar of rock is an electric one."""
    return next(iter(_players(one, genre)), "")


def _players(one: Found, genre: str) -> tuple[str, ...]:
    """Whom a word names: in a style that has one of its family, that one."""
    if _styles(one):
        return ()
    named = one.players()
    usual = genres()[genre].band if genre else ()
    for meaning in one.meanings:
        if meaning.sort == "family" and meaning.value.generic:
            own = [name for name in usual if name in meaning.value.members]
            return tuple(own[:1]) or named
    return named
