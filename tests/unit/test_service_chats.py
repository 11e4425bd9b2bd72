"""Conversations through the service: turns in order, answers where they belong, notes that stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from studio.engines.demo.fake import FakeModel
from studio.errors import StudioError
from studio.jobs.job import Job
from studio.requests import ChatRequest
from studio.results import Output, Update
from studio.service import Studio
from studio.tasks.chat.conversation import Chat, Entry

ASK = ChatRequest(messages=())


def wait(job: Job) -> Update:
    *_, last = job.events(heartbeat=5)
    return last


def asked(chat: Chat, words: str) -> Chat:
    return chat.replaced(len(chat.messages), Entry("user", words))


def roles(studio: Studio, id: str) -> str:
    return "".join(entry.role[0] for entry in studio.chats.load(id).messages)


def says(monkeypatch: pytest.MonkeyPatch, *outputs: Output | StudioError) -> None:
    """Let the stand-in say these, one after another."""
    left = list(outputs)

    def run(self: FakeModel, request: object, context: object) -> Output:
        said = left.pop(0)
        if isinstance(said, StudioError):
            raise said
        context.text(said.text)  # pyright: ignore[reportAttributeAccessIssue]
        return said

    monkeypatch.setattr(FakeModel, "run", run)


def test_a_second_question_waits_for_the_answer_to_the_first(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.02)
    chat = asked(studio.chats.new(), "one")
    job = studio.say(chat, ASK)
    assert studio.answering(chat.id) is job
    with pytest.raises(StudioError) as caught:
        studio.say(asked(chat, "two"), ASK, session="another browser", seen=chat.mark)
    assert caught.value.code == "chat_busy"
    job.cancel()
    wait(job)
    assert studio.answering(chat.id) is None
    studio.say(asked(studio.chats.load(chat.id), "two"), ASK).cancel()
    assert roles(studio, chat.id) in ("uu", "uau")


def test_who_saw_an_older_state_is_told_and_nothing_is_overwritten(studio: Studio) -> None:
    chat = asked(studio.chats.new(), "one")
    wait(studio.say(chat, ASK))
    seen = studio.chats.load(chat.id)
    wait(studio.say(asked(seen, "from one window"), ASK, seen=seen.mark))
    with pytest.raises(StudioError) as caught:
        studio.say(asked(seen, "from another window"), ASK, seen=seen.mark)
    assert caught.value.code == "chat_changed"
    assert roles(studio, chat.id) == "uaua"
    assert studio.answering(chat.id) is None


def test_renaming_a_conversation_is_no_reason_to_refuse(studio: Studio) -> None:
    chat = asked(studio.chats.new(), "one")
    wait(studio.say(chat, ASK))
    seen = studio.chats.load(chat.id)
    studio.chats.rename(chat.id, "Named")
    wait(studio.say(asked(seen, "two"), ASK, seen=seen.mark))
    assert studio.chats.load(chat.id).title == "Named"


def test_an_answer_to_what_is_no_longer_there_is_kept_beside_it(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.02)
    chat = asked(studio.chats.new(), "one")
    job = studio.say(chat, ASK)
    studio.chats.change(chat.id, lambda found: found.replaced(0, Entry("user", "edited by hand")))
    wait(job)
    saved = studio.chats.load(chat.id)
    assert [entry.content for entry in saved.messages] == ["edited by hand"]
    assert any("You asked: one" in entry.content for tail in saved.former for entry in tail.messages)


def test_notes_and_the_end_of_an_answer_stay_with_it(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, Output("so far", finish="length", notes=(("history_cut", {"count": 3}),)))
    chat = asked(studio.chats.new(), "one")
    wait(studio.say(chat, ASK, notes=(("model_missing", {"model": "A", "used": "B"}),)))
    answer = studio.chats.load(chat.id).messages[1]
    assert answer.finish == "length"
    assert answer.notes == (("model_missing", {"model": "A", "used": "B"}), ("history_cut", {"count": 3}))


def test_a_recipe_does_not_repeat_the_conversation(studio: Studio) -> None:
    chat = asked(studio.chats.new(), "one")
    wait(studio.say(chat, ASK))
    recipe = studio.chats.load(chat.id).messages[1].recipe
    assert recipe is not None
    assert "messages" not in recipe["parameters"]
    assert recipe["parameters"]["temperature"] is not None


def test_a_question_without_an_answer_remembers_why_until_it_has_one(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, StudioError("context_full", count=9, model="M", limit=5), Output("yes"))
    chat = asked(studio.chats.new(), "far too long")
    assert wait(studio.say(chat, ASK)).kind == "failed"
    saved = studio.chats.load(chat.id)
    assert saved.open
    assert saved.messages[0].error == ("context_full", {"count": 9, "model": "M", "limit": 5})
    wait(studio.say(saved.replaced(0, replace(saved.messages[0], error=None)), ASK, seen=saved.mark))
    assert roles(studio, chat.id) == "ua"
    assert studio.chats.load(chat.id).messages[0].error is None


def test_after_a_question_that_was_too_long_a_short_one_is_answered(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[ChatRequest] = []

    def small(self: FakeModel, request: ChatRequest, context: object) -> Output:
        read.append(request)
        if any(len(message.content) > 1000 for message in request.messages):
            raise StudioError("context_full", count=2000, model="M", limit=1000)
        context.text("yes")  # pyright: ignore[reportAttributeAccessIssue]
        return Output("yes")

    monkeypatch.setattr(FakeModel, "run", small)
    chat = asked(studio.chats.new(), "long " * 400)
    assert wait(studio.say(chat, ASK)).kind == "failed"
    seen = studio.chats.load(chat.id)
    assert wait(studio.say(asked(seen, "short"), ASK, seen=seen.mark)).kind == "done"
    assert [message.content for message in read[-1].messages] == ["short"]
    assert roles(studio, chat.id) == "uua"


def test_a_retry_of_which_nothing_comes_leaves_the_answer_that_was_there(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran_out = StudioError("out_of_memory", model="M")
    says(monkeypatch, Output("old"), ran_out, ran_out)
    chat = asked(studio.chats.new(), "one")
    wait(studio.say(chat, ASK))
    seen = studio.chats.load(chat.id)
    assert wait(studio.say(seen.replaced(1), ASK, seen=seen.mark)).kind == "failed"
    saved = studio.chats.load(chat.id)
    assert [entry.content for entry in saved.messages] == ["one", "old"]
    assert saved.former == ()
