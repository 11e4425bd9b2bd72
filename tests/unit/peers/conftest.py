"""Two studios on one machine: another one that computes, and one here that knows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import Place, served
from studios import Nursery, away, studio_with, warm

from studio.requests import TASKS
from studio.service import Studio


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    found = Nursery()
    yield found
    found.close()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The one that computes, with its models in memory."""
    with served(tmp_path_factory.mktemp("other"), max_jobs_per_session=40, max_queue=80, keep_alive=-1) as found:
        found.http.get("/v1/models")
        warm(found.studio, *(f"demo-{task}" for task in TASKS))
        yield found


@pytest.fixture(scope="module")
def here(other: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The one that asks, with no model of its own."""
    with studio_with(tmp_path_factory.mktemp("here"), other.url) as found:
        for task in TASKS:
            away(found, f"demo-{task}")
        yield found
