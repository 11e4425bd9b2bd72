"""What goes in and out of a model manager: specs, leases, snapshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.engines.base import Device, Loaded
from studio.errors import StudioError
from studio.manager.ledger import Entry


@dataclass(frozen=True, slots=True)
class Spec:
    """A model that can be loaded.

    Attributes:
        key: everything that changes the weights, in one string.
        weights: bytes to expect; the measured size replaces it after the load.
        load: builds the model on the lane; the argument takes progress, 0..1.
        keep_alive: seconds it stays after its last use; 0 leaves at once, negative never.
    """

    key: str
    weights: int
    load: Callable[[Callable[[float], None]], Loaded]
    keep_alive: float = 300.0
    exclusive: bool = True


class Lease:
    """The right to use a resident model. Release it once; releasing again, from any thread, does nothing."""

    def __init__(self, model: Loaded, release: Callable[[], None]) -> None:
        self.model: Loaded | None = model
        self._release = release

    def release(self) -> None:
        self.model = None
        self._release()


@dataclass(slots=True)
class Waiter:
    spec: Spec
    granted: Callable[[Lease], None]
    refused: Callable[[StudioError], None]
    loading: Callable[[float | None], None]
    waiting: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Resident:
    """A model in memory as the status shows it. `seconds_left` until it is freed; None: not counting down."""

    key: str
    state: str
    nbytes: int
    in_use: bool
    pinned: bool
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class ManagerStatus:
    """One immutable snapshot of a device."""

    device: Device
    models: tuple[Resident, ...]
    budget: int
    charged: int
    total: int
    free: int
    waiting: int


def resident(entry: Entry, now: float) -> Resident:
    """What the status shows of an entry of the ledger."""
    counting = entry.idle and not entry.pinned and entry.keep_alive >= 0
    left = max(entry.last_used + entry.keep_alive - now, 0.0) if counting else None
    return Resident(entry.key, entry.state.value, entry.weights, entry.leases > 0, entry.pinned, left)
