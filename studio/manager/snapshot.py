"""The books as values that can be shown."""

from __future__ import annotations

from collections.abc import Mapping

from studio.devices.device import Device
from studio.devices.memory import Reading
from studio.engines.base import Apart, Loaded
from studio.manager.core import Core
from studio.manager.ledger import Entry, Ledger, State
from studio.manager.types import Cooling, Departure, ManagerStatus, Resident

RECENT = 12
"""Departures that are shown."""


def processes(models: Mapping[str, Loaded | None]) -> dict[str, int]:
    """Bytes that the processes of models hold which have one; 0 for one that starts or ends."""
    return {key: model.process_nbytes() if isinstance(model, Apart) else 0 for key, model in models.items()}


def status(
    core: Core, device: Device, reading: Reading, processes: Mapping[str, int], stuck: float | None, now: float
) -> ManagerStatus:
    """How a device stands at `now`.

    Args:
        processes: of the models that have one of their own, what it holds.
    """
    ledger = core.ledger
    return ManagerStatus(
        device,
        tuple(_resident(ledger, entry, processes.get(entry.key), now) for entry in ledger.entries.values()),
        ledger.budget,
        ledger.charged,
        ledger.work,
        reading.total,
        reading.free,
        ledger.held,
        len(core.line.queue),
        departures(ledger, now),
        tuple(
            Cooling(key, cooldown.reason, cooldown.until - now)
            for key, cooldown in core.line.cooldowns.items()
            if cooldown.until > now
        ),
        stuck,
    )


def departures(ledger: Ledger, now: float) -> tuple[Departure, ...]:
    """The last models that left their device, newest first."""
    left = [event for event in ledger.past if event.reason and event.state in (State.PARKING, State.UNLOADING)]
    return tuple(
        Departure(event.key, event.reason, event.state is State.PARKING, event.nbytes, now - event.when, event.for_key)
        for event in reversed(left[-RECENT:])
    )


def _resident(ledger: Ledger, entry: Entry, process: int | None, now: float) -> Resident:
    deadline = ledger.deadline(entry)
    left = None if deadline is None else max(deadline - now, 0.0)
    work = entry.reserved + sum(work for key, work in ledger.leases.values() if key == entry.key)
    return Resident(
        entry.key, entry.state.value, ledger.occupied(entry) - entry.reserved, entry.host, work,
        entry.leases > 0, entry.pinned, left, max(now - entry.last_used, 0.0), entry.stale, ledger.parks(entry),
        process, _beside(ledger, entry, process),
    )  # fmt: skip


def _beside(ledger: Ledger, entry: Entry, process: int | None) -> int | None:
    """What a process holds beside weights; None where nobody can tell.

    Of its weights a process holds what no file backs, and that is what parking would leave in the machine's memory.
    """
    weights = entry.host if ledger.unified or entry.state is State.PARKED else 0
    return max(process - weights, 0) if process and weights is not None else None
