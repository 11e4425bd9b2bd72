"""Scaling: workers that come while much work waits, and go again when there is none, between two bounds.

They are asked of Ray without saying where: it places them where a machine has room, and its autoscaler, where one runs,
adds a machine where none has. Work is what waits for workers in seconds, as they have learned it (studio.jobs.pace).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from studio.service import Studio
from studio.settings import Settings

log = logging.getLogger("studio.cluster")

EVERY = 2.0
"""Seconds between two decisions."""
COMING = 900.0
"""Seconds for which a worker that was asked for is waited for before one more is; a machine takes minutes."""
NAME = "more"
"""Begins the names of these workers."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Fewest and most such workers, seconds of waiting work for each worker from which one more comes, and seconds
    without work after which one goes."""

    least: int
    most: int
    wait: float
    idle: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What a decision is made from.

    Attributes:
        waiting: seconds of work that wait for workers. workers: those that answer, of whatever kind.
        made: these workers: name -> seconds since it was last at work; None where it has not come yet.
    """

    waiting: float
    workers: int
    made: Mapping[str, float | None]


def decided(bounds: Bounds, seen: Seen) -> Literal["more"] | str | None:
    """`more`, the name of the worker that goes, or nothing."""
    coming = any(idle is None for idle in seen.made.values())
    if len(seen.made) < bounds.least:
        return NAME
    if len(seen.made) < bounds.most and not coming and seen.waiting > bounds.wait * max(seen.workers, 1):
        return NAME
    free = [(idle, name) for name, idle in seen.made.items() if idle is not None and idle > bounds.idle]
    return max(free)[1] if free and len(seen.made) > bounds.least and not seen.waiting else None


class Makes(Protocol):
    """Who makes workers and ends them (studio.cluster.node)."""

    def grow(self, name: str, given: dict[str, Any], gpus: float) -> None: ...

    def end(self, name: str) -> None: ...


class Scaler:
    """Those of one studio, until `close`.

    Args:
        given: settings that each worker gets beside those of its machine.
    """

    def __init__(
        self, settings: Settings, studio: Studio, node: Makes, given: dict[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._bounds = Bounds(settings.ray_min, settings.ray_max, settings.ray_wait, settings.ray_idle)
        self._gpus, self._given = settings.ray_gpus, given
        self._studio, self._node, self._clock = studio, node, clock
        self._asked: dict[str, float] = {}
        self._worked: dict[str, float] = {}
        self._number = 0
        self._closed = threading.Event()
        if self._bounds.most:
            threading.Thread(target=self._run, name="scaler", daemon=True).start()

    def look(self) -> None:
        """Make one decision, and have it carried out."""
        seen = self._seen()
        match decided(self._bounds, seen):
            case None:
                return
            case "more":
                self._number += 1
                name = f"{NAME} {self._number}"
                log.info("%.0f seconds of work wait for %d workers: one more is asked for", seen.waiting, seen.workers)
                self._asked[name] = self._clock()
                self._node.grow(name, self._given, self._gpus)
            case name:
                log.info("the worker %s has nothing to do and goes", name)
                del self._asked[name]
                self._node.end(name)

    def close(self) -> None:
        self._closed.set()

    def _seen(self) -> Seen:
        now, workers = self._clock(), self._studio.peers.workers
        known = {} if workers is None else workers.known
        busy = self._studio.standing.working()
        made: dict[str, float | None] = {}
        for name, asked in self._asked.items():
            if name in busy or (name in known and name not in self._worked):
                self._worked[name] = now
            came = name in known or now - asked > COMING
            made[name] = now - self._worked.get(name, asked) if came else None
        return Seen(self._studio.standing.waiting(), len(known), made)

    def _run(self) -> None:
        while not self._closed.wait(EVERY):
            try:
                self.look()
            except Exception:  # a cluster may fail in any way, and be well again
                log.exception("the cluster could not be made larger or smaller")
