"""Live runs: what is computed while somebody types, in pictures and in code.

A live run is no job: nothing is kept of it, no list shows it, and it gives way to every job at its next step. One runs
at a time, each person has at most one that waits, and a newer one takes its place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.catalog.card import Card
from studio.errors import Cancelled, StudioError
from studio.jobs import failures, memory_need
from studio.jobs.context import Plan, RunContext
from studio.jobs.model_spec import Specs
from studio.manager import Fleet, Lease
from studio.manager.manager import ModelManager
from studio.policy import FREE, Policy
from studio.results import Kind, Output
from studio.store import Store

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

PATIENCE = 1.0
"""Seconds that a run waits for those of others before it is given up; the page asks again."""
LINE, LINE_HERE = 8, 3
"""Runs that wait at most, and of those from one place."""
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run, and the seconds that were spent on it."""

    output: Output
    seconds: float


class Live:
    """Where live runs are computed.

    Args:
        busy: whether any job wants a device or has it.
        adapters: the folders of LoRA files.
    """

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        specs: Specs,
        busy: Callable[[], bool],
        adapters: Callable[[], tuple[Path, ...]],
        policy: Policy = FREE,
    ) -> None:
        self._store, self._fleet, self._specs, self._adapters = store, fleet, specs, adapters
        self._policy = policy
        self.line = Line(busy)

    def run(self, card: Card, plan: Plan, who: str, place: str = "", seconds: float | None = None) -> Ran | None:
        """Compute a plan as soon as it can be; None where it gave way.

        Args:
            place: whence it is asked: of those who wait at the same time only so many come from one.
            seconds: after which it is ended, and what it has until then taken; None for never.

        Raises:
            StudioError: the model cannot be had, or fails, or what it made may not be shown.
        """
        turn = Turn(self.line, who, place)
        with turn as mine:
            work = self._work(card, plan, turn, seconds) if mine else None
        if work is None or work.output is None or turn.gave_way:
            return None
        return Ran(self._policy.screen(plan.request.task).output(work.output), work.seconds)

    def there(self, card: Card) -> bool:
        """Whether a model may be used: the starter, or one in memory; nothing that others use makes room for this, and
        nothing that is half typed goes to another computer or has a card lent for it."""
        if card.host or self._fleet.lends(card.id):
            return False
        return self._store.state(card) == "ready" and (card.starter or bool(self._fleet.holding(card.id)))

    def _work(self, card: Card, plan: Plan, turn: Turn, seconds: float | None) -> _Work | None:
        if not self.there(card):
            return None
        need = memory_need.of(card, self._store.path(card), plan.requests)
        manager = self._fleet.place(card, need.weights + need.work)
        work = _Work(card, plan, turn, self._adapters(), seconds)
        ticket = manager.acquire(
            self._specs.of(card, need.weights, manager), work=need.work,
            granted=lambda lease: manager.start(lease, lambda: work.run(manager, lease)), refused=work.refused,
        )  # fmt: skip
        while not work.done.wait(_LOOK):
            if turn.cancelled and manager.cancel(ticket):
                return None
        if work.error is not None:
            raise work.error
        return work


class _Work:
    """One run on its way over a device."""

    def __init__(self, card: Card, plan: Plan, turn: Turn, adapters: tuple[Path, ...], seconds: float | None) -> None:
        self._card, self._plan, self._turn, self._adapters, self._most = card, plan, turn, adapters, seconds
        self.done = threading.Event()
        self.output: Output | None = None
        self.seconds = 0.0
        self.error: StudioError | None = None

    def run(self, manager: ModelManager, lease: Lease) -> None:
        """On the lane: compute."""
        try:
            assert lease.model is not None
            context = RunContext(self._turn, self._adapters, beat=manager.lane.beat)
            if not self._turn.cancelled:
                began = time.monotonic()
                if self._most is not None:
                    self._turn.until = began + self._most
                self.output = self._plan.run(lease.model, context)
                self.seconds = time.monotonic() - began
        except Cancelled:
            pass
        except StudioError as error:
            self.error = failures.bare(error)
        except Exception as error:
            self.error = failures.out_of_memory(error, self._card) or failures.internal(error)
        finally:
            lease.release()
            self.done.set()

    def refused(self, error: StudioError) -> None:
        self.error = failures.titled(error, self._card)
        self.done.set()


class Line:
    """Those who wait, in the order in which they came, and what each person asked for last."""

    def __init__(self, busy: Callable[[], bool]) -> None:
        self.changed = threading.Condition()
        self.turns: list[Turn] = []
        self.newest: dict[str, Turn] = {}
        self.busy = busy


class Turn:
    """A place in the line, and what a run asks of it (studio.jobs.context.Watched).

    Attributes:
        until: the moment, of time.monotonic(), at which it has had its time; None for never.
        gave_way: it was ended for a job or for a newer run, so that what it has is half of something.
    """

    previews = False

    def __init__(self, line: Line, who: str, place: str) -> None:
        self._line, self._who, self.place = line, who, place
        self.until: float | None = None
        self.gave_way = False

    def __enter__(self) -> bool:
        line, until = self._line, time.monotonic() + PATIENCE
        with line.changed:
            line.newest[self._who] = self
            line.changed.notify_all()  # what the same person asked before is overtaken
            there = [turn for turn in line.turns if not turn.overtaken]
            if len(there) >= LINE or sum(turn.place == self.place for turn in there) >= LINE_HERE:
                return False
            line.turns.append(self)
            while not self.cancelled and line.turns[0] is not self and (left := until - time.monotonic()) > 0:
                line.changed.wait(min(left, 0.1))
            return line.turns[0] is self and not self.cancelled

    def __exit__(self, *_: object) -> None:
        line = self._line
        with line.changed:
            if self in line.turns:
                line.turns.remove(self)
            if line.newest.get(self._who) is self:
                del line.newest[self._who]
            line.changed.notify_all()

    @property
    def overtaken(self) -> bool:
        return self._line.newest.get(self._who) is not self

    @property
    def cancelled(self) -> bool:
        if self.overtaken or self._line.busy():
            self.gave_way = True
        return self.gave_way or (self.until is not None and time.monotonic() >= self.until)

    def skipped(self) -> bool:
        return False

    def move(self, kind: Kind, **fields: Any) -> None:
        del kind, fields

    def progress_step(self, done: int, total: int) -> None:
        del done, total

    def add_text(self, delta: str) -> None:
        del delta

    def add_sound(self, samples: np.ndarray, rate: int) -> None:
        del samples, rate

    def show(self, picture: Image.Image, number: int = 0, whole: bool = False) -> None:
        del picture, number, whole
