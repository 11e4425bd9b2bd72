"""Pace: how long loads and runs take on this machine, learned from those there were and kept on disk.

A run is counted in units of work, which a request tells: as long as its steps, its pixels and its seconds of sound. So
a picture of another size has an honest guess, and an answer, whose length nobody knows, the average. What was never
seen is not guessed.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.catalog.card import Card
from studio.figures import Figures
from studio.manager import timings
from studio.requests import Request

log = logging.getLogger("studio")

KEPT = 500
"""Figures that are remembered; the oldest are forgotten first."""
SLOWLY = 3
"""A new figure takes the average a third of the way."""
NOTICED = 0.1
"""A smaller change is not written."""
_COUNTED = ("count", "steps", "width", "height", "duration", "scale")


def units(request: Request) -> float:
    """How much work a request is, beside others of its model and task."""
    found = (getattr(request, name, None) for name in _COUNTED)
    scale = getattr(request, "hires_scale", 1.0)
    larger = 1 + (getattr(request, "hires_strength", None) or 0.5) * scale**2 if scale > 1 else 1.0
    return larger * math.prod(float(value) for value in found if value)


def shorter(requests: Sequence[Request], share: float) -> tuple[str, int] | None:
    """The field of a request, and its value, with which it takes this share of its time; None where there is none.

    Args:
        share: below 1.
    """
    if len(requests) != 1:
        return None
    for name, least in (("count", 1), ("duration", 1), ("steps", 4)):
        value = getattr(requests[0], name, None)
        if value and (less := math.floor(value * share)) >= least:
            return name, less
    return None


class Pace:
    """The figures of one studio. Safe to use from several threads.

    Args:
        file: where they are kept; None keeps them for this process only. One that cannot be read or written is done
            without.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._loads: dict[str, tuple[int, float]] = {}
        self._seconds = Figures(file, float, most=KEPT, noticed=NOTICED, log=log, limit=1e9)

    def load(self, model: str) -> float | None:
        """Seconds until a model is where it computes; None where that was never seen."""
        with self._lock:
            return timings.load(self._seconds.known, model)

    def run(self, model: str, task: str, amount: float) -> float | None:
        """Seconds that so many units of work take once the model is there; None where that was never seen."""
        with self._lock:
            return timings.run(self._seconds.known, model, task, amount)

    def known(self) -> dict[str, float]:
        """All figures, by their names (studio.manager.timings)."""
        with self._lock:
            return dict(self._seconds.known)

    def loads(self) -> dict[str, tuple[int, float]]:
        """Model -> how often it was loaded since the start, and in how many seconds all together."""
        with self._lock:
            return dict(self._loads)

    def loaded(self, model: str, seconds: float) -> None:
        with self._lock:
            count, all_ = self._loads.get(model, (0, 0.0))
            self._loads[model] = count + 1, all_ + seconds
        self._note(timings.of_load(model), seconds)

    def ran(self, model: str, task: str, amount: float, seconds: float) -> None:
        if amount > 0:
            self._note(timings.of_run(model, task), seconds / amount)

    def _note(self, name: str, seconds: float) -> None:
        with self._lock:
            before = self._seconds.known.get(name, seconds)
            self._seconds.put(name, before + (seconds - before) / SLOWLY)


@dataclass(frozen=True, slots=True)
class OnCard:
    """The same of runs on a card that is lent (studio.manager.backends.zero): its seconds alone, as it counts them."""

    pace: Pace

    def expected(self, card: Card, request: Request) -> float | None:
        return self.pace.run(f"lent {card.id}", request.task, units(request))

    def took(self, card: Card, request: Request, seconds: float) -> None:
        self.pace.ran(f"lent {card.id}", request.task, units(request), seconds)
