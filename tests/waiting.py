"""Waiting for something to come true, without sleeping longer than it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def until(true: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether something comes true in time; looked at often."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.005)
    return True
