"""Estimates of working memory: measured peaks of requests by model, device and shape, kept on disk.

A declared estimate is what a new shape begins with. A measured peak replaces it: a larger one at once, a smaller one by
and by, because the same request can take more when memory is fragmented. Knows nothing of what a shape means.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from studio.figures import Figures

log = logging.getLogger("studio.manager")

KEPT = 2000
"""Shapes that are remembered; the oldest are forgotten first."""
SLOWLY = 4
"""A smaller peak takes the estimate a fourth of the way down."""
NOTICED = 1 / 20
"""A smaller change than this share is not written."""
MORE = 1.5
"""After running out of memory so much more is kept than was thought to suffice."""


class Learned:
    """The table of one studio.

    Args:
        file: where it is kept; None keeps it for this process only. One that cannot be read or written is done without.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._peaks = Figures(file, int, most=KEPT, noticed=NOTICED, log=log)
        self._fresh: set[str] = set()

    def expect(self, device: str, key: str, shape: str, prior: int) -> int:
        """Bytes to keep for a request; `prior` where none of its shape was measured."""
        with self._lock:
            return self._peaks.known.get(_name(device, key, shape), prior)

    def unknown(self, device: str, key: str, shape: str) -> bool:
        """Whether this shape was not measured since the start: the next one is worth measuring with care."""
        with self._lock:
            return _name(device, key, shape) not in self._fresh

    def note(self, device: str, key: str, shape: str, peak: int) -> None:
        """A request took `peak` bytes on top of what was there before."""
        name = _name(device, key, shape)
        with self._lock:
            before = self._peaks.known.get(name, peak)
            self._fresh.add(name)
            self._peaks.put(name, peak if peak >= before else before - (before - peak) // SLOWLY)

    def ran_out(self, device: str, key: str, shape: str, kept: int) -> None:
        """A request for which `kept` bytes were kept ran out of memory."""
        name = _name(device, key, shape)
        with self._lock:
            self._peaks.put(name, max(self._peaks.known.get(name, 0), int(kept * MORE)))


def _name(device: str, key: str, shape: str) -> str:
    return f"{device} {key} {shape}"
