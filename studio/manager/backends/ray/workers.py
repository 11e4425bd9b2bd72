"""Workers: those that the cluster has now, what each last said of itself, and how much it has been given since.

All of them are asked every second, by one thread that waits for none. What is known is that old; a job that finds it
otherwise is tried once elsewhere (studio.jobs.placing).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.addresses import WORKER
from studio.catalog.card import Card
from studio.manager import timings
from studio.manager.backends.ray import actors
from studio.manager.backends.remote.client import plain
from studio.manager.backends.remote.peers import Has, computed_at

log = logging.getLogger("studio.cluster")

EVERY = 1.0
"""Seconds between two questions."""
FIRST = 20.0
"""Seconds for which the first job waits until some worker has answered."""
PATIENCE = 15.0
"""Seconds for an answer, after which nothing new goes to a worker until it comes."""
BACK = 60.0
"""Seconds for which jobs wait for workers of which none answers."""
AHEAD = 2
"""Parts that a worker is given at a time, so that the next is there when one ends; more where its models answer several
at once."""
UNBOUND = 1 << 20
"""Places where there is nobody to wait for."""
_NAMES = 4096


@dataclass(frozen=True, slots=True)
class Known:
    """What a worker said last.

    Attributes:
        machine, device, hardware: where it is, and what people call the device. models: by id.
        place: which machine that is, of all in the cluster.
        most: parts that it takes at a time.
        seconds: how long loads and runs take there, by their names (studio.manager.timings).
    """

    machine: str = ""
    device: str = ""
    hardware: str = ""
    models: Mapping[str, Has] = field(default_factory=dict)
    most: int = AHEAD
    seconds: Mapping[str, float] = field(default_factory=dict)
    place: str = ""

    def load(self, model: str) -> float | None:
        """Seconds until a model computes there; None where it never did."""
        return timings.load(self.seconds, model)

    def run(self, model: str, task: str, amount: float) -> float | None:
        """Seconds that so many units of work take there; None where nobody knows."""
        return timings.run(self.seconds, model, task, amount)


class Workers:
    """Those of one cluster. Safe to use from several threads.

    Args:
        every: seconds between two questions.
    """

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._names: tuple[str, ...] = ()
        self._known: dict[str, Known] = {}
        self._changed = threading.Condition()
        self._closed, self._look = threading.Event(), threading.Event()
        self._answered = time.monotonic()  # when any of them last did
        self._asked_at: dict[str, float] = {}
        self._told: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._watch, name="workers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._look.set()
        self._thread.join(5)

    def whenever(self, told: Callable[[], None]) -> None:
        """Call something, on another thread, whenever more or fewer parts can be given away."""
        with self._changed:
            self._told.append(told)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, whether or not they answer."""
        with self._changed:
            return self._names

    @property
    def known(self) -> dict[str, Known]:
        """Those that answer."""
        with self._changed:
            return dict(self._known)

    @property
    def places(self) -> int:
        """Parts that all of them take at a time; 0 while they are waited for; without bound where there is nobody to
        wait for, so that whoever waits hears of it."""
        with self._changed:
            if self._known:
                return sum(one.most for one in self._known.values())
            waits = bool(self._names) and time.monotonic() - self._answered < BACK
            return 0 if waits else UNBOUND

    def having(self, card: Card, *, wait: bool = False) -> dict[str, tuple[Has, int]]:
        """The workers that may be asked for a model, or can fetch it: what is known of it there.

        Args:
            wait: until some worker has answered once, FIRST seconds at most.
        """
        if card.host or card.own:
            return {}
        with self._changed:
            if wait and self._names and not self._known and threading.current_thread() is not self._thread:
                self._changed.wait_for(lambda: self._known or self._closed.is_set(), FIRST)
            found = ((name, one.models.get(card.id)) for name, one in self._known.items())
            return {name: (has, 0) for name, has in found if has is not None}

    def leaving(self, card: Card) -> tuple[str, ...]:
        """Those that have a model on other machines than this one."""
        try:
            here = actors.here()
        except actors.Gone:
            here = ""
        having, known = self.having(card), self.known
        return tuple(
            name for name, (has, _) in having.items() if has.here and name in known and known[name].place != here
        )

    def lost(self, name: str) -> None:
        """A worker does not answer: nothing goes there until it does."""
        with self._changed:
            self._known.pop(name, None)
        self._look.set()
        self._say()

    def warm(self, name: str, model: str) -> None:
        """A worker was given something that brings a model into its memory."""
        with self._changed:
            one = self._known.get(name)
            if one is not None and (has := one.models.get(model)) is not None and not has.loaded:
                self._known[name] = replace(one, models={**one.models, model: replace(has, loaded=True, cold=0)})

    def card(self, card: Card, name: str) -> Card:
        """A model as it is computed by a worker."""
        return computed_at(card, WORKER + name, {"model": card.id})

    def ask(self) -> None:
        """Look which there are, and wait until all that live have answered."""
        before = time.monotonic()
        self._look.set()
        with self._changed:
            self._changed.wait_for(
                lambda: bool(self._names) and all(self._asked_at.get(one, 0.0) >= before for one in self._names), FIRST
            )

    # ---- asking

    def _watch(self) -> None:
        waiting: dict[str, Any] = {}
        since: dict[str, float] = {}
        while not self._closed.is_set():
            self._look.clear()
            try:
                names = actors.names()
                for name in names:
                    if name not in waiting:
                        since[name] = time.monotonic()
                        waiting[name] = actors.ask_state(name)
                self._hear(names, {})
                end = time.monotonic() + self._every
                while waiting and (left := end - time.monotonic()) > 0 and not self._look.is_set():
                    self._hear(names, actors.states(waiting, min(left, self._every)))
            except actors.Gone as gone:
                log.debug("the cluster does not answer: %s", gone)
                waiting.clear()
                self._hear((), {})
            except Exception:  # whatever a worker says must not end the asking
                log.exception("the cluster cannot be understood")
                waiting.clear()
            for name in [one for one in waiting if time.monotonic() - since[one] > PATIENCE]:
                self._hear(self._names, {name: None})
                if name not in self._names:
                    del waiting[name]
            self._look.wait(self._every)

    def _hear(self, names: tuple[str, ...], said: Mapping[str, Mapping[str, Any] | None]) -> None:
        now = time.monotonic()
        with self._changed:
            before = {name: one.most for name, one in self._known.items()}
            self._names = names
            for name in [one for one in self._known if one not in names]:
                del self._known[name]
            for name, told in said.items():
                self._asked_at[name] = now
                if told is None:
                    self._known.pop(name, None)
                else:
                    self._known[name], self._answered = read_known(told), now
            if self._known:
                self._answered = now
            self._changed.notify_all()
            changed = before != {name: one.most for name, one in self._known.items()} or not self._known
        if changed:
            self._say()

    def _say(self) -> None:
        with self._changed:
            listeners = tuple(self._told)
        for told in listeners:
            told()


def read_known(told: Mapping[str, Any]) -> Known:
    """What a worker says of itself; what is not understood is left out."""
    models: dict[str, Has] = {}
    listed = told.get("models")
    for id, one in list(listed.items())[:_NAMES] if isinstance(listed, dict) else ():
        if isinstance(id, str) and isinstance(one, tuple) and len(one) == 2 and type(one[0]) is int:
            cold = min(max(one[0], 0), 4)
            models[id] = Has(loaded=cold == 0, fits=cold < 4, here=one[1] is True, cold=cold)
    learned = told.get("seconds")
    seconds = {
        name: float(value)
        for name, value in (learned.items() if isinstance(learned, dict) else ())
        if isinstance(name, str) and isinstance(value, int | float) and math.isfinite(value) and 0 <= value < 1e9
    }
    most = told.get("most")
    words = [plain(str(told.get(name, "")))[:100] for name in ("machine", "device", "hardware", "place")]
    machine, device, hardware, place = words
    return Known(
        machine, device, hardware, models, min(max(most, 1), 64) if type(most) is int else AHEAD, seconds, place
    )
