"""Leasing for scripts, which wait for their lease: the page and the command line take theirs without waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from studio.engines.base import Loaded
from studio.errors import Cancelled, StudioError
from studio.manager.manager import ModelManager
from studio.manager.types import Lease, Spec


@contextmanager
def lease(
    manager: ModelManager,
    spec: Spec,
    *,
    work: int = 0,
    cancelled: Callable[[], bool] | None = None,
    timeout: float | None = None,
) -> Iterator[Loaded]:
    """Wait for a lease and hold it. Not for the lane's own thread, which would wait for itself.

    Raises:
        StudioError: it was refused. Cancelled: `cancelled` said so. TimeoutError: not granted in time.
    """
    if manager.lane.here:
        raise RuntimeError("the lane cannot wait for itself")
    box: list[Lease | StudioError] = []
    arrived = threading.Event()

    def put(answer: Lease | StudioError) -> None:
        box.append(answer)
        arrived.set()

    ticket = manager.acquire(spec, work=work, granted=put, refused=put)
    deadline = None if timeout is None else time.monotonic() + timeout
    while not arrived.wait(0.05 if cancelled or deadline else None):
        gone = cancelled is not None and cancelled()
        late = deadline is not None and time.monotonic() > deadline
        if (gone or late) and manager.cancel(ticket):
            raise Cancelled if gone else TimeoutError(spec.key)
    answer = box[0]
    if isinstance(answer, StudioError):
        raise answer
    try:
        assert answer.model is not None
        yield answer.model
    finally:
        answer.release()
