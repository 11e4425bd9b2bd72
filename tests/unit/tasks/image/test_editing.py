"""Prompts that change from step to step, as stable-diffusion-webui documents them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.tasks.image import prompt_schedule

# The examples in the comment of modules/prompt_parser.py, with ten steps: [last step, prompt] each.
DOCUMENTED = {
    "test": [(10, "test")],
    "a [b:3]": [(3, "a "), (10, "a b")],
    "a [b: 3]": [(3, "a "), (10, "a b")],
    "a [[[b]]:2]": [(2, "a "), (10, "a [[b]]")],
    "[(a:2):3]": [(3, ""), (10, "(a:2)")],
    "a [b : c : 1] d": [(1, "a b  d"), (10, "a  c  d")],
    "a[b:[c:d:2]:1]e": [(1, "abe"), (2, "ace"), (10, "ade")],
    "a [unbalanced": [(10, "a [unbalanced")],
    "a [b:.5] c": [(5, "a  c"), (10, "a b c")],
    "((a][:b:c [d:3]": [(3, "((a][:b:c "), (10, "((a][:b:c d")],
    "[a|(b:1.1)]": [(n, ("a", "(b:1.1)")[(n - 1) % 2]) for n in range(1, 11)],
    "[fe|]male": [(n, ("female", "male")[(n - 1) % 2]) for n in range(1, 11)],
    "a [b::0.3] c": [(3, "a b c"), (10, "a  c")],
    "a [b:c:0.3] d": [(3, "a b d"), (10, "a c d")],
    "a [b:c:20] d": [(10, "a b d")],
}


@pytest.mark.parametrize("prompt", DOCUMENTED)
def test_a_prompt_means_at_each_step_what_the_web_ui_says(prompt: str) -> None:
    expected: list[str] = []
    for last, words in DOCUMENTED[prompt]:
        expected += [words] * (last - len(expected))
    assert list(prompt_schedule.timetable(prompt, 10)) == expected
    assert prompt_schedule.edited(prompt) == (len(set(expected)) > 1 or prompt == "a [b:c:20] d")


@pytest.mark.parametrize(
    "prompt", [r"a \[b:c:0.5\]", r"a \[b|c\]", "a [b:c]", "a [b] (c:1.2)", "a: b | c", "[a:b:c:0.5]"]
)
def test_what_is_escaped_or_no_edit_stays_as_it_is(prompt: str) -> None:
    assert set(prompt_schedule.timetable(prompt, 4)) == {prompt}
    assert not prompt_schedule.edited(prompt)


def test_a_second_pass_goes_on_where_the_first_ended() -> None:
    assert prompt_schedule.timetable("[a:b:0.5]", 4, begun=1) == ("b",) * 4
    assert prompt_schedule.timetable("[a:b:1.5]", 4, begun=1) == ("a", "a", "b", "b")
    assert prompt_schedule.timetable("[a:b:6]", 4, begun=1) == ("a", "a", "b", "b")


def test_what_names_something_that_is_not_here_is_taken_out_and_named() -> None:
    prompt = "a cat, <hypernet:puppy:0.5>, (embedding:EasyNegative:1.2), embedding:v2/bad-hands.pt, (tall:1.1)"
    assert prompt_schedule.without_tags(prompt) == (
        "a cat, (tall:1.1)",
        ("<hypernet:puppy:0.5>", "embedding:EasyNegative", "embedding:v2/bad-hands.pt"),
    )
    assert prompt_schedule.without_tags("a cat <3 and <lora:x:1>") == ("a cat <3 and <lora:x:1>", ())


# As `re_AND` and `re_weight` of modules/prompt_parser.py part them; the example with three is its wiki's.
JOINED = {
    "a cat": [("a cat", 1.0)],
    "a cat AND a dog": [("a cat", 1.0), ("a dog", 1.0)],
    "a cat :1.2 AND a dog AND a penguin :2.2": [("a cat", 1.2), ("a dog", 1.0), ("a penguin", 2.2)],
    "a cat: -.5 AND (a dog:1.3)": [("a cat", -0.5), ("(a dog:1.3)", 1.0)],
    "a cat:2. AND a ratio of 3:4": [("a cat", 2.0), ("a ratio of 3", 4.0)],
    "a cat :x AND [b:c:0.5]": [("a cat :x", 1.0), ("[b:c:0.5]", 1.0)],
    "a SAND AND\na dog": [("a SAND", 1.0), ("a dog", 1.0)],
    "a AND  AND b": [("a", 1.0), ("", 1.0), ("b", 1.0)],
}


@pytest.mark.parametrize("prompt", JOINED)
def test_and_parts_prompts_and_their_weights_as_the_web_ui_does(prompt: str) -> None:
    assert list(prompt_schedule.joined(prompt)) == JOINED[prompt]


def test_and_in_a_text_of_capitals_is_a_word_and_prompts_are_bounded() -> None:
    assert prompt_schedule.joined("A CAT AND A DOG :2") == (("A CAT AND A DOG :2", 1.0),)
    assert prompt_schedule.joined("a cat :2") == (("a cat :2", 1.0),)
    assert len(prompt_schedule.joined("a AND " * 40)) == 8


@given(st.text(alphabet="ab [](){}:|\\.0123BREAK,", max_size=60), st.integers(1, 8))
def test_whatever_is_typed_is_a_prompt_a_step(text: str, steps: int) -> None:
    found = prompt_schedule.timetable(text, steps)
    assert len(found) == steps
    assert all(len(words) <= len(text) for words in found)


@pytest.mark.parametrize(
    "text", ["[" * 10_000, "[a|" * 3_000, "[a:" * 3_000 + ":0.5]" * 3_000, "(" * 5_000 + ")" * 5_000]
)
def test_a_wall_of_brackets_costs_little(text: str) -> None:
    began = time.process_time()
    prompt_schedule.timetable(text, 8)
    assert time.process_time() - began < 1
