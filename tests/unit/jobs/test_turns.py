"""Whose turn it is among strangers."""

import threading
from contextvars import copy_context

import pytest
from pydantic import SecretStr

from studio.errors import StudioError
from studio.jobs.turns import Turns, Wish, asking
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.service import Studio
from studio.settings import Settings
from tabs.shared import job_progress


class Desk:
    """Jobs named by who sends them, and the order in which they went."""

    def __init__(self, places: int = 1) -> None:
        self.turns, self.went = Turns({"": places}), list[str]()

    def send(self, names: str, address: str = "") -> None:
        for name in names.split():
            with asking(address or name[0], name[0]):
                self.turns.ask(name, lambda name=name: self.went.append(name))

    def work(self) -> str:
        """Let all of them be done, one after another."""
        for name in self.went:  # grows while it is read
            self.turns.leave(name)
        return " ".join(self.went)


def test_whoever_sends_many_keeps_nobody_waiting_for_all_of_them() -> None:
    desk = Desk()
    desk.send("h1 h2 h3 h4 v1 w1 v2")
    assert desk.work() == "h1 h2 v1 w1 h3 v2 h4"


def test_many_names_at_one_address_share_its_turn() -> None:
    desk = Desk()
    desk.send("a1 b1 c1 d1", "hog")
    desk.send("v1 w1")
    desk.send("a2 e1", "hog")
    assert desk.work() == "a1 b1 v1 w1 c1 d1 a2 e1"


def test_as_many_work_at_a_time_as_there_are_places() -> None:
    desk = Desk(2)
    desk.send("a1 b1 c1")
    assert desk.went == ["a1", "b1"]
    desk.turns.leave("b1")
    desk.turns.leave("b1")  # told twice
    assert desk.went == ["a1", "b1", "c1"]


def test_one_that_waits_can_be_taken_out_and_one_that_comes_again_waits_again() -> None:
    desk = Desk()
    desk.send("a1 a2 b1")
    assert (desk.turns.drop("a2"), desk.turns.drop("a2"), desk.turns.drop("a1"), desk.turns.drop("x")) == (
        True, False, False, False
    )  # fmt: skip
    desk.send("a1")  # it made room for others
    assert desk.work() == "a1 b1 a1"


def test_jobs_that_one_model_answers_at_once_take_one_place_and_pass_nobody() -> None:
    turns, went = Turns(), list[str]()

    def send(name: str, wish: Wish = Wish("chat", 3)) -> None:  # noqa: B008 - it is frozen
        with asking(name[0], name[0]):
            turns.ask(name, lambda: went.append(name), wish)

    for name in ("a1", "b1", "c1", "d1"):
        send(name)
    assert went == ["a1", "b1", "c1"]
    send("p1", Wish("picture"))
    send("e1")
    turns.leave("a1")
    assert went[3:] == ["d1"]
    for name in ("b1", "c1"):
        turns.leave(name)
    assert went[4:] == [], "who came later would keep the picture waiting"
    turns.leave("d1")
    assert went[4:] == ["p1"]
    turns.leave("p1")
    assert went[5:] == ["e1"]


def test_a_job_that_waited_for_a_download_has_the_turn_of_who_asked() -> None:
    desk = Desk()
    desk.send("h1 h2")
    with asking("v", "v"):
        waited = copy_context()
    later = threading.Thread(target=waited.run, args=(desk.turns.ask, "v1", lambda: desk.went.append("v1")))
    later.start()
    later.join()
    desk.send("h3")
    assert desk.work() == "h1 h2 v1 h3"


@pytest.mark.parametrize("profile", ["space", "local"])
def test_every_job_of_a_studio_gets_its_turn(settings: Settings, profile: str) -> None:
    with Studio(settings.model_copy(update={"profile": profile})) as studio:
        request = ChatRequest(messages=(Message("user", "hi"),))
        jobs = []
        for number in range(6):
            with asking(f"address {number % 2}", "x"):
                jobs.append(studio.submit(request, f"session {number}"))
        jobs[5].cancel()
        kinds = [list(job.events())[-1].kind for job in jobs]
    assert kinds[:5] == ["done"] * 5
    assert kinds[5] in ("done", "cancelled")


def test_strangers_take_turns_by_the_seconds_that_they_used() -> None:
    now, went = [0.0], list[str]()
    turns = Turns(strangers=True, clock=lambda: now[0])

    def done(seconds: float) -> None:
        now[0] += seconds
        turns.leave(went[-1])

    for name in ("a1", "a2", "b1", "b2", "b3"):
        with asking("", name[0]):
            turns.ask(name, lambda name=name: went.append(name), Wish("m", seconds=None))
    done(100)  # a1
    done(1)  # b1
    done(1)  # b2
    assert went == ["a1", "b1", "b2", "b3"]
    done(1)
    assert went[-1] == "a2"


@pytest.mark.parametrize(("profile", "most"), [("local", 8), ("lan", 8), ("space", 4)])
def test_a_person_has_so_many_jobs_open(settings: Settings, profile: str, most: int) -> None:
    password = SecretStr("a long sentence") if profile == "lan" else SecretStr("")
    with Studio(settings.model_copy(update={"profile": profile, "password": password})) as studio:
        request, jobs = ChatRequest(messages=(Message("user", "hi"),)), []
        studio._runner.turns.hold = lambda *_: True  # pyright: ignore[reportAttributeAccessIssue]
        studio._runner._begin = lambda job, card: None  # pyright: ignore[reportAttributeAccessIssue]
        for _ in range(most):
            jobs.append(studio.submit(request, "me"))
        with pytest.raises(StudioError) as refused:
            studio.submit(request, "me")
        assert refused.value.code == "too_many_jobs"
        assert not studio.submit(request, "somebody else").done
        for job in studio.jobs():
            job.finish("cancelled")


def test_whoever_waits_is_told_when_it_is_their_turn(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"profile": "space"})) as studio:
        request = ChatRequest(messages=(Message("user", "hi"),))
        for _ in range(5):
            studio._runner.pace.ran("demo-chat", "chat", 1.0, 40.0)
        studio._runner.pace.loaded("demo-chat", 0.5)
        studio._runner._ask = lambda job, card, alone=False: None  # pyright: ignore[reportAttributeAccessIssue]
        first, second = studio.submit(request, "a"), studio.submit(request, "b")
        update = second.snapshot()
        assert update.position == 1
        assert update.turn == pytest.approx(40.5, abs=1)
        assert "your turn in about 40 s" in job_progress.progress(update, "en")
        assert "约 40 秒后轮到你" in job_progress.progress(update, "zh-CN")
        assert first.snapshot().position == 0, "asking how long it takes of a job that asks the same ends"
        for job in (second, first):
            job.finish("cancelled")
