"""A band for a melody: who plays what, in the manner of a groove, over the chords that fit."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from studio.tasks.music import harmony
from studio.tasks.music.accompaniment import LOW, Bar, bass, fold, play
from studio.tasks.music.brief import Brief, Groove, Instrument, grooves, instruments, styles
from studio.tasks.music.form import Form, Line, unfold
from studio.tasks.music.harmony import Chord
from studio.tasks.music.melody_tokens import COMPOUND, METRES, Part, beat
from studio.tasks.music.score import DRUMS, Score, Sound, Voice

_VOLUMES = {"melody": 112, "second": 86, "strike": 76, "arpeggio": 78, "hold": 66, "bass": 96, "beat": 82}
_OVER = 69
"""Where an accompanied melody is heard best, as a MIDI number."""
_PANS = (64, 44, 84, 54, 74, 36, 92)


def arrange(
    brief: Brief, parts: Sequence[Part], form: Form, title: str, seed: int, given: Sequence[Chord] = ()
) -> Score:
    """The piece as it is played.

    Args:
        parts: what was composed, one for each length of the form.
        seed: decides how evenly the players play.
        given: the chords, where the style brings them; else they follow from the melody.
    """
    line = unfold(parts, form, brief.metre, brief.loop)
    chords = list(given) or harmony.harmonise(line.bars, brief.metre, brief.mode)
    score = Score(title, brief.metre, brief.quarters, brief.tonic, brief.mode, brief.bars, [], chords, line.upbeat)
    score.key = brief.spelling
    groove, hand = grooves()[brief.groove], random.Random(seed)
    known = instruments()
    bars = list(_bars(brief, line, chords))
    lead = known[brief.band[0]]
    melody = _melody(line, lead, brief)
    score.voices.append(Voice(lead.name, lead.program, melody, _VOLUMES["melody"]))
    roles = _roles([known[name] for name in brief.band[1:]], groove)
    alone = not any(role == "bass" for _, role in roles)
    for place, (player, role) in enumerate(roles, 1):
        sounds = list(play(role, player, bars, brief, groove, melody))
        if alone and role in ("strike", "arpeggio"):
            sounds += bass(LOW, bars, brief, groove)  # the lowest notes are this player's too
            alone = False
        program = DRUMS if role == "beat" else player.program
        score.voices.append(Voice(player.name, program, sounds, _VOLUMES[role], _PANS[place % len(_PANS)]))
    for voice in score.voices:
        voice.sounds = sorted(_touched(sound, line.upbeat, brief.metre, groove.swing, hand) for sound in voice.sounds)
        _no_overlap(voice)
    return score


def _bars(brief: Brief, line: Line, chords: Sequence[Chord]) -> Iterator[Bar]:
    length, per_bar = METRES[brief.metre], harmony.slots(brief.metre)
    span = length // per_bar
    place = 0
    for number in range(len(line.bars)):
        if place + 1 < len(line.starts) and number >= line.starts[place + 1]:
            place += 1
        start = line.upbeat + number * length
        own = chords[number * per_bar : (number + 1) * per_bar]
        merged: list[tuple[int, int, Chord]] = []
        for slot, chord in enumerate(own):
            if merged and merged[-1][2] == chord:
                merged[-1] = (merged[-1][0], merged[-1][1] + span, chord)
            else:
                merged.append((start + slot * span, span, chord))
        fullness = 0.6 if place == 0 and len(line.starts) > 1 else 0.8 if line.passes[place] == 0 else 1.0
        last = number == len(line.bars) - 1
        closes = last or number + 1 in line.starts
        yield Bar(start, merged, fullness, last and not brief.loop, number in line.starts, closes)


def _melody(line: Line, lead: Instrument, brief: Brief) -> list[Sound]:
    """In the octave where most of it suits the instrument; single notes outside are folded back.

    Notes sound as long as the style has it, the last one in full.
    """
    touch = styles()[brief.style].touch if brief.style else 1.0
    pitches = [60 + brief.tonic + pitch for _, _, pitch in line.notes]
    if not pitches:
        return []

    best = (lead.low + lead.high) / 2
    if len(brief.band) > 1 and lead.high >= _OVER + 10:
        best = max(best, _OVER)  # above the chords, where the instrument goes there

    def outside(octave: int) -> tuple[int, int]:
        moved = [pitch + 12 * octave for pitch in pitches]
        middle = sum(moved) / len(moved) - best
        return sum(not lead.low <= pitch <= lead.high for pitch in moved), round(abs(middle))

    shift = 12 * min(range(-4, 4), key=outside)
    end = line.notes[-1][0]
    return [
        Sound(start, length if start == end else max(1, round(length * touch)), fold(pitch + shift, lead), 96)
        for (start, length, _), pitch in zip(line.notes, pitches, strict=True)
    ]


def _roles(players: Sequence[Instrument], groove: Groove) -> list[tuple[Instrument, str]]:
    """What each does: what the groove has it do, else the first of its abilities that nobody has yet."""
    taken: set[str] = set()
    found = []
    for player in players:
        usual = next((role for role in player.plays if role not in taken), player.plays[0])
        role = groove.roles.get(player.name, usual)
        taken.add(role)
        found.append((player, role))
    return found


def _touched(sound: Sound, upbeat: int, metre: str, swing: int, hand: random.Random) -> Sound:
    """As a player would: louder on the beat, not quite even, eighths swung where the groove swings."""
    place = (sound.start - upbeat) % METRES[metre]
    accent = 8 if place == 0 else 3 if place % beat(metre) == 0 else 0
    start, end = sound.start, sound.start + sound.length
    if swing != 12 and metre not in COMPOUND:
        start, end = _swung(start, upbeat, swing), _swung(end, upbeat, swing)
    loudness = min(127, max(1, sound.loudness + accent + hand.randint(-4, 4)))
    return Sound(start, max(1, end - start), sound.pitch, loudness)


def _swung(step: int, upbeat: int, swing: int) -> int:
    quarter, rest = divmod(step - upbeat, 24)
    late = rest * swing / 12 if rest < 12 else swing + (rest - 12) * (24 - swing) / 12
    return upbeat + quarter * 24 + round(late)


def _no_overlap(voice: Voice) -> None:
    """A key that is struck again is let go first; in a MIDI file nothing else is well defined."""
    until: dict[int, int] = {}
    kept: list[Sound] = []
    for sound in sorted(voice.sounds, reverse=True):
        end = min(sound.start + sound.length, until.get(sound.pitch, 1 << 60))
        if end > sound.start:
            kept.append(Sound(sound.start, end - sound.start, sound.pitch, sound.loudness))
            until[sound.pitch] = sound.start
    voice.sounds = kept[::-1]
