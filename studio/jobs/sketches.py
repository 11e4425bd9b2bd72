"""Sketches: pictures that are painted while their words are still being typed.

A sketch is no job: nothing is kept of it, no list shows it, and it gives way to every job at its next step. One is
painted at a time, each person has at most one that waits, and a newer one takes its place. Its pixels are those of the
job with the same request and seed, so what was seen can be kept by asking for it (`take`).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.catalog.card import Card
from studio.catalog.engines import ENGINES
from studio.errors import Cancelled, StudioError
from studio.jobs import failures, memory_need
from studio.jobs.context import Plan, RunContext
from studio.jobs.model_spec import Specs
from studio.jobs.planner import Intake, draw_seed
from studio.jobs.queue import Register
from studio.manager import Fleet, Lease
from studio.manager.manager import ModelManager
from studio.requests import ImageRequest
from studio.results import Kind
from studio.store import Store

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

FEW_STEPS = 8
"""Steps of a picture up to which a model is offered for this."""
PATIENCE = 1.0
"""Seconds that a sketch waits for those of others before it is given up; the page asks again."""
LINE, LINE_HERE = 8, 3
"""Sketches that wait at most, and of those from one place."""
_LOOK = 0.02
_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Sketch:
    """A picture, the seed that gives it again, and the seconds that were spent on painting it."""

    picture: Image.Image
    seed: int
    seconds: float


def sketches(card: Card) -> bool:
    """Whether a model needs so few steps that it may paint while somebody types."""
    steps = card.defaults.get("steps")
    return "image" in card.tasks and isinstance(steps, int) and steps <= FEW_STEPS


class Easel:
    """Where sketches are painted.

    Args:
        adapters: the folders of LoRA files.
    """

    def __init__(
        self,
        intake: Intake,
        store: Store,
        fleet: Fleet,
        specs: Specs,
        register: Register,
        adapters: Callable[[], tuple[Path, ...]],
    ) -> None:
        self._intake, self._store, self._fleet = intake, store, fleet
        self._specs, self._adapters = specs, adapters
        self._line = _Line(register.busy)
        self._people: OrderedDict[str, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def paint(self, request: ImageRequest, who: str, place: str = "") -> Sketch | None:
        """The first picture of a request, as soon as it can be painted; None where it gave way.

        Without a seed it gets the one of this person's sketches before it, until that picture is kept.

        Args:
            place: whence it is asked: of those who wait at the same time only so many come from one.

        Raises:
            StudioError: as Studio.submit.
        """
        asked = replace(request, count=1)
        with self._lock:
            seen = self._seen(who)
        order = self._intake.order(replace(asked, seed=seen.seed) if asked.seed is None else asked)
        turn = _Turn(self._line, who, place)
        with turn as mine:
            work = self._painted(order.card, order.plan, turn) if mine else None
        if work is None or work.picture is None:
            return None
        painted = order.plan.requests[0]
        assert isinstance(painted, ImageRequest)
        assert painted.seed is not None
        with self._lock:
            seen.asked = asked
        return Sketch(work.picture, painted.seed, work.seconds)

    def take(self, request: ImageRequest, who: str) -> ImageRequest:
        """A request as it is to be carried out: with the seed of the sketch that shows what is asked for.

        Once: asked again, it is another picture, as everywhere.
        """
        with self._lock:
            seen = self._people.get(who)
            if seen is None or request.seed is not None or seen.asked != replace(request, count=1):
                return request
            del self._people[who]
            return replace(request, seed=seen.seed)

    def turn_page(self, who: str) -> None:
        """The next sketch of somebody who names no seed is another picture."""
        with self._lock:
            self._people.pop(who, None)

    def _seen(self, who: str) -> _Seen:
        seen = self._people.setdefault(who, _Seen(draw_seed()))
        self._people.move_to_end(who)
        while len(self._people) > _REMEMBERED:
            self._people.popitem(last=False)
        return seen

    def _painted(self, card: Card, plan: Plan, turn: _Turn) -> _Work | None:
        if self._store.state(card) != "ready" or not (card.starter or self._fleet.holding(card.id)):
            return None  # nothing that others use goes out of the memory for a sketch
        need = memory_need.of(card, self._store.path(card), plan.requests)
        manager = self._fleet.choose(card.id, need.weights + need.work, ENGINES[card.engine].cpu_only)
        work = _Work(card, plan, turn, self._adapters())
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


class _Seen:
    """What somebody was shown: by which request, with which seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: ImageRequest | None = None


class _Work:
    """One sketch on its way over a device."""

    def __init__(self, card: Card, plan: Plan, turn: _Turn, adapters: tuple[Path, ...]) -> None:
        self._card, self._plan, self._turn, self._adapters = card, plan, turn, adapters
        self.done = threading.Event()
        self.picture: Image.Image | None = None
        self.seconds = 0.0
        self.error: StudioError | None = None

    def run(self, manager: ModelManager, lease: Lease) -> None:
        """On the lane: compute."""
        try:
            assert lease.model is not None
            context = RunContext(self._turn, self._adapters, beat=manager.lane.beat)
            if not self._turn.cancelled:
                began = time.monotonic()
                self.picture = self._plan.run(lease.model, context).images[0]
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


class _Line:
    """Those who wait for the easel, in the order in which they came, and what each person asked for last."""

    def __init__(self, busy: Callable[[], bool]) -> None:
        self.changed = threading.Condition()
        self.turns: list[_Turn] = []
        self.newest: dict[str, _Turn] = {}
        self.busy = busy


class _Turn:
    """A place in the line, and what a run asks of it (studio.jobs.context.Watched)."""

    previews = False

    def __init__(self, line: _Line, who: str, place: str) -> None:
        self._line, self._who, self.place = line, who, place

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
        return self.overtaken or self._line.busy()

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
