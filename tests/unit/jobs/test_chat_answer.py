"""An answer while it is written: thoughts that end, loops that are stopped, forms that are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from studio.engines.demo.fake import FakeModel
from studio.requests import ChatRequest
from studio.results import Output, Update
from studio.service import Studio
from studio.tasks.chat.conversation import Entry

SCHEMA = json.dumps({"type": "object", "required": ["name"]})


class Speaker:
    """Says what it is told to, word by word, and hears Stop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, say: Callable[[ChatRequest], str]) -> None:
        self.asked: list[ChatRequest] = []

        def run(_: FakeModel, request: ChatRequest, context: Any) -> Output:
            self.asked.append(request)
            said = request.opening
            context.text(request.opening)
            for number, word in enumerate(say(request).split(" "), 1):
                if context.cancelled:
                    return Output(text=said, finish="cancelled", stats={"tokens": float(number - 1)})
                context.text(word + " ")
                said += word + " "
                context.step(number)
            return Output(text=said, stats={"tokens": float(number)})

        monkeypatch.setattr(FakeModel, "run", run)


def ended(studio: Studio, **settings: Any) -> tuple[Update, Entry]:
    chat = studio.chats.new()
    job = studio.say(chat.replaced(0, Entry("user", "Go")), ChatRequest(messages=(), **settings))
    *_, last = job.events(heartbeat=5)
    return last, studio.chats.load(chat.id).messages[1]


def test_a_thought_ends_at_its_budget_and_the_answer_comes(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    thought = "<think>\n" + " ".join(f"w{number}" for number in range(100))
    speaker = Speaker(monkeypatch, lambda request: "Four." if request.opening else thought)
    last, answer = ended(studio, thinking_budget=10, max_tokens=50)
    assert last.kind == "done"
    assert answer.content.split() == ["<think>", *(f"w{number}" for number in range(10)), "</think>", "Four."]
    assert answer.finish == "stop"
    assert dict(answer.notes)["thinking_ended"] == {"count": 10}
    assert speaker.asked[1].opening.endswith("</think>\n\n")
    assert speaker.asked[1].max_tokens == 40
    assert last.artifact is not None
    assert last.artifact.stats["tokens"] == 11
    assert last.artifact.recipe["parameters"]["thinking_budget"] == 10


def test_a_thought_within_its_budget_goes_on(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    speaker = Speaker(monkeypatch, lambda _: "<think>\nhm\n</think>\n\n" + "Four. " * 30)
    _, answer = ended(studio, thinking_budget=20)
    assert len(speaker.asked) == 1
    assert "thinking_ended" not in dict(answer.notes)


def test_a_loop_is_stopped_with_a_word_about_it(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    Speaker(monkeypatch, lambda _: "Well. " + "I am sorry. " * 5000)
    last, answer = ended(studio)
    assert last.kind == "done"
    assert len(answer.content) < 1000
    assert (answer.finish, [key for key, _ in answer.notes]) == ("stop", ["looped"])


def test_an_answer_in_a_form_is_marked(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeModel, "keeps_form", True, raising=False)
    Speaker(monkeypatch, lambda _: '{"name": "fox"}')
    assert ended(studio, schema=SCHEMA)[1].notes == (("schema_valid", {}),)
    speaker = Speaker(monkeypatch, lambda _: "{}")
    _, answer = ended(studio, schema=SCHEMA)
    assert [key for key, _ in answer.notes] == ["schema_invalid"]
    assert len(speaker.asked) == 1


def test_where_the_engine_cannot_keep_it_one_more_try_is_made_and_said(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = Speaker(monkeypatch, lambda request: "It is a fox." if len(request.messages) == 1 else '{"name": "fox"}')
    _, answer = ended(studio, schema=SCHEMA)
    assert answer.content.strip() == '{"name": "fox"}'
    assert [key for key, _ in answer.notes] == ["schema_retried", "schema_valid"]
    assert "not JSON" in speaker.asked[1].messages[-1].content
    assert len(speaker.asked) == 2
    speaker = Speaker(monkeypatch, lambda _: "Never.")
    _, answer = ended(studio, schema=SCHEMA)
    assert [key for key, _ in answer.notes] == ["schema_retried", "schema_invalid"]
    assert len(speaker.asked) == 2
