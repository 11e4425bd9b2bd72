"""Parts of jobs of other studios: one request through one model of this machine, nothing kept here.

Limits, policy, queue and fairness are those of any request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from studio.errors import StudioError
from studio.jobs.asked import Asked
from studio.jobs.job import Job
from studio.jobs.planner import Intake, Order
from studio.jobs.plans.grid import Grid
from studio.jobs.plans.part import Part
from studio.jobs.plans.single import Single
from studio.library.file_names import Keep
from studio.requests import Request
from studio.results import Output

_FLEETING = Keep(fleeting=True)
TAG = "peer"
"""The tag of the jobs that another studio asked for."""


class Start(Protocol):
    """How an order becomes a job (studio.service)."""

    def __call__(self, order: Order, asked: Asked, session: str) -> Job: ...


@dataclass(frozen=True, slots=True)
class Begun:
    """A part that runs, and where its output will be."""

    job: Job
    made: list[Output]

    @property
    def output(self) -> Output | None:
        """What came of it, once it is over; None where that is nothing, or may not be shown."""
        return self.made[-1] if self.made and self.job.done and self.job.snapshot().artifact is not None else None


class Parts:
    """Starts them."""

    def __init__(self, intake: Intake, start: Start) -> None:
        self._intake, self._start = intake, start

    def begin(self, request: Request, session: str = "", *, previews: bool = False) -> Begun:
        """Start one.

        Raises:
            StudioError: as `Studio.submit`; part_remote, where the model is on yet another computer.
        """
        order = self._intake.order(request, _FLEETING)
        if order.card.host or not self._intake.is_here(order.card):
            raise StudioError("part_remote", model=order.card.title)
        asked, inner = order.plan.request, order.plan
        plan = Part(asked, inner if isinstance(inner, Grid) else Single(asked, notes=inner.notes), keep=_FLEETING)
        how = Asked(request, "several", keep=_FLEETING, tag=TAG, previews=previews)
        return Begun(self._start(Order(order.card, plan), how, session), plan.made)
