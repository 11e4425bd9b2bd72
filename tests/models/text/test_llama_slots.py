"""The starter answering several people at once: each their own answer, their own Stop, their own memory of the talk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_llama import Listener, ask, complete

from studio.catalog.card import Card
from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.engines.text import llama
from studio.engines.text.llama import PLACES, LlamaEngine, LlamaModel
from studio.paths import Home
from studio.requests import ChatRequest, CodeRequest
from studio.results import Output
from studio.store import Store

CPU = Device("cpu")
CONTEXT = 256
HERE = 4


@pytest.fixture(scope="module")
def card(starter_home: Path) -> Card:
    found = Catalog.load(Home.at(starter_home)).get("smollm2-135m")
    return replace(found, limits={"context": CONTEXT})


@pytest.fixture(scope="module")
def file(starter_home: Path, card: Card) -> Path:
    return Store(Home.at(starter_home)).path(card)


@pytest.fixture(scope="module")
def model(card: Card, file: Path) -> Iterator[LlamaModel]:
    loaded = LlamaEngine().load(card, file, CPU, lambda _: None, HERE)
    yield loaded
    loaded.close()


class Meeting(Listener):
    """Goes on only when all of them have begun to speak: none is answered before another one."""

    def __init__(self, all_speak: threading.Barrier, stop_after: int = 10**9) -> None:
        super().__init__(stop_after)
        self._all_speak = all_speak

    def text(self, delta: str) -> None:
        first = not self.words
        super().text(delta)
        if first and delta:
            self._all_speak.wait(60)


def together(model: LlamaModel, asked: list[tuple[ChatRequest | CodeRequest, Listener]]) -> list[Output]:
    """The answers to requests that are asked at once."""
    answers: dict[int, Output] = {}

    def run(number: int) -> None:
        answers[number] = model.run(*asked[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return [answers[number] for number in range(len(asked))]


def test_a_place_weighs_what_the_engine_says(card: Card, file: Path) -> None:
    engine = LlamaEngine()
    assert (engine.places(card), engine.places(replace(card, options={"places": 1}))) == (PLACES, 1)
    large = replace(card, limits={"context": 8192})
    sizes: list[int] = []
    for places in (1, 1, 3):  # the first takes for good what the library wants once
        loaded = engine.load(large, file, CPU, lambda _: None, places)
        sizes.append(loaded.nbytes())
        loaded.close()
    assert 2 * engine.place_nbytes(large, file) == pytest.approx(sizes[2] - sizes[1], rel=0.1)


def test_all_are_answered_at_once_and_nobody_gets_anothers_answer(model: LlamaModel) -> None:
    meet = threading.Barrier(HERE)
    code = complete("def add(a: int, b: int) -> int:\n    ", max_tokens=16)
    asked = [(ask(f"What is the capital of {land}?"), Meeting(meet)) for land in ("France", "Italy", "Japan")]
    outputs = together(model, [*asked, (code, Meeting(meet))])
    for output, word in zip(outputs, ("Paris", "Rome", "Tokyo", "return"), strict=True):
        assert word in output.text


def test_stopping_one_leaves_the_others_alone(model: LlamaModel) -> None:
    meet = threading.Barrier(3)
    story = ask("Tell me a long story.", max_tokens=16)
    listeners = [Meeting(meet), Meeting(meet, stop_after=3), Meeting(meet)]
    outputs = together(model, [(story, listener) for listener in listeners])
    assert [output.finish for output in outputs] == ["length", "cancelled", "length"]
    assert [output.stats["tokens"] for output in outputs] == [16, 3, 16]


def test_conversations_by_turns_read_only_what_is_new(model: LlamaModel) -> None:
    talks = {land: [f"What is the capital of {land}?"] for land in ("France", "Italy", "Spain")}
    before: dict[str, float] = {}
    for turn in range(3):
        for land, talk in talks.items():
            output = model.run(ask(*talk, max_tokens=12), Listener())
            if turn:
                assert output.stats["cached_tokens"] >= before[land]
            before[land] = output.stats["prompt_tokens"]
            talk += [output.text, "Tell me more."]


def test_each_has_a_whole_context_to_itself(model: LlamaModel) -> None:
    long = [ask(f"{number} " + "word " * (CONTEXT - 70), max_tokens=4) for number in range(2)]
    together(model, [(request, Listener()) for request in long])
    for output in together(model, [(request, Listener()) for request in long]):
        assert output.stats["cached_tokens"] > 0.7 * CONTEXT


def test_a_short_question_does_not_wait_for_a_long_one_to_be_read(
    model: LlamaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama, "PIECE", 24)
    begun, order = threading.Event(), list[str]()

    class Reader(Listener):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def alive(self) -> None:
            if self.name == "long":
                begun.set()

        def text(self, delta: str) -> None:
            order.append(self.name)

    long = ask("Remember: " + "salt, pepper, " * 45 + "what was that?", max_tokens=4)
    reading = threading.Thread(target=model.run, args=(long, Reader("long")))
    with model._slots.taken([], "chat", lambda: None):  # somebody else is being answered
        reading.start()
        assert begun.wait(30)
        model.run(ask("Hello, who are you?", max_tokens=4), Reader("short"))
        reading.join(60)
    assert order[0] == "short"
    assert "long" in order
