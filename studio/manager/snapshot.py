"""The books as values that can be shown."""

from __future__ import annotations

from studio.engines.base import Device
from studio.manager.core import Core
from studio.manager.gauge import Reading
from studio.manager.ledger import Entry, Ledger, State
from studio.manager.values import Cooling, Departure, ManagerStatus, Resident

RECENT = 12
"""Departures that are shown."""


def status(core: Core, device: Device, reading: Reading, stuck: float | None, now: float) -> ManagerStatus:
    """How a device stands at `now`."""
    ledger = core.ledger
    return ManagerStatus(
        device,
        tuple(_resident(ledger, entry, now) for entry in ledger.entries.values()),
        ledger.budget,
        ledger.charged,
        ledger.work,
        reading.total,
        reading.free,
        ledger.held,
        len(core.queue),
        departures(ledger, now),
        tuple(
            Cooling(key, cooldown.reason, cooldown.until - now)
            for key, cooldown in core.cooldowns.items()
            if cooldown.until > now
        ),
        stuck,
    )


def departures(ledger: Ledger, now: float) -> tuple[Departure, ...]:
    """The last models that left their device, newest first."""
    left = [event for event in ledger.past if event.reason and event.state in (State.PARKING, State.UNLOADING)]
    return tuple(
        Departure(event.key, event.reason, event.state is State.PARKING, event.nbytes, now - event.when)
        for event in reversed(left[-RECENT:])
    )


def _resident(ledger: Ledger, entry: Entry, now: float) -> Resident:
    deadline = ledger.deadline(entry)
    left = None if deadline is None else max(deadline - now, 0.0)
    work = entry.reserved + sum(work for key, work in ledger.leases.values() if key == entry.key)
    return Resident(
        entry.key, entry.state.value, ledger.occupied(entry) - entry.reserved, entry.host, work,
        entry.leases > 0, entry.pinned, left, max(now - entry.last_used, 0.0),
    )  # fmt: skip
