"""What the page offers to try, run by the real starter as the page runs it: it ends, goes nowhere twice, and fits."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_llama import CPU, Listener

from studio.catalog.card import Card
from studio.catalog.catalog import Catalog
from studio.engines.text.llama import LlamaEngine, LlamaModel
from studio.i18n import table
from studio.jobs.languages import reads_chinese
from studio.paths import Home
from studio.request_parts import Message
from studio.requests import ChatRequest, CodeRequest
from studio.store import Store
from studio.tasks import limits
from tabs.chat.tab import EXAMPLES
from tabs.code.tab import EXAMPLE

SEEDS = (1, 2)
ABOUT = {
    "What is the capital of France?": r"\bParis\b",
    "Write a short poem about the sea.": r"\b(sea|ocean|wave)",
    "Give me three tips for better sleep.": r"(?s)1\..*2\..*3\.",
}
"""What an answer to each example of the chat tab must hold."""


def repeats(text: str, words: int = 5) -> float:
    """The share of runs of `words` words that were there before: near 0 for prose, near 1 for a loop."""
    said = re.findall(r"\w+", text.lower())
    runs = [tuple(said[at : at + words]) for at in range(len(said) - words + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


@pytest.fixture(scope="module")
def card(starter_home: Path) -> Card:
    return Catalog.load(Home.at(starter_home)).get("smollm2-135m")


@pytest.fixture(scope="module")
def model(card: Card, starter_home: Path) -> Iterator[LlamaModel]:
    loaded = LlamaEngine().load(card, Store(Home.at(starter_home)).path(card), CPU, lambda _: None)
    yield loaded
    loaded.close()


def test_each_offered_example_is_here() -> None:
    assert {table("en")[key] for key in EXAMPLES} == set(ABOUT)


def test_a_chinese_page_offers_the_starter_no_example_that_it_does_not_read(card: Card) -> None:
    assert not reads_chinese(card)


@pytest.mark.parametrize("words", ABOUT)
def test_an_example_of_the_chat_tab_is_answered(card: Card, model: LlamaModel, words: str) -> None:
    for seed in SEEDS:
        asked = ChatRequest(messages=(Message("user", words),), seed=seed, max_tokens=256)
        output = model.run(limits.resolve(asked, card, lambda: 0), Listener())
        assert output.finish == "stop", (seed, output.text)
        assert repeats(output.text) < 0.1, (seed, output.text)
        assert re.search(ABOUT[words], output.text, re.IGNORECASE), (seed, output.text)


def test_the_example_of_the_code_tab_is_completed(card: Card, model: LlamaModel) -> None:
    for seed in SEEDS:
        asked = CodeRequest(prefix=EXAMPLE, suffix="", language="python", seed=seed)
        output = model.run(limits.resolve(asked, card, lambda: 0), Listener())
        assert output.finish == "stop", (seed, output.text)
        assert repeats(output.text) < 0.1
        (function,) = ast.parse(EXAMPLE + output.text).body
        assert isinstance(function, ast.FunctionDef)
        assert any(isinstance(node, ast.Return) for node in ast.walk(function)), output.text


@pytest.mark.parametrize(
    ("text", "loops"),
    [("I like the sea. " * 8, True), ("The sea is blue, the sky is grey, and the gulls cry over the harbour.", False)],
)
def test_a_loop_is_told_from_prose(text: str, loops: bool) -> None:
    assert (repeats(text) > 0.1) == loops
