"""Form, chords and band: what was promised is there, and what sounds together fits."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.tasks.music import arranging, form, harmony, melody_rank, melody_tokens
from studio.tasks.music.brief import grooves, instruments
from studio.tasks.music.melody_tokens import METRES, Note, Part
from studio.tasks.music.prompt_parser import Wishes, read_prompt

SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def melody(metre: str, lengths: tuple[int, ...], seed: int, upbeat: int = 0) -> list[Part]:
    """Parts that walk up and down a major scale in eighths and end on the tonic."""
    chance = random.Random(seed)

    def bar(steps: int) -> list[Note]:
        return [Note(chance.choice(SCALE), 12) for _ in range(steps // 12)]

    parts = []
    for count in lengths:
        bars = [bar(METRES[metre]) for _ in range(count - 1)]
        last = METRES[metre] - upbeat
        parts.append(Part(bar(upbeat), [*bars, [*bar(last - 12), Note(0, 12)]]))
    return parts


@given(st.integers(1, 128))
def test_a_form_has_the_bars_that_were_asked_for(bars):
    plan = form.plan(bars)
    assert sum(plan.lengths[index] for index in plan.order) == bars
    assert max(plan.lengths) <= melody_tokens.MOST_BARS
    assert set(plan.order) == set(range(len(plan.lengths)))


def test_thirty_two_bars_are_two_strains_twice_each():
    assert form.plan(32) == form.Form((8, 8), (0, 0, 1, 1))


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("metre", sorted(METRES))
def test_a_melody_fills_its_bars_and_its_upbeats_take_their_time_from_them(metre, loop):
    plan = form.plan(24)
    line = form.unfold(melody(metre, plan.lengths, 1, upbeat=12), plan, metre, loop)
    end = line.upbeat + 24 * METRES[metre]
    assert line.upbeat == (0 if loop else METRES[metre])
    assert line.notes[0][0] == (0 if loop else METRES[metre] - 12)
    assert max(start + length for start, length, _ in line.notes) == end
    spans = sorted((start, start + length) for start, length, _ in line.notes)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_chords_hold_the_melody_and_come_home():
    bars = [
        [Note(pitch, 24) for pitch in notes] for notes in ((0, 4, 7, 4), (5, 9, 12, 9), (7, 11, 14, 11), (0, 4, 0, 0))
    ]
    found = harmony.harmonise(bars, "4/4", "major")
    assert [chord.root for chord in found] == [0, 0, 5, 5, 7, 7, 0, 0]


@pytest.mark.parametrize("mode", melody_tokens.MODES)
def test_every_piece_ends_on_its_tonic_chord(mode):
    for seed in range(20):
        (part,) = melody("4/4", (8,), seed)
        assert harmony.harmonise(part.bars, "4/4", mode)[-1].root == 0


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(grooves())), st.sampled_from(sorted(METRES)), st.integers(1, 40), st.integers(0, 11),
    st.sampled_from(sorted(instruments())), st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_every_band_plays_every_metre_within_its_range_and_its_time(groove, metre, bars, tonic, player, loop, seed):
    brief = read_prompt(f"{player.replace('-', ' ')}", Wishes(metre=metre, bars=bars, tonic=tonic, loop=loop)).brief
    brief = type(brief)(**{**_fields(brief), "groove": groove, "band": (brief.band[0], *grooves()[groove].band[1:])})
    plan = form.plan(bars)
    score = arranging.arrange(brief, melody(metre, plan.lengths, seed), plan, "test", seed)
    known = instruments()
    assert len(score.voices) == len(brief.band)
    for voice in score.voices:
        assert voice.sounds, (voice.name, groove, metre)
        assert min(sound.start for sound in voice.sounds) >= 0
        assert max(sound.start + sound.length for sound in voice.sounds) <= score.steps
        assert all(1 <= sound.loudness <= 127 and 0 <= sound.pitch <= 127 for sound in voice.sounds)
    lead = known[brief.band[0]]
    assert all(lead.low <= sound.pitch <= lead.high for sound in score.voices[0].sounds)


def _fields(brief):
    return {name: getattr(brief, name) for name in brief.__dataclass_fields__}


def test_the_bass_begins_every_chord_on_its_root():
    brief = read_prompt("pop in C major, 8 bars").brief
    plan = form.plan(8)
    score = arranging.arrange(brief, melody("4/4", plan.lengths, 4), plan, "test", 1)
    bass = next(voice for voice in score.voices if voice.name == "bass")
    roots = {slot * 48: chord.root for slot, chord in enumerate(score.chords)
             if slot == 0 or score.chords[slot - 1] != chord or slot % 2 == 0}  # fmt: skip
    heard = {sound.start: sound.pitch % 12 for sound in bass.sounds}
    assert all(heard[start] == root for start, root in roots.items() if start in heard)
    assert len(roots) > 3


def test_swing_moves_the_second_eighth_and_nothing_else():
    brief = read_prompt("jazz in C major, 4 bars, saxophone, piano").brief
    plan = form.plan(4)
    score = arranging.arrange(brief, melody("4/4", plan.lengths, 4), plan, "test", 1)
    assert {sound.start % 24 for sound in score.voices[0].sounds} == {0, 16}


def test_a_melody_that_comes_home_in_its_key_is_worth_more():
    home = [Part([], [[Note(p, 24) for p in (0, 2, 4, 2)], [Note(p, 24) for p in (0, 2, 4, 0)]])]
    lost = [Part([], [[Note(p, 24) for p in (0, 13, 1, 18)], [Note(p, 24) for p in (3, 15, 6, 1)]])]
    assert melody_rank.worth(home, "major") > melody_rank.worth(lost, "major")
    assert melody_rank.worth([Part([], [[Note(None, 96)]])], "major") == float("-inf")
