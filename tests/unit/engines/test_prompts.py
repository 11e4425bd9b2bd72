"""Where an answer begins with given words, also with a template that opens the thoughts itself."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from studio.engines.text import chat_templates, prompts
from studio.requests import ChatRequest, Message


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
