"""Looks into a model: live runs (studio.jobs.live) that ask it for more than an answer.

A look goes through the manager's lane like any job, is kept nowhere, gives way to every job at its next step, and the
next one of the same person takes its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from studio.catalog.card import Card
from studio.catalog.catalog import Catalog
from studio.errors import Cancelled, StudioError
from studio.jobs.context import Plan, RunContext
from studio.jobs.live import Live
from studio.jobs.planner import Intake
from studio.requests import ImageRequest, Request, Task
from studio.results import Output

T = TypeVar("T")
SECONDS = 30.0
"""A look gets so many and is ended then: nothing on the page needs a tenth of them on two cores."""


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What somebody who looks is shown.

    Attributes:
        value: what the experiment makes of it.
        output: the texts and pictures in it, for whoever decides what may be shown.
    """

    value: T
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks, by the name that their jobs have, and from where (as `Live.run`)."""

    who: str
    place: str = ""


class Lab:
    """Where experiments are computed.

    Attributes:
        catalog: the models that there are.
    """

    def __init__(self, catalog: Catalog, intake: Intake, live: Live) -> None:
        self.catalog, self._intake, self._live = catalog, intake, live

    def cards(self, task: Task) -> tuple[Card, ...]:
        """The models of a task that can be looked into now: those in memory, then the starter."""
        there = [card for card in self.catalog.for_task(task) if self._live.there(card)]
        return tuple(sorted(there, key=lambda card: card.starter))

    def look(
        self, request: Request, needs: type, ask: Callable[[Any, Request, RunContext], Seen[T]], looker: Looker
    ) -> T | None:
        """Ask a model for what `ask` makes of it; None where it gave way to a job or to a newer look.

        Args:
            request: what would be asked for in the tab: its model, its bounds and its words are held to what holds
                there. Without a model it is the first of `cards`.
            needs: the protocol of studio.engines.inside that `ask` relies on.
            ask: called on the thread of the model's device, with the request resolved.

        Raises:
            StudioError: as Studio.submit; not_open, where the model cannot show what is asked; not_in_memory.
        """
        if not request.model and (there := self.cards(request.task)):
            request = replace(request, model=there[0].id)
        order = self._intake.order(request)
        if not self._live.there(order.card):
            raise StudioError("not_in_memory", model=order.card.title)
        plan = _Look(order.plan.requests[0], needs, ask, order.card.title, self._other(order.card, request.task))
        ran = self._live.run(order.card, plan, looker.who, looker.place, SECONDS)
        return plan.found[0] if ran is not None else None

    def borrow(self, card: Card, ask: Callable[[Any, RunContext], T], looker: Looker) -> T | None:
        """Ask one of the lab's own small models (studio.lab.small); None as `look`.

        Raises:
            StudioError: not_in_memory, where a part of it is not on this machine yet; as `ask`.
        """
        if not self._live.there(card):
            raise StudioError("not_in_memory", model=card.title)
        plan = _Borrowed(ImageRequest(prompt=""), ask)
        ran = self._live.run(card, plan, looker.who, looker.place, SECONDS)
        return plan.found[0] if ran is not None and plan.found else None

    def _other(self, card: Card, task: Task) -> str:
        """A model that shows what this one may not: the starter of its task."""
        return next((one.title for one in self.catalog.for_task(task) if one.starter and one.id != card.id), "")


@dataclass(frozen=True)
class _Look(Plan):
    """One look: whether the model can show what is asked, and then that."""

    needs: type
    ask: Callable[[Any, Request, RunContext], Seen[Any]]
    title: str
    other: str
    found: list[Any] = field(default_factory=list)

    def run(self, model: Any, context: RunContext) -> Output:
        if not isinstance(model, self.needs):
            if self.other:
                raise StudioError("not_open", model=self.title, other=self.other)
            raise StudioError("not_open_none", model=self.title)
        began = time.monotonic()
        try:
            seen = self.ask(model, self.request, context)
        except Cancelled:
            if time.monotonic() - began >= SECONDS:  # else it gave way, and is asked again
                raise StudioError("look_too_long", model=self.title) from None
            raise
        except StudioError as error:
            if error.code == "not_open_none" and self.other:
                raise StudioError("not_open", model=self.title, other=self.other) from None
            raise
        self.found.append(seen.value)
        return seen.output


@dataclass(frozen=True)
class _Borrowed(Plan):
    """One look into a model that answers no request. It needs no memory beside its weights that would count."""

    ask: Callable[[Any, RunContext], Any]
    found: list[Any] = field(default_factory=list)

    @property
    def requests(self) -> tuple[Request, ...]:
        return ()

    def run(self, model: Any, context: RunContext) -> Output:
        self.found.append(self.ask(model, context))
        return Output()
