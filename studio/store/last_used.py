"""Last use of each model, kept across starts."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from studio.errors import StudioError
from studio.paths import write

log = logging.getLogger("studio")

OFTEN = 60.0
"""A model that was used again within so many seconds is not written again."""


class Used:
    """The table of one studio.

    Args:
        file: where it is kept. One that cannot be read or written is done without.
        clock: seconds since the epoch.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock, self._lock = file, clock, threading.Lock()
        self._when = _read(file)
        self._written = dict(self._when)

    def note(self, model: str) -> None:
        """It is asked for now."""
        with self._lock:
            now = self._when[model] = self._clock()
            if now - self._written.get(model, 0.0) < OFTEN:
                return
            self._written[model] = now
            try:
                write(self._file, json.dumps(self._when, indent=1, sort_keys=True))
            except StudioError as error:
                log.warning("%s", error)

    def when(self, model: str) -> float | None:
        """Seconds since the epoch; None where nobody ever asked for it."""
        with self._lock:
            return self._when.get(model)


def _read(file: Path) -> dict[str, float]:
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        return {str(model): float(when) for model, when in table.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
