"""One studio with its API for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import Place, served


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """On this machine alone: no key is asked for."""
    with served(tmp_path_factory.mktemp("home"), max_jobs_per_session=40, max_queue=80) as found:
        found.http.get("/v1/models")  # put together when the first request comes
        yield found
