"""Where an answer begins with given words, also with a template that opens the thoughts itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from studio.engines.text import chat_templates, prompts
from studio.request_parts import Message
from studio.requests import ChatRequest


class Letters:
    """A tokenizer of one token a letter, and a template that ends as it is told."""

    special: Iterable[str] = ("<end>",)

    def __init__(self, ending: str) -> None:
        self.render: chat_templates.Render | None = lambda turns: turns[-1]["content"] + ending

    def tokens(self, text: str, *, special: bool = False, opening: bool = False) -> list[int]:
        del opening
        return [ord(letter) for letter in (text.replace("<end>", "\0") if special else text)]

    def token(self, text: str) -> int:
        return ord(text)


def read(ending: str, opening: str) -> tuple[str, str]:
    """(what the model reads, what the answer begins with)."""
    reading = Letters(ending)
    request = ChatRequest(messages=(Message("user", "hi"),), opening=opening, max_tokens=10)
    made = prompts.chat(reading, request, len, 500, lambda: None, keep_thinking=False, title="M")
    return "".join(map(chr, made.ids)), made.begun


@pytest.mark.parametrize(
    ("ending", "opening", "reads", "begins"),
    [
        ("|", "", "hi|", ""),
        ("|", "Sure, <end>", "hi|Sure, <end>", "Sure, <end>"),
        ("|<think>\n", "", "hi|<think>\n", "<think>\n"),
        ("|<think>\n", "Sure", "hi|<think>\n\n</think>\n\nSure", "Sure"),
        ("|<think>\n", "<think>\nfour", "hi|<think>\nfour", "<think>\nfour"),
        ("|", "<think>\nfour\n</think>\n\n", "hi|<think>\nfour\n</think>\n\n", "<think>\nfour\n</think>\n\n"),
    ],
)
def test_an_answer_begins_as_it_is_told(ending: str, opening: str, reads: str, begins: str) -> None:
    assert read(ending, opening) == (reads, begins)


# ---- a conversation that is longer than the model reads


def said(*lengths: int, first: str = "u") -> tuple[Message, ...]:
    """Messages of so many letters, in turn; each begins with a letter of its own."""
    letters = (chr(ord("A") + number) for number in range(len(lengths)))
    roles = itertools.cycle(("user", "assistant") if first == "u" else ("assistant", "user"))
    return tuple(
        Message(role, letter * length)  # pyright: ignore[reportArgumentType]
        for role, letter, length in zip(roles, letters, lengths, strict=False)
    )


def whole(messages: tuple[Message, ...], room: int, system: str = "") -> prompts.Prompt:
    reading = Letters("|")
    reading.render = lambda turns: "".join(turn["content"] for turn in turns) + "|"
    request = ChatRequest(messages=messages, system=system, max_tokens=room)
    return prompts.chat(reading, request, len, room * 2, lambda: None, keep_thinking=False, title="M")


@pytest.mark.parametrize(
    ("lengths", "letters"),
    [
        ((10, 10, 10, 10, 10), "ABCDE"),  # all of it fits
        ((10, 10, 60, 60, 60, 60, 10), "ABEFG"),  # question and answer at the beginning stay
        ((20, 60, 60, 60, 60, 60, 10), "AG"),  # the answer there is long: the question alone
        ((80, 10, 60, 60, 60, 60, 10), "EFG"),  # the question is long itself
        ((20, 10, 20, 10, 190), "E"),  # what is asked now counts for more
    ],
)
def test_the_beginning_and_the_newest_stay_and_what_is_between_goes(lengths: tuple[int, ...], letters: str) -> None:
    made = whole(said(*lengths), 220)
    assert "".join(dict.fromkeys(made.text.strip("|"))) == letters
    assert len(made.ids) <= 220
    gone = {chr(ord("A") + number) for number in range(0, len(lengths), 2)} - set(letters)
    key = "history_cut_after" if "A" in letters else "history_cut"
    assert made.notes == (((key, {"count": len(gone)}),) if gone else ())


def test_the_system_prompt_stays_whatever_goes() -> None:
    assert whole(said(10, 10, 60, 60, 60, 60, 10), 220, system="Be brief.").text.startswith("Be brief.AAAA")


def test_the_cut_stays_where_it_is_for_some_turns() -> None:
    """What stands before it was read already."""
    begun = said(*[20, 10] * 80, 20)
    begins = [whole(begun[:count], 2200).text[:40] for count in range(121, 147, 2)]
    assert all(text.startswith("A" * 20 + "B" * 10) for text in begins)
    assert 2 <= len(set(begins)) <= 3


def test_what_is_told_before_is_what_becomes_of_it() -> None:
    reading = Letters("|")
    reading.render = lambda turns: "".join(turn["content"] for turn in turns) + "|"
    short = ChatRequest(messages=said(10, 10, 10), max_tokens=220)
    found = prompts.usage(reading, short, len, 440, keep_thinking=False)
    assert (found.count, found.limit, found.room, found.cut, found.exact) == (31, 440, 220, 0, True)
    long = ChatRequest(messages=said(10, 10, 60, 60, 60, 60, 10), max_tokens=220)
    found = prompts.usage(reading, long, len, 440, keep_thinking=False)
    assert found.cut == dict(whole(long.messages, 220).notes)["history_cut_after"]["count"] == 1
    assert found.count > found.room
    over = ChatRequest(messages=said(300), max_tokens=220)
    found = prompts.usage(reading, over, len, 440, keep_thinking=False)
    assert (found.fits, found.count) == (False, 301)


def test_the_exact_prompt_is_what_is_read() -> None:
    made = whole(said(10, 10, 10), 220)
    assert made.shown().prompt == "".join(map(chr, made.ids))
    assert made.shown().stats == {"prompt_tokens": 31.0}


def test_a_form_shuts_the_thoughts_that_a_template_opens_and_is_told_to_the_model() -> None:
    request = ChatRequest(messages=(Message("user", "hi"),), schema='{"type": "object"}', max_tokens=10)
    reading = Letters("|<think>\n")
    reading.render = lambda turns: "".join(turn["content"] for turn in turns) + "|<think>\n"
    made = prompts.chat(reading, request, len, 900, lambda: None, keep_thinking=False, title="M")
    assert made.text.endswith("|<think>\n\n</think>\n\n")
    assert made.begun == ""
    assert 'JSON schema:\n{"type": "object"}' in made.text
