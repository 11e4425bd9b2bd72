"""Gradio's queue, woken by what is put into it.

By itself it looks a thousand times a second whether somebody waits, which costs an idle studio a sixteenth of a core.
Here it sleeps, and whoever joins wakes it: it begins sooner and costs next to nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from gradio.queueing import Queue

SLEEP = 0.5
"""Seconds after which it looks by itself: where all places are taken, and should waking ever fail."""
NEVER = 5.0
"""Seconds between two looks whether one of Gradio's own progress bars has something new: there are none here."""


def alarm(queue: Queue) -> None:
    """Let a queue that has not been started yet sleep until something is put into it."""
    process, push = queue.start_processing, queue.push
    workers: list[asyncio.Task[None]] = []

    async def start_processing() -> None:
        task = asyncio.current_task()
        assert task is not None
        workers[:] = [task]
        await process()

    async def pushed(*args: Any, **named: Any) -> Any:
        # Only a worker that had nothing to do, and holds or awaits no lock, is asleep for certain.
        asleep = len(queue) == 0 and not queue.delete_lock.locked()
        answer = await push(*args, **named)
        if asleep and workers:
            _wake(workers[0])
        return answer

    queue.sleep_when_free, queue.progress_update_sleep_when_free = SLEEP, NEVER
    queue.start_processing, queue.push = start_processing, pushed


def _wake(task: asyncio.Task[None]) -> None:
    """End a task's sleep: what it waits for is there."""
    awaited: asyncio.Future[None] | None = getattr(task, "_fut_waiter", None)
    if awaited is not None and not awaited.done():
        awaited.set_result(None)
