"""Band: those who were asked for, without those who were excluded, and who else a melody needs."""

from __future__ import annotations

from collections.abc import Collection

from studio.tasks.music.brief import instruments

_CHORDS, _BELOW = frozenset(("strike", "arpeggio", "hold")), frozenset(("bass", "beat"))
_ENOUGH = 3
"""Players whom somebody names as a whole band, to which nobody is added but for its chords."""
_OTHERS = ("piano", "strings", "guitar", "flute", "synth-lead", "harp", "marimba", "accordion", "trumpet", "choir")
"""Who plays where all the usual ones are excluded, in this order."""


def choose(
    named: tuple[str, ...],
    excluded: Collection[str],
    usual: tuple[str, ...],
    *,
    alone: bool,
    drummed: bool,
    lead: str = "",
) -> tuple[str, ...]:
    """The band, its first player the melody's.

    Args:
        named: in the order of the prompt.
        usual: who plays where nobody is named.
        alone: leaves it at who was named.
        drummed: the style lives by its rhythm section, which stays whoever else is named.
        lead: who has the melody, where that is said ("a guitar solo").
    """
    known = instruments()
    named = tuple(name for name in named if name not in excluded)
    able = tuple(name for name in usual if name not in excluded)
    if not named:
        return _led(able, excluded)
    lead = lead or next((name for name in named if not set(known[name].plays) & _BELOW), "")
    if not lead:
        lead = next(iter(_led(able, excluded)), named[0])
    rest = [name for name in named if name != lead]
    if alone:
        return (lead, *(rest or _by_itself(lead)))
    if drummed and len(named) < _ENOUGH:
        band = (lead, *rest, *_rhythm(lead, rest, able))
        return (lead, *sorted(band[1:], key=able.index)) if set(band) <= set(able) else band
    if any(_chordal(name) for name in rest):
        return (lead, *rest)
    if set(known[lead].plays) & {"strike", "arpeggio"}:
        return (lead, lead, *rest)
    more = [name for name in able if name not in (lead, *rest) and set(known[name].plays) & (_CHORDS | _BELOW)]
    return (lead, *more, *rest)


def _chordal(name: str) -> bool:
    """Whether a player can play chords; who has a second voice has one note at a time."""
    plays = set(instruments()[name].plays)
    return bool(plays & {"strike", "arpeggio"}) or ("hold" in plays and "second" not in plays)


def _by_itself(lead: str) -> tuple[str, ...]:
    """One who can play chords under the own melody does so."""
    return (lead,) if set(instruments()[lead].plays) & {"strike", "arpeggio"} else ()


def _rhythm(lead: str, rest: list[str], usual: tuple[str, ...]) -> list[str]:
    """Of the usual ones those who do what nobody who was named does; the usual singer of the melody stays away."""
    known = instruments()
    more: list[str] = []
    taken = {known[name].plays[0] for name in rest}
    for place, name in enumerate(usual):
        role = known[name].plays[0]
        if name not in (lead, *rest) and role not in taken and (place > 0 or role in _BELOW):
            more.append(name)
            if role in _BELOW:
                taken.add(role)
    if not any(_chordal(name) for name in (*rest, *more)):
        more[:0] = _by_itself(lead)
    return more


def _led(usual: tuple[str, ...], excluded: Collection[str]) -> tuple[str, ...]:
    """The usual band led by one who can have the melody."""
    known = instruments()
    if usual and not excluded:
        return usual
    singers = [name for name in usual if not set(known[name].plays) & _BELOW]
    if not singers:
        lead = next((name for name in (*_OTHERS, *known) if name not in excluded), "piano")
        return (lead, *_by_itself(lead), *usual)
    lead = singers[0]
    band = (lead, *(usual[: usual.index(lead)] + usual[usual.index(lead) + 1 :]))
    if any(_chordal(name) for name in band[1:]):
        return band
    chords = (
        _by_itself(lead)
        or tuple(name for name in _OTHERS if name not in excluded and _chordal(name) and name != lead)[:1]
    )
    return (lead, *chords, *band[1:])
