"""Types that go in and out of a model manager: specs, leases, snapshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.devices.device import Device
from studio.engines.base import Loaded
from studio.errors import StudioError


@dataclass(frozen=True, slots=True)
class Spec:
    """A model that can be loaded.

    Attributes:
        key: everything that changes the weights, in one string.
        weights: bytes to expect; the measured size replaces it after the load.
        load: builds the model on the lane; the argument takes progress, 0..1. Raises Cancelled where it gives up
            because nobody waits for the model any more (ModelManager.awaited).
        keep_alive: seconds it stays where it computes after its last use; 0 leaves at once, negative never.
        park_alive: seconds it stays parked after that; 0 is not parked at all, negative stays.
        places: most leases that it may have at once; how many it has is settled when it is loaded
            (ModelManager.places). Several are run on threads of their own (ModelManager.start).
        each: bytes that it takes for each place beside the first.
        builds: loading it changes process-wide state of torch, so that nothing may run meanwhile.
        apart: it lives in a process of its own.
    """

    key: str
    weights: int
    load: Callable[[Callable[[float], None]], Loaded]
    keep_alive: float = 300.0
    park_alive: float = 0.0
    places: int = 1
    each: int = 0
    builds: bool = True
    apart: bool = False


class Lease:
    """The right to use a resident model. Release it once; releasing again, from any thread, does nothing.

    Attributes:
        shared: others may use the model at the same time.
    """

    def __init__(self, model: Loaded, release: Callable[[], None], shared: bool = False) -> None:
        self.model: Loaded | None = model
        self.shared = shared
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
    """A model in memory.

    Attributes:
        state: loading, ready, parking, parked, placing, unloading or broken.
        nbytes: where it computes; 0 for one that is parked elsewhere.
        host: of the machine's memory while it is parked, or for that; None where it cannot be parked.
        work: kept for requests that run on it or are about to.
        seconds_left: until it is parked or freed for want of use; None where it is not counting down.
        idle: seconds since it was last used.
        leaving: it is to go as soon as nobody uses it.
        parks: when its time is over, it is parked rather than freed.
        process: that its own process holds, without what is mapped from files; 0 while that starts or ends, None where
            it has none.
        beside: of these, what is no weights; None where nobody can tell.
    """

    key: str
    state: str
    nbytes: int
    host: int | None
    work: int
    in_use: bool
    pinned: bool
    seconds_left: float | None
    idle: float
    leaving: bool = False
    parks: bool = False
    process: int | None = None
    beside: int | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """A model that left its device: when (seconds ago), why, and the bytes that this gave back.

    `reason` is room, idle, asked, stale, shrink, retry or failed; `for_key` is the model that needed the room.
    `parked` says that it can come back at once.
    """

    key: str
    reason: str
    parked: bool
    nbytes: int
    ago: float
    for_key: str = ""


@dataclass(frozen=True, slots=True)
class Cooling:
    """A model that failed to load, why, and seconds until it is tried again without being asked to."""

    key: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ManagerStatus:
    """One immutable snapshot of a device.

    Attributes:
        budget: bytes that weights and work may take together; `charged` of them are spoken for, `work` of those not by
            weights.
        total, free: of the device, as the system tells it.
        parked: bytes of the machine's memory that models of a device with memory of its own hold.
        stuck: seconds for which the device has not answered; None where it does.
    """

    device: Device
    models: tuple[Resident, ...]
    budget: int
    charged: int
    work: int
    total: int
    free: int
    parked: int
    waiting: int
    departures: tuple[Departure, ...]
    cooling: tuple[Cooling, ...]
    stuck: float | None
