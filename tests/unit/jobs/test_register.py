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
