"""The most memory that a stretch of work took, on top of what was there before.

On a GPU torch counts the peak itself: what it had taken from the driver at the most, less what was in use when the work
began. On a processor a thread looks, every few milliseconds, at the memory that belongs to this process alone: pages of
mapped weight files do not count, the system can drop them.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from studio.devices import memory
from studio.devices.device import Device

EVERY = 0.02
"""Seconds between two looks at this process."""


@dataclass(slots=True)
class Peak:
    """Filled in at the end: bytes, or None where this device cannot tell."""

    nbytes: int | None = None


@contextmanager
def measuring(device: Device, fresh: bool = False) -> Iterator[Peak]:
    """Measure what is done inside.

    Args:
        fresh: give back unused memory before, so that none of it hides what the work takes. Costs milliseconds.
    """
    peak = Peak()
    if fresh:
        memory.collect()
    torch = sys.modules.get("torch")
    if device.kind == "cuda" and torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats(device.index)
        _, active = memory.torch_memory(device)
        yield peak
        peak.nbytes = max(int(torch.cuda.max_memory_reserved(device.index)) - active, 0)
    elif device.kind == "cpu":
        with _watching(private) as most:
            before = most[0]
            yield peak
        peak.nbytes = max(most[0] - before, 0)
    else:
        yield peak


def private(process: psutil.Process | None = None) -> int:
    """Bytes of a process, ours by default, that no file backs: resident less shared, where the system tells them apart.

    0 where it is gone.
    """
    try:
        held = (process or psutil.Process()).memory_info()
    except psutil.Error:
        return 0
    return max(held.rss - getattr(held, "shared", 0), 0)


def private_of_all(children: bool = True) -> int:
    """As `private`, of this process and of those that it started together.

    Args:
        children: there may be any. To find them psutil reads who started each process of the machine.
    """
    ours = psutil.Process()
    started = ours.children(recursive=True) if children else []
    return private(ours) + sum(private(child) for child in started)


@contextmanager
def _watching(read: Callable[[], int]) -> Iterator[list[int]]:
    most, over = [read()], threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            most[0] = max(most[0], read())

    watcher = threading.Thread(target=watch, name="meter", daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()
        most[0] = max(most[0], read())
