"""The composer's words: whatever the grammar lets through adds up, and reads back as it was written."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.tasks.music import prompt_parser
from studio.tasks.music.brief import styles
from studio.tasks.music.form import plan
from studio.tasks.music.melody_grammar import Guide
from studio.tasks.music.melody_tokens import (
    END,
    HOLD,
    METRES,
    REST,
    Grammar,
    Header,
    Note,
    Part,
    read_melody,
    write_melody,
)

HEADER = Header("jig", "6/8", "major", "even")
PLANS = st.lists(st.integers(1, 16), min_size=1, max_size=4)


def wander(metre: str, plan: list[int], seed: int) -> list[str]:
    """A piece of words drawn by chance from those that the grammar allows."""
    grammar, chance, words = Grammar(metre, plan), random.Random(seed), []
    while (not words or words[-1] != END) and len(words) < 5000:
        words.append(chance.choice(grammar.allowed()))
        grammar.take(words[-1])
    return words


@given(st.sampled_from(sorted(METRES)), PLANS, st.integers(0, 2**32))
def test_whatever_is_allowed_has_the_bars_that_were_asked_for_and_they_add_up(metre, plan, seed):
    words = wander(metre, plan, seed)
    assert words[-1] == END
    parts = read_melody(words)
    assert [len(part.bars) for part in parts] == plan
    for part in parts:
        upbeat = sum(note.length for note in part.upbeat)
        assert upbeat <= METRES[metre] // 2
        *inner, last = [sum(note.length for note in bar) for bar in part.bars]
        assert all(total == METRES[metre] for total in inner)
        assert last == METRES[metre] - upbeat


@given(st.sampled_from(sorted(METRES)), PLANS, st.integers(0, 2**32))
def test_what_is_read_is_written_the_same(metre, plan, seed):
    parts = read_melody(wander(metre, plan, seed))
    assert read_melody(write_melody(Header("reel", metre, "minor", "busy"), parts)) == parts


def test_a_length_stands_only_where_it_changes():
    bar = [Note(0, 12), Note(2, 12), Note(4, 48)]
    assert write_melody(HEADER, [Part([], [bar])])[5:] == ["part", "bar1", "d12", "n0", "n2", "d48", "n4", "end"]


@pytest.mark.parametrize("note", [Note(60, 12), Note(0, 5)])
def test_what_has_no_word_is_refused(note):
    with pytest.raises(ValueError, match="no words for"):
        write_melody(HEADER, [Part([], [[note]])])


def test_reading_goes_as_far_as_the_words_go():
    assert read_melody(["start", "jig", "n5", "part", "bar2", "n3", "d12", "n3"]) == [Part([], [[Note(3, 12)]])]


@pytest.mark.parametrize(("prompt", "least"), [("flamenco, 3/4", 2), ("raga, 2/4", 2), ("japanese koto, 6/8", 1)])
def test_a_network_that_would_rather_wait_sings_all_the_same(prompt: str, least: int):
    """It hardly knows the notes of some scales, and waits wherever the style leaves the rhythm free."""
    brief = prompt_parser.read_prompt(f"{prompt}, 8 bars").brief
    assert brief.metre not in styles()[brief.style].lines
    form = plan(brief.bars)
    guide, words = Guide(brief, form, [], 1, upbeat=False), []
    while (choice := guide.allowed()) != (END,):
        words.append(min(choice, key=lambda word: (word not in (HOLD, REST), word)))
        guide.take(words[-1])
    struck = sum(word[0] == "n" for word in words)
    assert struck >= least * (sum(form.lengths) - 1)
