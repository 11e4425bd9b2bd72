"""Who is told of a job: of its end, of what may be offered then, and that it has not ended yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.results import Artifact, Offer

End = Literal["done", "failed", "cancelled"]
Final = Callable[[Job, Artifact | None, StudioError | None], None]
Rescue = Callable[[Job, StudioError | None], tuple[StudioError | None, tuple[Offer, ...]]]
"""What to tell of a failure, and what to offer (studio.jobs.suggestions)."""


class Journal(Protocol):
    """Where it is written down which jobs have not ended."""

    def begun(self, job: str) -> None: ...

    def ended(self, job: str) -> None: ...
