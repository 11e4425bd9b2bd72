"""Several people at once: one model that answers them together, and everybody else's turn all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from studio.engines.demo.fake import FakeModel
from studio.jobs.job import Job
from studio.manager.scheduling import OVERTAKE
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest
from studio.results import Output, Update
from studio.service import Studio
from studio.settings import Settings

PLACES = 3


def ask(text: str) -> ChatRequest:
    return ChatRequest(messages=(Message("user", text),))


def until(job: Job, kind: str) -> Update:
    return next(update for update in job.events(heartbeat=5) if update.kind == kind or update.final)


def last(job: Job) -> Update:
    *_, update = job.events(heartbeat=5)
    return update


@pytest.fixture
def shared(slow: Callable[..., Studio]) -> Studio:
    FakeModel.peak = 0
    return slow(places=PLACES, step_seconds=0.01)


def test_as_many_chats_run_at_once_as_there_are_places_and_each_has_its_own_answer(shared: Studio) -> None:
    jobs = [shared.submit(ask(f"question {number}"), f"session {number}") for number in range(PLACES + 2)]
    ends = [last(job) for job in jobs]
    assert [end.kind for end in ends] == ["done"] * len(jobs)
    assert FakeModel.peak == PLACES
    for number, (job, end) in enumerate(zip(jobs, ends, strict=True)):
        assert end.artifact is not None
        assert f"question {number}" in end.artifact.text
        assert end.artifact.text == job.snapshot().text


def test_one_that_is_stopped_leaves_the_others_alone_and_its_place_to_who_waits(shared: Studio) -> None:
    jobs = [shared.submit(ask(f"question {number}"), f"session {number}") for number in range(PLACES + 1)]
    for job in jobs[:PLACES]:
        until(job, "running")
    assert jobs[PLACES].snapshot().position == 1
    jobs[0].cancel()
    assert [last(job).kind for job in jobs] == ["cancelled", *["done"] * PLACES]


def test_where_the_engine_breaks_each_hears_it_once_and_the_next_is_answered(
    shared: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, real = threading.Barrier(PLACES), FakeModel.run

    def breaks(self: FakeModel, request: Any, context: Any) -> Output:
        together.wait(10)
        raise RuntimeError("the engine is gone")

    monkeypatch.setattr(FakeModel, "run", breaks)
    jobs = [shared.submit(ask("hello"), f"session {number}") for number in range(PLACES)]
    ends = [last(job) for job in jobs]
    assert [end.kind for end in ends] == ["failed"] * PLACES
    assert [end.error and end.error.code for end in ends] == ["internal"] * PLACES
    monkeypatch.setattr(FakeModel, "run", real)
    assert last(shared.submit(ask("and now?"), "session 0")).kind == "done"


def test_a_picture_gets_its_turn_while_chats_keep_coming(shared: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the chats that come after it no more than a few may pass it."""
    real, begun = FakeModel.run, list[str]()

    def noted(self: FakeModel, request: Any, context: Any) -> Output:
        begun.append(request.task)
        return real(self, request, context)

    monkeypatch.setattr(FakeModel, "run", noted)
    first = shared.submit(ask("hello"), "first")
    until(first, "running")
    picture = shared.submit(ImageRequest(prompt="hills", steps=1), "painter")
    later = [shared.submit(ask("hello"), f"session {number}") for number in range(6)]
    assert [last(job).kind for job in (first, picture, *later)] == ["done"] * 8
    assert begun.index("image") <= 1 + OVERTAKE


def test_strangers_share_a_model_as_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.engines.demo.fake import FakeEngine

    monkeypatch.setattr(FakeEngine, "places", lambda self, card: PLACES)
    together, real = threading.Barrier(PLACES), FakeModel.run

    def meets(self: FakeModel, request: Any, context: Any) -> Output:
        together.wait(10)  # none of them comes out alone
        return real(self, request, context)

    monkeypatch.setattr(FakeModel, "run", meets)
    with Studio(settings.model_copy(update={"profile": "space"})) as studio:
        jobs = [studio.submit(ask("hello"), f"session {number}") for number in range(PLACES)]
        assert [last(job).kind for job in jobs] == ["done"] * PLACES
