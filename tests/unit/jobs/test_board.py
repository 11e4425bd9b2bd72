"""The queue as people see and steer it, over a studio of stand-ins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from held import Held

from studio.errors import StudioError
from studio.jobs.board import Board
from studio.jobs.job import Job
from studio.request_parts import Message
from studio.requests import ChatRequest, CodeRequest, ImageRequest, Request
from studio.results import Update
from studio.service import Studio
from studio.settings import Settings

HILLS = ImageRequest(prompt="hills", steps=2)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.go.set()


@pytest.fixture
def behind(studio: Studio, held: Held) -> Callable[..., list[Job]]:
    """Jobs that wait behind one that is stopped in its middle."""

    def behind(*requests: Request, who: str = "me") -> list[Job]:
        if not studio.jobs():
            studio.submit(HILLS, "first")
            assert held.came.wait(10)
        return [studio.submit(request, who) for request in requests]

    return behind


def ended(job: Job) -> Update:
    *_, update = job.events(heartbeat=5)
    return update


def ids(board: Board, session: str | None = None) -> list[str]:
    return [row.job.id for row in board.rows(session) if row.waits]


def test_jobs_stand_in_their_order_and_can_be_moved_held_and_taken_out(
    studio: Studio, behind: Callable[..., list[Job]], held: Held
) -> None:
    one, two, three, four = behind(*(replace(HILLS, prompt=words) for words in ("one", "two", "three", "four")))
    board = studio.queue
    assert [row.job.title for row in board.rows(None)] == ["hills", "one", "two", "three", "four"]
    assert [row.front for row in board.rows(None)] == [0, 1, 2, 3, 4]
    assert board.move(three.id, "me", "front")
    assert board.move(two.id, "me", "up")
    assert not board.move(three.id, "me", "front")
    board.hold(three.id, "me", True)
    assert ids(board) == [two.id, one.id, four.id, three.id]
    assert three.snapshot().held
    assert three.snapshot().kind == "queued"
    board.cancel(one.id, "me")
    assert ended(one).kind == "cancelled"
    held.go.set()
    assert [ended(two).kind, ended(four).kind] == ["done", "done"]
    assert ids(board) == [three.id]
    assert not studio._runner.register.busy(), "what is on hold wants no device"
    assert all(not manager.status().waiting for manager in studio._fleet), "and no lease"
    board.hold(three.id, None, False)
    assert ended(three).kind == "done"
    assert not three.held


def test_what_has_begun_cannot_be_put_on_hold(studio: Studio, behind: Callable[..., list[Job]]) -> None:
    behind()
    first = studio.jobs()[0]
    with pytest.raises(StudioError) as caught:
        studio.queue.hold(first.id, None, True)
    assert caught.value.code == "queue_at_work"
    assert not first.held


def test_one_whose_model_is_awaited_goes_back_into_the_line(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.engines.demo.fake import FakeEngine

    loading, go, real = threading.Event(), threading.Event(), FakeEngine.load

    def load(self: FakeEngine, *args: Any, **more: Any) -> Any:
        loading.set()
        assert go.wait(10)
        return real(self, *args, **more)

    monkeypatch.setattr(FakeEngine, "load", load)
    one, two = studio.submit(HILLS, "me"), studio.submit(HILLS, "me")
    assert loading.wait(10)
    studio.queue.hold(one.id, "me", True)
    assert ids(studio.queue) == [one.id] or ids(studio.queue) == [two.id, one.id]
    go.set()
    assert ended(two).kind == "done"
    assert not one.done
    studio.queue.hold(one.id, "me", False)
    assert ended(one).kind == "done"


def test_everybody_sees_and_steers_their_own(studio: Studio, behind: Callable[..., list[Job]]) -> None:
    (mine,), (theirs,) = behind(HILLS, who="me"), behind(HILLS, who="you")
    board = studio.queue
    assert [row.job.id for row in board.rows("me")] == [mine.id]
    assert [row.front for row in board.rows("you")] == [2]
    for act in (
        lambda: board.move(theirs.id, "me", "front"), lambda: board.hold(theirs.id, "me", True),
        lambda: board.cancel(theirs.id, "me"), lambda: board.repeat(theirs.id, "me", "me"),
    ):  # fmt: skip
        with pytest.raises(StudioError) as caught:
            act()
        assert caught.value.code == "unknown_job"
    assert not theirs.cancelled
    assert not theirs.held


def test_nobodys_hundred_jobs_keep_anothers_one_waiting(settings: Settings, held: Held) -> None:
    """At home as well, where two browsers are two people."""
    with Studio(settings.model_copy(update={"max_queue": 200, "max_jobs_per_session": 100})) as studio:
        many = [studio.submit(replace(HILLS, steps=1), "many") for _ in range(40)]
        one = studio.submit(HILLS, "one")
        assert one.snapshot().position <= 2
        assert held.came.wait(10)
        held.go.set()
        assert ended(one).kind == "done"
        assert sum(job.done for job in many) < 5
        for job in many:
            job.cancel()


def test_what_was_made_is_asked_for_once_more_as_it_was_asked(studio: Studio) -> None:
    studio.queue.recover(())
    picture = ended_picture(studio)
    job = studio.submit(ImageRequest(prompt="over it", image=picture, strength=0.5, steps=2), "me")
    first = ended(job)
    assert job.asked is not None
    assert job.asked.bare, "what is over holds no pictures"
    assert [row.again for row in studio.queue.over("me")] == [True, True]
    again = studio.queue.repeat(job.id, "me", "me")
    assert getattr(again.request, "image", b"") == picture
    assert again.request is not None
    assert again.request.seed != job.request.seed, "a seed that was left open is open again"  # pyright: ignore
    assert ended(again).kind == first.kind == "done"
    with pytest.raises(StudioError):
        studio.queue.repeat("unheard of", None, "me")


def ended_picture(studio: Studio) -> bytes:
    artifact = studio.submit(HILLS, "me").result()
    return artifact.files[0].read_bytes()


def test_strangers_repeat_what_came_without_pictures_and_nothing_of_theirs_is_kept(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"profile": "space"})) as studio:
        studio.queue.recover(())
        job = studio.submit(HILLS, "me")
        assert ended(job).kind == "done"
        assert [row.again for row in studio.queue.over("me")] == [True]
        assert ended(studio.queue.repeat(job.id, "me", "me")).kind == "done"
        picture = job.snapshot().artifact
        assert picture is not None
        over = studio.submit(replace(HILLS, image=picture.files[0].read_bytes(), strength=0.5), "me")
        assert ended(over).kind == "done"
        assert [row.again for row in studio.queue.over("me")] == [False, True, True]
        assert not studio.home.queue.exists()


def test_how_long_it_takes_is_told_once_it_is_known(
    studio: Studio, behind: Callable[..., list[Job]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = studio._runner.pace
    (one, two) = behind(HILLS, HILLS)
    assert [row.front_seconds for row in studio.queue.rows("me")] == [None, None], "nothing is made up"
    job = studio.jobs()[0]
    assert job.plan is not None
    pace.ran(job.model, "image", job.plan.units, 20.0)
    three = studio.submit(replace(HILLS, count=2), "me")
    four = studio.submit(HILLS, "me")
    rows = {row.job.id: row for row in studio.queue.rows("me")}
    assert rows[one.id].front_seconds == pytest.approx(20.0, abs=5)
    assert rows[two.id].front_seconds is None, "the one before it was asked for when nobody knew"
    assert rows[three.id].front_seconds is None
    studio.queue.cancel(one.id, "me")
    studio.queue.cancel(two.id, "me")
    rows = {row.job.id: row for row in studio.queue.rows("me")}
    assert rows[four.id].front_seconds == pytest.approx(60.0, abs=5)


def test_a_model_is_used_once_more_before_another_takes_its_place(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    with Studio(settings.model_copy(update={"memory_gb": 1.0})) as studio:
        cards = {id: replace(card, memory_bytes=600_000_000) for id, card in studio.catalog.cards.items()}
        object.__setattr__(studio.catalog, "cards", MappingProxyType(cards))
        first = studio.submit(HILLS, "me")
        assert held.came.wait(10)
        code = studio.submit(CodeRequest(prefix="def f():"), "me")
        later = studio.submit(HILLS, "me")
        assert ids(studio.queue) == [code.id, later.id], "nobody knows what a load takes"
        studio._runner.pace.loaded(first.model, 30.0)
        third = studio.submit(HILLS, "me")
        assert ids(studio.queue) == [later.id, third.id, code.id]
        assert [round(row.saved) > 1 for row in studio.queue.rows("me") if row.waits] == [True, True, False]
        held.go.set()
        ends = [ended(job) for job in (later, third, code)]
        assert [end.kind for end in ends] == ["done"] * 3
        assert (later.began or 0) < (code.began or 0)


def test_a_conversation_and_a_form_say_that_they_wait_on_hold(
    studio: Studio, behind: Callable[..., list[Job]], held: Held
) -> None:
    (chat,) = behind(ChatRequest(messages=(Message("user", "hello"),)))
    studio.queue.hold(chat.id, "me", True)
    update = next(iter(chat.events()))
    assert (update.kind, update.held) == ("queued", True)
    chat.cancel()
    assert ended(chat).kind == "cancelled"
    assert ids(studio.queue) == []


def test_pace_outlives_the_studio(settings: Settings, tmp_path: Path) -> None:
    with Studio(settings) as studio:
        job = studio.submit(HILLS, "me")
        assert ended(job).kind == "done"
        known = studio._runner.pace.load(job.model)
        assert known is not None
        assert studio._runner.pace.run(job.model, "image", 1.0) is not None
    with Studio(settings) as studio:
        assert studio._runner.pace.load(job.model) == pytest.approx(known, rel=0.2)
        (studio.home.cache / "pace.json").write_text('{"load x": "soon", "load y": -1, "load z": true, "run": 1}')
    with Studio(settings) as studio:
        assert [studio._runner.pace.load(name) for name in "xyz"] == [None] * 3
