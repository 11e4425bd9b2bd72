"""What a conversation has no room for, summed up where that is asked for."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from studio.engines.demo.fake import FakeModel
from studio.jobs.plans import summary
from studio.requests import ChatRequest
from studio.results import Output
from studio.service import Studio
from studio.tasks.chat.attachments import PICTURE, read_attachment
from studio.tasks.chat.conversation import Chat, Entry

SAID = "They spoke of a cat called Minka."


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ChatRequest]:
    """What the model was asked; a model that reads 400 tokens."""
    found: list[ChatRequest] = []
    own = FakeModel.run

    def run(self: FakeModel, request: Any, context: Any) -> Output:
        found.append(request)
        if "sum up" in request.system:
            context.text(SAID)
            return Output(text=f"{request.opening} {SAID}")
        return own(self, request, context)

    monkeypatch.setattr(FakeModel, "run", run)
    monkeypatch.setattr(summary, "_kept", type(summary._kept)())
    started = FakeModel.__init__

    def small(self: FakeModel, card: Any) -> None:
        started(self, replace(card, limits={**card.limits, "context": 400}))

    monkeypatch.setattr(FakeModel, "__init__", small)
    return found


def long(chat: Chat, exchanges: int) -> Chat:
    for number in range(exchanges):
        chat = chat.replaced(len(chat.messages), Entry("user", f"question {number} " + "word " * 30))
        chat = chat.replaced(len(chat.messages), Entry("assistant", f"answer {number} " + "word " * 30))
    return chat.replaced(len(chat.messages), Entry("user", "What was the cat called?"))


def say(studio: Studio, chat: Chat, **settings: Any) -> Entry:
    *_, last = studio.say(chat, ChatRequest(messages=(), max_tokens=50, **settings)).events(heartbeat=5)
    assert last.error is None, last.error
    return studio.chats.load(chat.id).messages[-1]


def test_it_stands_in_the_place_of_what_was_left_out(studio: Studio, asked: list[ChatRequest]) -> None:
    answer = say(studio, long(studio.chats.new(), 8), summarise=True, system="Be brief.")
    *parts, last = asked
    assert parts, "it was summed up"
    assert all("sum up" in one.system for one in parts)
    assert "question 1 " in parts[0].messages[0].content
    assert last.system.startswith("Be brief.")
    assert last.system.endswith(SAID)
    assert last.messages[-1].content == "What was the cat called?"
    assert len(last.messages) < 17
    notes = dict(answer.notes)
    assert notes["history_summarised"]["count"] > 0
    assert SAID not in answer.content, "the summary is not shown as an answer"
    assert answer.recipe is not None
    assert answer.recipe["parameters"]["summarise"] is True


def test_the_same_part_is_summed_up_once(studio: Studio, asked: list[ChatRequest]) -> None:
    chat = long(studio.chats.new(), 8)
    say(studio, chat, summarise=True)
    before = sum("sum up" in one.system for one in asked)
    again = studio.chats.new()
    say(studio, replace(long(again, 8), id=again.id), summarise=True)
    assert sum("sum up" in one.system for one in asked) == before


@pytest.mark.parametrize(("exchanges", "given"), [(1, {"summarise": True}), (8, {})])
def test_nothing_is_summed_up_unasked_or_where_all_fits(
    studio: Studio, asked: list[ChatRequest], exchanges: int, given: dict[str, Any]
) -> None:
    answer = say(studio, long(studio.chats.new(), exchanges), **given)
    assert not any("sum up" in one.system for one in asked)
    assert ("history_cut" in str(answer.notes)) == (exchanges > 1)


def test_texts_that_came_along_are_summed_up_and_of_a_picture_is_told(studio: Studio, asked: list[ChatRequest]) -> None:
    out = io.BytesIO()
    Image.new("RGB", (9, 7), "red").save(out, "PNG")
    files = (read_attachment("minka.txt", b"Minka is a cat. " * 20), read_attachment("a.png", out.getvalue()))
    chat = studio.chats.new()
    for number in range(8):
        chat = chat.replaced(
            len(chat.messages), Entry("user", f"question {number} " + "word " * 30, files=files if number == 2 else ())
        )
        chat = chat.replaced(len(chat.messages), Entry("assistant", f"answer {number}"))
    say(studio, chat.replaced(len(chat.messages), Entry("user", "And now?")), summarise=True)
    told = "\n".join(one.messages[0].content for one in asked if "sum up" in one.system)
    assert "File: minka.txt" in told
    assert "Minka is a cat. Minka" in told
    assert "[a picture] " in told
    assert PICTURE not in told
    before = len(asked)
    other = replace(files[0], data=b"Tom is a dog. " * 20, sha256="0" * 64)
    changed = replace(chat, id=studio.chats.new().id, messages=tuple(
        replace(one, files=(other,)) if one.files else one for one in chat.messages
    ))  # fmt: skip
    say(studio, changed.replaced(len(chat.messages), Entry("user", "And now?")), summarise=True)
    assert any("Tom is a dog" in one.messages[0].content for one in asked[before:]), "another file, another summary"


def test_a_text_that_is_longer_than_the_model_reads_is_summed_up_piece_by_piece(
    studio: Studio, asked: list[ChatRequest]
) -> None:
    text = b" ".join(b"word%d" % number for number in range(4000))
    first = Entry("user", "Read this", files=(read_attachment("long.txt", text),))
    chat = studio.chats.new().replaced(0, first)
    chat = chat.replaced(1, Entry("assistant", "I have."))
    say(studio, chat.replaced(2, Entry("user", "What was it?")), summarise=True)
    parts = [one.messages[0].content for one in asked if "sum up" in one.system]
    assert 4 <= len(parts) <= summary._PIECES + 1
    assert "word1 " in parts[0]
    assert "word150 " in parts[2] or "word150 " in parts[1] or "word150 " in parts[3]


def test_a_long_part_is_summed_up_in_steps(studio: Studio, asked: list[ChatRequest]) -> None:
    say(studio, long(studio.chats.new(), 40), summarise=True)
    parts = [one for one in asked if "sum up" in one.system]
    assert len(parts) > 1
    assert SAID in parts[1].messages[0].content, "the summary so far goes along"
