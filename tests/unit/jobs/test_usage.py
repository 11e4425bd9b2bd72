"""How much of the context a conversation takes: counted where the model is in memory, else said to be a guess."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from studio.engines.demo.fake import FakeModel
from studio.jobs import token_count
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.results import Usage
from studio.service import Studio
from studio.tasks.chat.conversation import Entry

HELLO = ChatRequest(messages=(Message("user", "one two three"),))


def test_nothing_is_loaded_for_a_number(studio: Studio) -> None:
    found = studio.usage(HELLO)
    assert not found.exact
    assert studio.status().devices[0].models == ()


def test_the_model_in_memory_counts_with_its_own_tokenizer(studio: Studio) -> None:
    *_, last = studio.submit(HELLO).events(heartbeat=5)
    assert last.kind == "done"
    assert studio.usage(HELLO) == Usage(5, 8192, 7168, exact=True)  # "user: one two three", "assistant:"
    *_, last = studio.exact_prompt(HELLO).events(heartbeat=5)
    assert last.artifact is not None
    assert (last.artifact.prompt, last.artifact.stats["prompt_tokens"]) == ("user: one two three\nassistant:", 5)
    assert (last.artifact.text, last.artifact.files) == ("", ())


def test_it_counts_while_it_answers(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.05)
    job = studio.submit(HELLO)
    next(update for update in job.events(heartbeat=1) if update.text)
    assert studio.usage(HELLO).exact
    assert not job.done
    job.cancel()


def test_a_count_that_fails_or_takes_long_becomes_a_guess(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    list(studio.submit(HELLO).events(heartbeat=5))
    monkeypatch.setattr(token_count, "PATIENCE", 0.05)
    ends = threading.Event()
    monkeypatch.setattr(FakeModel, "usage", lambda *_: ends.wait(5))
    assert not studio.usage(HELLO).exact
    ends.set()

    def broken(*_: object) -> Usage:
        raise OSError("closed")

    monkeypatch.setattr(FakeModel, "usage", broken)
    assert not studio.usage(HELLO).exact


@pytest.mark.parametrize(
    ("text", "least", "most"), [("word " * 400, 400, 600), ("你好世界" * 100, 300, 500), ("", 0, 0)]
)
def test_a_guess_is_near_in_english_and_in_chinese(text: str, least: int, most: int) -> None:
    assert least <= token_count.about(text) <= most


def test_a_guess_says_what_will_be_cut(studio: Studio) -> None:
    card = studio.default_model("chat")
    card = replace(card, limits={**card.limits, "context": 400})
    turns = (Message("user", "first"), Message("assistant", "yes")) + (
        Message("user", "word " * 100), Message("assistant", "word " * 100)
    ) * 3  # fmt: skip
    found = token_count.estimated(card, ChatRequest(messages=(*turns, Message("user", "now")), max_tokens=100))
    assert (found.limit, found.room, found.exact) == (400, 300, False)
    assert 1 <= found.cut <= 3


def test_thoughts_are_read_again_only_where_the_card_says_so(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ChatRequest] = []
    run = FakeModel.run

    def noted(self: FakeModel, request: ChatRequest, context: object) -> object:
        asked.append(request)
        return run(self, request, context)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(FakeModel, "run", noted)
    card = studio.default_model("chat")
    for keep in (False, True):
        cards = {**studio.catalog.cards, card.id: replace(card, options={**card.options, "keep_thinking": keep})}
        monkeypatch.setattr(studio.catalog, "cards", cards)
        messages = (Entry("user", "a"), Entry("assistant", "<think>\nhm\n</think>\n\nb"), Entry("user", "c"))
        list(studio.say(replace(studio.chats.new(), messages=messages), ChatRequest(messages=())).events(heartbeat=5))
        assert ("hm" in asked[-1].messages[1].content) is keep
