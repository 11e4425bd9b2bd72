"""Watchdog: whether a device still gives signs of life, and what can be ended where it does not.

A lane does one thing after another: it moves a model, or runs the one that is leased. Beside it those run that share a
model. Only what does not answer is ended; what stands behind that in line did nothing wrong. Knows nothing of who waits
for what (studio.manager.manager).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from studio.engines.base import Killable
from studio.manager.lane import Lane

GOING = 20.0
"""Seconds for what was ended to be gone; after that the device counts as stuck all the same."""


class Watchdog:
    """Watches one lane.

    Args:
        after: seconds without a sign of life that are too many; 0 for never.
    """

    def __init__(self, lane: Lane, after: float) -> None:
        self._lane, self._after = lane, after
        self._moving: tuple[object, ...] | None = None
        self._ended = False

    @contextmanager
    def moving(self, *model: object) -> Iterator[None]:
        """On the lane: inside, this model is placed, parked or closed, or one is loaded that is not there yet."""
        self._moving = model
        try:
            yield
        finally:
            self._moving = None

    def begun(self, model: Killable) -> None:
        """On the lane, while a model is loaded: this one, and it can be ended meanwhile."""
        if self._moving is not None:
            self._moving = (model,)

    @property
    def silent(self) -> float:
        """Seconds since the last sign of life of what the device is at."""
        return max(self._lane.quiet, self._lane.quiet_beside)

    def look(self, leased: Sequence[object]) -> tuple[bool, list[Callable[[], None]]]:
        """Whether the device is stuck; where what it is at can be ended instead, how. Each is ended once.

        Args:
            leased: the models of which one runs, where none is on the move.
        """
        silent = self.silent
        if not self._after or silent <= self._after:
            self._ended = False
            return False, []
        if self._ended:
            return silent > self._after + GOING, []
        moves = self._lane.quiet > self._after  # else it is what runs beside the lane that is silent
        at = leased if (moving := self._moving) is None or not moves else moving
        ends = [partial(model.kill, silent) for model in at if isinstance(model, Killable)]
        self._ended = bool(ends)
        return not ends, list(ends)
