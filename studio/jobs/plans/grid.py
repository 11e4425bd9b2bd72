"""Several picture requests, one after another, through one loaded model: the cells of a grid.

A cell that is skipped or fails is missing, Stop keeps those that are done, and the progress is that of all. Knows
nothing of how they lie on a sheet (studio.tasks.image.contact_sheet).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from studio.engines.base import Loaded
from studio.errors import Cancelled, StudioError
from studio.jobs.context import RunContext
from studio.jobs.job import Job
from studio.requests import ImageRequest
from studio.results import Output

log = logging.getLogger("studio")


def run(model: Loaded, job: Job, adapters: Path | None) -> Output:
    """All cells of a job; `Output.requests` are those of the finished ones.

    Raises:
        Cancelled: stopped before one was done.
        StudioError: no cell can be painted; says why the first could not.
    """
    images: list[Image.Image] = []
    seeds: list[int] = []
    requests: list[ImageRequest] = []
    notes: list[tuple[str, dict[str, Any]]] = []
    stats: dict[str, float] = {}
    failures: list[Exception] = []
    context, finish = _CellContext(job, adapters, job.cells), "stop"
    for number, cell in enumerate(job.cells):
        context.begin(number)
        try:
            context.check()
            output = model.run(cell, context)
        except Cancelled:
            if job.cancelled:
                finish = "cancelled"
                break
            continue  # skipped
        except StudioError as error:  # this one's own fault: a scheduler that the model does not know, a black picture
            failures.append(error)
            continue
        except Exception as error:
            if not images:
                raise
            log.exception("a cell failed after %d were done", len(images))  # those are worth keeping
            failures += [error] * (len(job.cells) - number)
            break
        images += output.images
        seeds += output.seeds
        requests += [cell] * len(output.images)
        notes += [note for note in output.notes if note not in notes]
        for name, value in output.stats.items():
            stats[name] = stats.get(name, 0.0) + value
        if output.finish == "cancelled":
            finish = "cancelled"
            break
    if not images:
        raise failures[0] if failures and not job.cancelled else Cancelled
    if failures:
        notes.append(("cells_failed", {"count": len(failures)}))
    return Output(
        images=tuple(images), seeds=tuple(seeds), finish=finish, stats=stats, notes=tuple(notes),
        requests=tuple(requests),
    )  # fmt: skip


class _CellContext(RunContext):
    """Counts the steps of all cells: those behind as they were, those ahead as their requests say."""

    def __init__(self, job: Job, adapters: Path | None, cells: Sequence[ImageRequest]) -> None:
        super().__init__(job, adapters)
        self._planned = [int(cell.steps or 1) for cell in cells]
        self._number = 0

    def begin(self, number: int) -> None:
        self._number = number

    def step(self, done: int, total: int = 0) -> None:
        if total:
            self._planned[self._number] = total
        super().step(sum(self._planned[: self._number]) + done, sum(self._planned))
