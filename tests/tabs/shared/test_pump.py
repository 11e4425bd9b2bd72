"""What a browser is sent of a job: everything in the end, not every token on its own, Stop at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.results import Update
from studio.service import Studio
from tabs.shared import job_progress

HELLO = ChatRequest(messages=(Message("user", "hello " * 40),))


def test_nothing_is_lost_although_tokens_come_faster_than_pages_draw(studio: Studio) -> None:
    job = studio.submit(HELLO)
    updates = list(job_progress.watch(job))
    assert "".join(update.text for update in updates) == job.snapshot().text
    assert updates[-1].final


def test_a_browser_gets_far_fewer_updates_than_there_are_tokens(slow: Callable[..., Studio]) -> None:
    updates = list(job_progress.watch(slow(step_seconds=0.004).submit(HELLO)))
    tokens = updates[-1].step
    assert tokens > 60
    assert 3 < len(updates) < tokens / 3


def test_stop_is_said_at_once(slow: Callable[..., Studio]) -> None:
    job = slow(step_seconds=0.3).submit(HELLO)
    seen = []
    for update in job_progress.watch(job):
        seen.append(update)
        if update.kind == "running" and not job.cancelled:
            job.cancel()
    first = next(update for update in seen if update.stopping)
    assert not first.final
    assert seen[-1].kind == "cancelled"


def test_a_page_that_started_something_newer_leaves_the_stopped_job(slow: Callable[..., Studio]) -> None:
    job = slow(step_seconds=0.1).submit(HELLO)
    for update in job_progress.watch(job, superseded=lambda: job.cancelled):
        if update.kind == "running":
            job.cancel()
    assert not job.done


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("kind", ["queued", "downloading", "loading", "running", "cancelled"])
def test_every_state_has_words_in_every_language(kind: str, language: str) -> None:
    update = Update("j", 1, kind, step=2, steps=5, position=1, bytes_done=5, bytes_total=9, seconds_left=200)  # pyright: ignore[reportArgumentType]
    shown = job_progress.progress(update, language)
    assert "progress." not in shown
    assert len(shown) > 20


def test_time_left_is_shown_only_where_it_is_known() -> None:
    assert "left" not in job_progress.progress(Update("j", 1, "running", step=1, steps=4), "en")
    assert "12 s left" in job_progress.progress(Update("j", 1, "running", step=1, steps=4, seconds_left=12), "en")


def test_hostile_words_in_an_error_are_shown_as_words() -> None:
    shown = job_progress.failure(StudioError("unknown_model", model="<img src=x onerror=alert(1)>"), "en")
    assert "<img" not in shown


def test_the_time_left_is_measured_and_leaves_the_first_step_out() -> None:
    job = Job("image", "x")
    job.progress_step(1, 4)
    assert job.snapshot().seconds_left is None
    job.progress_step(2, 4)
    left = job.snapshot().seconds_left
    assert left is not None
    assert left < 1
