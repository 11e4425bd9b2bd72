"""The strip under the tabs: what runs, and nothing of what has ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.settings import Settings
from studio.status import Status
from tabs.shell import status


def strip(*jobs: Job) -> str:
    studio = SimpleNamespace(settings=Settings(profile="space", _env_file=None))  # pyright: ignore
    page: Any = SimpleNamespace(studio=studio)
    return status.render(Status((), jobs, 0), page, "en")


def test_a_job_that_runs_is_named() -> None:
    job = Job("image", "hills")
    job.progress_step(3, 20)
    assert "Image" in strip(job)
    assert "Ready" not in strip(job)


def test_a_job_that_failed_a_moment_ago_leaves_its_error_to_its_tab() -> None:
    job = Job("image", "hills")
    job.begin_run()
    job.finish("failed", error=StudioError("out_of_memory", model="Painter"))
    assert "memory ran out" not in strip(job)
    assert "Ready" in strip(job)


def test_that_models_make_what_is_seen_is_said_at_all_times() -> None:
    job = Job("image", "hills")
    job.progress_step(3, 20)
    for shown in (strip(), strip(job)):
        assert "AI-generated" in shown
        assert "check what matters" in shown
