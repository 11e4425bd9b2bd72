"""Weights in prompts, as AUTOMATIC1111's web UI reads them."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from studio.tasks.image.prompt_weights import attention, escape, plain, weighted

SYNTAX = st.text(alphabet="ab ()[]\\:.13-,", max_size=60)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("((very)) so", [("very", 1.21), (" so", 1.0)]),
        ("(word:1.3)", [("word", 1.3)]),
        ("(word: 0.5 )", [("word", 0.5)]),
        ("[less]", [("less", 1 / 1.1)]),
        ("([same])", [("same", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        ("unbalanced)", [("unbalanced)", 1.0)]),
        ("a smile :) here", [("a smile :) here", 1.0)]),
        ("\\(literal\\] and \\\\", [("(literal] and \\", 1.0)]),
        ("a\\b", [("a\\b", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("ratio 16:9", [("ratio 16:9", 1.0)]),
        ("(:1.3)", []),
        ("", []),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0),
                ("house", 1.573),
                (" ", 1.1),
                ("on", 1.0),
                (" a ", 1.1),
                ("hill", 0.55),
                (", sun, ", 1.1),
                ("sky", 1.4641),
                (".", 1.1),
            ],
        ),
    ],
)
def test_brackets_mean_what_they_mean_elsewhere(text, pieces):
    found = attention(text)
    assert [words for words, _ in found] == [words for words, _ in pieces]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in pieces])


@settings(deadline=None)
@given(SYNTAX)
@example("(" * 10_000 + "a")
@example("(a" * 3333 + ")" * 3333)
@example("[a(" * 3333)
@example("(a:" + "9" * 400 + ")")
@example("(a:-5)")
def test_any_text_has_pieces_and_finite_weights(text):
    pieces = attention(text)
    assert all(words and -10 <= weight <= 10 for words, weight in pieces)
    assert all(left[1] != right[1] for left, right in pairwise(pieces))


@settings(deadline=None)
@given(st.text(max_size=60).filter(lambda text: not set(text) & set("()[]\\")))
def test_text_without_brackets_stays_as_it_is(text):
    assert plain(text) == text
    assert not weighted(text)


@settings(deadline=None)
@given(st.text(max_size=60) | SYNTAX)
def test_escaped_text_comes_back_whole(text):
    assert plain(escape(text)) == text
    assert not weighted(escape(text))


@settings(deadline=None)
@given(SYNTAX)
def test_no_letter_is_lost(text):
    letters = [letter for letter in text if letter in "ab"]
    assert [letter for letter in plain(text) if letter in "ab"] == letters


def test_only_a_prompt_that_weighs_is_weighted():
    assert weighted("(a)")
    assert weighted("[a] b")
    assert not weighted("(a:1.0) ([b]) \\(c\\)")
