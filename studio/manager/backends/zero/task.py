"""Task: the one function that is computed on a lent card, in a process that was forked off for it.

There the models lie on the card as they were placed before the page opened, and nothing else of the studio is alive:
no lane and no manager, and a lock that some thread held at the fork is held for ever. So nothing is used here but
PLACED, and what is made here. Everything crosses as bytes (studio.manager.backends.process.wire), errors too: an
exception would arrive without its code.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Generator
from typing import Any

from studio.engines.base import Loaded
from studio.manager.backends.process.wire import pack, unpack
from studio.manager.backends.telling import Teller, failed

YIELD_SECONDS = 0.25
"""Longest silence: Stop arrives with the next thing that is told, and twenty silent minutes end the process."""
PLACED: dict[str, Loaded] = {}
"""The models by their cards' ids. Filled before the page opens; every process of the card has them from the fork."""


def run(message: bytes, seconds: int) -> Generator[list[bytes]]:
    """Answer one request; everything that is told on the way, the last of it the answer or why there is none.

    Closing the iterator stops the run at its next step.

    Args:
        message: "run" with the model's id, the request, the folders of adaptations and whether previews are wanted.
        seconds: asked for of the card; it is read from the call before it is made.
    """
    del seconds
    told: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    stop = threading.Event()
    thread = threading.Thread(target=_answer, args=(message, _Queue(told), stop), name="run", daemon=True)
    thread.start()
    try:
        over = False
        while not over:
            over = not thread.is_alive()  # asked first, so that what it told last is still yielded
            yield _drain(told, 0.0 if over else YIELD_SECONDS)
    finally:
        stop.set()
        thread.join()


class _Queue:
    """Messages on their way to the iterator."""

    def __init__(self, told: queue.SimpleQueue[bytes]) -> None:
        self._told = told

    def send(self, op: str, *values: Any) -> None:
        self._told.put(b"".join(pack(op, *values)))


def _answer(message: bytes, channel: _Queue, stop: threading.Event) -> None:
    try:
        _, key, request, adapters, previews = unpack(message)
        if (torch := sys.modules.get("torch")) is not None:
            torch.set_num_threads(1)  # the threads of the parent's sums are not here, and waiting for them never ends
        began = time.monotonic()
        output = PLACED[key].run(request, Teller(channel, stop, threading.Event(), adapters, previews))
        channel.send("answer", output, time.monotonic() - began)
    except BaseException as error:
        channel.send(*failed(error))


def _drain(told: queue.SimpleQueue[bytes], patience: float) -> list[bytes]:
    found: list[bytes] = []
    try:
        found.append(told.get(timeout=patience) if patience else told.get_nowait())
        while True:
            found.append(told.get_nowait())
    except queue.Empty:
        return found
