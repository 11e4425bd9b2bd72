"""The jobs that are known: how many, for how long, and which stop because nobody looks any more."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio.errors import StudioError
from studio.jobs import queue
from studio.jobs.job import Job
from studio.jobs.queue import KEPT_JOBS, Register
from studio.settings import Settings


@pytest.fixture
def opened() -> Iterator[Callable[..., Register]]:
    made: list[Register] = []

    def opened(**settings: Any) -> Register:
        made.append(Register(Settings(_env_file=None, **settings)))  # pyright: ignore
        return made[-1]

    yield opened
    for each in made:
        each.close()


def stopped(job: Job, within: float = 5.0) -> bool:
    """Whether a job is told to stop."""
    until = time.monotonic() + within
    while not job.cancelled and time.monotonic() < until:
        time.sleep(0.005)
    return job.cancelled


def test_finished_jobs_are_forgotten_in_time(opened: Callable[..., Register]) -> None:
    known = opened()
    first = Job("chat", "")
    known.accept(first)
    for _ in range(KEPT_JOBS + 5):
        job = Job("chat", "")
        known.accept(job)
        job.finish("done")
    known.accept(Job("chat", ""))
    assert len(known.jobs()) == KEPT_JOBS + 2
    assert known.job(first.id) is first  # it is not done
    with pytest.raises(StudioError):
        known.job("unheard of")


def test_a_job_whose_page_is_gone_stops_after_a_while(
    opened: Callable[..., Register], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PUBLIC_GRACE", 0.02)
    watched, left = Job("chat", "", session="a"), Job("chat", "", session="b")
    watching = watched.events(0.001)
    next(iter(watching))
    for known in (opened(detach_grace=0.02), opened(profile="space")):
        left = Job("chat", "", session="b")
        for job in (watched, left):
            known.accept(job)
        assert stopped(left)
        assert not watched.cancelled


def test_at_home_work_goes_on_without_a_page(opened: Callable[..., Register]) -> None:
    known, job = opened(), Job("chat", "")
    known.accept(job)
    job.left = 0.0  # long ago
    assert not stopped(job, 0.1)


def test_the_place_in_line_counts_who_has_to_end_first(opened: Callable[..., Register]) -> None:
    known = opened()

    def add(model: str, running: bool = False, device: str = "cpu:0") -> Job:
        job = Job("chat", "", model=model)
        job.device = device
        known.accept(job)
        if running:
            job.begin_run()
        return job

    at_work = [add("chat", running=True) for _ in range(3)]
    add("picture", running=True, device="cuda:0")
    next_chat, picture, other_chat = add("chat"), add("picture"), add("chat")
    assert known.position(next_chat) == 1, "as soon as one of three has ended"
    assert known.position(picture) == 4, "three at work, and one that waits"
    assert known.position(other_chat) == 3
    next_chat.begin_run()
    other_chat.begin_run()
    assert known.position(picture) == 5, "one went past it"
    for job in (*at_work, next_chat):
        job.finish("done")
    assert known.position(picture) == 1
