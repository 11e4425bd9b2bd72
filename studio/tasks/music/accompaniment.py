"""Accompaniment: each player of a band, bar by bar, in the manner of a groove."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from studio.tasks.music.brief import Brief, Groove, Instrument, grooves
from studio.tasks.music.harmony import Chord
from studio.tasks.music.melody_tokens import METRES, beat
from studio.tasks.music.score import Sound

_DRUM_KEYS = {
    "kick": 36, "rim": 37, "snare": 38, "clap": 39, "lowtom": 41, "hat": 42, "pedal": 44, "tom": 45, "open": 46,
    "crash": 49, "ride": 51, "tambourine": 54, "cowbell": 56, "conga": 63, "lowconga": 64, "timbale": 65, "agogo": 67,
    "shaker": 70, "guiro": 73, "clave": 75, "brush": 38, "bodhran": 64,
}  # fmt: skip
_DRUM_LOUDNESS = {
    "hat": 58, "ride": 62, "shaker": 46, "open": 62, "brush": 42, "rim": 66, "pedal": 50, "crash": 70, "tambourine": 52,
    "cowbell": 54, "conga": 70, "agogo": 54, "guiro": 50, "timbale": 54,
}  # fmt: skip
_UNDER = 9
"""Semitones that the middle of the chords lies below the melody's."""
_LOWEST = 53
"""Below it close chords are mud."""
LOW = Instrument("bass", 32, 31, 52, ("bass",), ())
"""The low register of a guitarist or pianist who has no bass player."""


@dataclass(frozen=True)
class Bar:
    """One bar of the accompaniment: where it begins, its chords (start, length, chord) and how full it is, 0..1.

    `opens` and `closes`: whether a part begins or ends with it.
    """

    start: int
    chords: list[tuple[int, int, Chord]]
    fullness: float
    last: bool
    opens: bool = False
    closes: bool = False


def play(
    role: str, player: Instrument, bars: list[Bar], brief: Brief, groove: Groove, melody: list[Sound]
) -> Iterator[Sound]:
    """All that a player does: one of the roles that instruments.toml names."""
    match role:
        case "bass":
            yield from bass(player, bars, brief, groove)
        case "strike":
            yield from _strike(player, bars, brief, groove, _middle(player, melody))
        case "arpeggio":
            yield from _arpeggio(player, bars, brief, groove, _middle(player, melody))
        case "hold":
            yield from _hold(player, bars, brief, _middle(player, melody))
        case "beat":
            yield from _beat(bars, brief, groove)
        case _:
            yield from _second(player, bars, brief, melody)


def _bars(groove: Groove, metre: str) -> dict[str, Any]:
    """What a groove does in a bar of this metre; for one that it lacks, what the groove does that stands in for it."""
    # ends: pop and ballad, at which every way arrives, have all metres
    while metre not in groove.bars:
        groove = grooves()[groove.instead or ("pop" if groove.drummed else "ballad")]
    return groove.bars[metre]


def _pattern(groove: Groove, metre: str, role: str) -> tuple[str, int]:
    """The signs of one bar and the steps that each takes."""
    line = _bars(groove, metre)[role]
    return line, METRES[metre] // len(line)


def _signs(line: str, grain: int) -> Iterator[tuple[int, int, str]]:
    """(start in the bar, length, sign); `-` makes the sign before it longer."""
    place = 0
    while place < len(line):
        end = place + 1
        while end < len(line) and line[end] == "-":
            end += 1
        if line[place] not in ".-":
            yield place * grain, (end - place) * grain, line[place]
        place = end


def _moves(bar: Bar, line: str, grain: int) -> Iterator[tuple[int, int, str]]:
    """What is played in a bar: the groove's signs, or at the very end every chord once, held."""
    if bar.last:
        return ((start - bar.start, length, "1") for start, length, _ in bar.chords)
    return _signs(line, grain)


def _at(bar: Bar, step: int) -> Chord:
    """The chord that sounds so many steps into a bar."""
    return next(chord for start, length, chord in reversed(bar.chords) if start - bar.start <= step)


def bass(player: Instrument, bars: list[Bar], brief: Brief, groove: Groove) -> Iterator[Sound]:
    line, grain = _pattern(groove, brief.metre, "bass")
    for number, bar in enumerate(bars):
        changed = {start - bar.start for start, _, _ in bar.chords}
        for start, length, sign in _moves(bar, line, grain):
            chord = _at(bar, start)
            # a note that leads on would hide a chord that has just come
            if sign == "a" and start not in changed:
                pitch = _leading(bar, start, bars[number + 1 : number + 2], player, brief.tonic)
            else:
                # where the chord is new its root is heard, whatever the pattern says
                above = _above(chord, "1" if start in changed else sign)
                pitch = _low(chord, above, player, brief.tonic)
            yield Sound(start + bar.start, length, pitch, 88)


def _above(chord: Chord, sign: str) -> int:
    """Semitones from the root to the note that a sign of the bass means."""
    tones = chord.tones
    if sign == "8" or (sign == "7" and len(tones) < 4):
        return 12
    return tones[min({"1": 0, "a": 0, "3": 1, "5": 2, "7": 3}[sign], len(tones) - 1)] - chord.root


def _leading(bar: Bar, step: int, after: list[Bar], player: Instrument, tonic: int) -> int:
    """The note that leads to the root that comes next: a semitone below it, or above where that is nearer."""
    following = [chord for start, _, chord in bar.chords if start - bar.start > step]
    following += [chord for one in after for _, _, chord in one.chords]
    here = _low(_at(bar, step), 0, player, tonic)
    if not following or following[0].root == _at(bar, step).root:
        return _low(_at(bar, step), _above(_at(bar, step), "5"), player, tonic)
    goal = _low(following[0], 0, player, tonic)
    lead = goal + 1 if here > goal and goal + 1 <= player.high else goal - 1
    return lead if lead >= player.low else goal + 1


def _low(chord: Chord, above: int, player: Instrument, tonic: int) -> int:
    pitch = player.low + (tonic + chord.root - player.low) % 12
    return pitch + above if pitch + above <= player.high else pitch + above - 12


def _middle(player: Instrument, melody: list[Sound]) -> float:
    """Where a player's chords lie: below the melody, so that it is heard, as far as the instrument goes down."""
    middle = min((player.low + player.high) / 2, 66)
    if not melody:
        return middle
    sung = sum(sound.pitch * sound.length for sound in melody) / sum(sound.length for sound in melody)
    return max(min(middle, sung - _UNDER), player.low + 5, _LOWEST)


def _voicing(chord: Chord, player: Instrument, tonic: int, before: list[int], middle: float) -> list[int]:
    """Three or four notes near the middle, moving as little as they can from the chord before."""
    if player.voicing == "power":
        root = _low(chord, 0, player, tonic)
        return [root, root + 7, root + 12]
    classes = [(tonic + tone) % 12 for tone in chord.tones]
    best: list[int] = []
    for lowest in range(len(classes)):
        turned = classes[lowest:] + classes[:lowest]
        for octave in range(2, 7):
            pitches = [12 * octave + turned[0]]
            for pitch_class in turned[1:]:
                pitches.append(pitches[-1] + ((pitch_class - pitches[-1]) % 12 or 12))
            if not best or _effort(pitches, before, middle) < _effort(best, before, middle):
                best = pitches
    return best


def _effort(pitches: list[int], before: list[int], middle: float) -> float:
    centre = abs(sum(pitches) / len(pitches) - middle)
    if not before:
        return centre
    # without the pull to the middle small moves would add up to another register
    return sum(min(abs(pitch - other) for other in before) for pitch in pitches) + 0.4 * centre


def _chords(
    role: str, player: Instrument, bars: list[Bar], brief: Brief, groove: Groove, middle: float
) -> Iterator[tuple[Bar, int, int, str, list[int]]]:
    """(bar, start, length, sign, pitches of the chord) of all that a groove has an instrument strike or break."""
    line, grain = _pattern(groove, brief.metre, role)
    pitches: list[int] = []
    for bar in bars:
        for start, length, sign in _moves(bar, line, grain):
            pitches = _voicing(_at(bar, start), player, brief.tonic, pitches, middle)
            yield bar, bar.start + start, length, sign, pitches


def _strike(player: Instrument, bars: list[Bar], brief: Brief, groove: Groove, middle: float) -> Iterator[Sound]:
    for bar, start, length, sign, chord in _chords("strike", player, bars, brief, groove, middle):
        for place, pitch in enumerate(chord):
            loudness = (66 if sign == "x" else 78) - 2 * place
            yield Sound(start, length, pitch, round(loudness * (0.8 + 0.2 * bar.fullness)))


def _arpeggio(player: Instrument, bars: list[Bar], brief: Brief, groove: Groove, middle: float) -> Iterator[Sound]:
    for bar, start, length, sign, chord in _chords("arpeggio", player, bars, brief, groove, middle):
        octave, tone = (1, 0) if sign == "8" else divmod({"1": 0, "3": 1, "5": 2, "6": 3}[sign], len(chord))
        for pitch in chord if bar.last else [chord[tone] + 12 * octave]:
            yield Sound(start, length, pitch, round(72 * (0.8 + 0.2 * bar.fullness)))


def _hold(player: Instrument, bars: list[Bar], brief: Brief, middle: float) -> Iterator[Sound]:
    before: list[int] = []
    held: list[tuple[int, int, Chord]] = []
    for bar in bars:
        for start, length, chord in bar.chords:
            if held and held[-1][2] == chord and sum(held[-1][:2]) == start and held[-1][1] < 2 * METRES[brief.metre]:
                held[-1] = (held[-1][0], held[-1][1] + length, chord)
            else:
                held.append((start, length, chord))
    for start, length, chord in held:
        before = _voicing(chord, player, brief.tonic, before, middle)
        for pitch in before:
            yield Sound(start, length, fold(pitch, player), 70)


def _second(player: Instrument, bars: list[Bar], brief: Brief, melody: list[Sound]) -> Iterator[Sound]:
    """A voice under the melody: on every beat the chord's next note below it, held while it stays the same."""
    step = beat(brief.metre)
    line: list[Sound] = []
    for bar in bars:
        for start in range(bar.start, bar.start + METRES[brief.metre], step):
            above = next((sound.pitch for sound in melody if sound.start <= start < sound.start + sound.length), None)
            if above is None:
                continue
            classes = {(brief.tonic + tone) % 12 for tone in _at(bar, start - bar.start).tones}
            # from a third below, so that the voices never rub; an octave further down any chord has a note
            pitch = next(pitch for pitch in range(above - 3, above - 20, -1) if pitch % 12 in classes)
            pitch = fold(pitch, player)
            if line and line[-1].pitch == pitch and line[-1].start + line[-1].length == start:
                line[-1] = Sound(line[-1].start, line[-1].length + step, pitch, 80)
            else:
                line.append(Sound(start, step, pitch, 80))
    yield from line


def _beat(bars: list[Bar], brief: Brief, groove: Groove) -> Iterator[Sound]:
    own = _bars(groove, brief.metre)
    if "drums" not in own:  # who asks for drums in a style that has none gets plain ones
        own = _bars(grooves()["pop"], brief.metre)
    for bar in bars:
        lines = {**own["drums"], **(own.get("first", {}) if bar.opens else {})}
        if bar.closes and bar.fullness > 0.7:
            lines |= own.get("fill", {})
        for name, line in lines.items():
            loud, grain = _DRUM_LOUDNESS.get(name, 84), METRES[brief.metre] // len(line)
            signs = [(0, 12, "X")] if bar.last else _signs(line, grain)
            for start, _, sign in signs:
                if sign == "x" and bar.fullness < 0.7:
                    continue  # the first time through only the strong beats are marked
                yield Sound(bar.start + start, grain, _DRUM_KEYS[name], loud if sign == "X" else round(loud * 0.72))


def fold(pitch: int, player: Instrument) -> int:
    while pitch < player.low:
        pitch += 12
    while pitch > player.high:
        pitch -= 12
    return pitch
