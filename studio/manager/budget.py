"""Budget: how many bytes models may take; what is free and what they hold, less what others are left.

Read again before each decision, because other programs take memory too. A reading that fails is the last one that did
not: a driver that stumbles must not take a job with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from studio.devices import memory, peak_memory
from studio.devices.device import Device
from studio.manager.ledger import Ledger

log = logging.getLogger("studio.manager")

CPU = Device("cpu")


class Budget:
    """The memory of one device.

    Args:
        limit: most bytes that models may take together; 0 for what the machine can spare.
        reserve: bytes left to everybody else.
        apart: whether a model lives in a process of its own, of which torch's counters here know nothing.
    """

    def __init__(
        self,
        device: Device,
        limit: int,
        reserve: int,
        read: Callable[[Device], memory.Reading],
        apart: Callable[[str], bool],
    ) -> None:
        self._device, self._limit, self._reserve, self._read, self._apart = device, limit, reserve, read, apart
        self._last: dict[Device, memory.Reading] = {}

    def reading(self, device: Device | None = None) -> memory.Reading:
        """What the system says now; what it said last where it says nothing."""
        device = device or self._device
        try:
            self._last[device] = self._read(device)
        except Exception:
            log.exception("the memory of %s cannot be read", device)
        return self._last.get(device, memory.Reading(0, 0))

    def now(self, ledger: Ledger) -> tuple[int, int]:
        """Bytes that models may take where they compute, and of the machine's memory while they are parked."""
        reading = self.reading()
        spare = min(reading.free + self._held(ledger, reading), reading.total) - self._reserve
        budget = max(min(spare, self._limit) if self._limit else spare, 0)
        if ledger.unified:
            return budget, 0
        machine = self.reading(CPU)
        return budget, max((machine.free + ledger.held) // 2, 0)

    def _held(self, ledger: Ledger, reading: memory.Reading) -> int:
        """Bytes that models hold now and that the reading does not count as free."""
        apart = sum(ledger.occupied(entry) for entry in ledger.entries.values() if self._apart(entry.key))
        if reading.ours is not None:
            return reading.ours + apart
        held = ledger.charged - ledger.work + sum(work for _, work in ledger.leases.values())
        if self._device.kind != "cpu":
            return held
        return min(
            held, peak_memory.private() + apart
        )  # pages of mapped weights are counted as free: they can be dropped
