"""Ledger: models and where they are, leases, and the bytes that each of them is charged.

Memory comes in one pool or two. A GPU has its own: a model that is parked holds nothing there, and of the machine's
memory what cannot be read again from a file. Where models compute in the machine's memory there is one pool, and
parking a model leaves it charged for the latter alone. Knows nothing of who waits for what (studio.manager.core).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

PAST = 400
"""Changes of state that are remembered."""


class State(Enum):
    """Where a model is. ABSENT is told of in events; absent models have no entry."""

    LOADING = "loading"
    READY = "ready"
    PARKING = "parking"
    PARKED = "parked"
    PLACING = "placing"
    UNLOADING = "unloading"
    BROKEN = "broken"
    ABSENT = "absent"


NEXT = {
    State.ABSENT: {State.LOADING},
    State.LOADING: {State.READY, State.ABSENT},
    State.READY: {State.PARKING, State.UNLOADING},
    State.PARKING: {State.PARKED, State.ABSENT, State.BROKEN},
    State.PARKED: {State.PLACING, State.UNLOADING},
    State.PLACING: {State.READY, State.UNLOADING},
    State.UNLOADING: {State.ABSENT, State.BROKEN},
    State.BROKEN: set(),
}
"""The state graph."""

MOVING = (State.LOADING, State.PARKING, State.PLACING, State.UNLOADING)
LEAVING = (State.PARKING, State.UNLOADING)


@dataclass(frozen=True, slots=True)
class Event:
    """A model entered a state. `reason` says why it left: room, idle, asked, stale, shrink, retry or failed.

    `for_key` is the model that it left for, where there is one.
    """

    seq: int
    when: float
    key: str
    state: State
    nbytes: int
    reason: str = ""
    for_key: str = ""


@dataclass(slots=True)
class Entry:
    """A model that occupies memory or is about to.

    Attributes:
        weights: bytes it takes where it computes.
        host: bytes of the machine's memory that it holds while parked; None where it cannot be parked.
        places: leases that it may have at once.
        placed: its weights are charged where it computes.
        reserved: working memory kept for the request that a load or a return is for.
        last_used: of a parked model, when it was parked.
    """

    key: str
    weights: int
    keep_alive: float
    park_alive: float
    places: int = 1
    state: State = State.LOADING
    host: int | None = None
    placed: bool = True
    leases: int = 0
    pinned: bool = False
    stale: bool = False
    last_used: float = 0.0
    reserved: int = 0

    @property
    def idle(self) -> bool:
        return self.state is State.READY and self.leases == 0

    @property
    def free_to_go(self) -> bool:
        """Nobody uses it and nobody asked to keep it."""
        return (self.idle or self.state is State.PARKED) and not self.pinned


@dataclass(slots=True)
class Ledger:
    """The books of one device.

    Attributes:
        budget: bytes that weights and work may take together.
        host_budget: bytes of the machine's memory that models of a device with memory of its own may hold.
        unified: models compute in the machine's memory.
        leases: lease id -> (key, bytes of work).
    """

    budget: int
    host_budget: int = 0
    unified: bool = True
    entries: dict[str, Entry] = field(default_factory=dict)
    leases: dict[int, tuple[str, int]] = field(default_factory=dict)
    past: deque[Event] = field(default_factory=lambda: deque(maxlen=PAST))
    seq: int = 0

    # ---- sums

    def occupied(self, entry: Entry) -> int:
        """Bytes that an entry is charged where models compute."""
        parked = (entry.host or 0) if self.unified else 0
        return (entry.weights if entry.placed else parked) + entry.reserved

    def freed(self, entry: Entry) -> int:
        """Bytes that come back when it leaves in the way it would."""
        return self.occupied(entry) - ((entry.host or 0) if self.unified and self.parks(entry) else 0)

    @property
    def work(self) -> int:
        """Bytes kept for live leases and for those that a load or a return is for."""
        return sum(work for _, work in self.leases.values()) + sum(entry.reserved for entry in self.entries.values())

    @property
    def charged(self) -> int:
        """Bytes spoken for: every model not proved gone, and all work."""
        live = sum(work for _, work in self.leases.values())
        return sum(self.occupied(entry) for entry in self.entries.values()) + live

    @property
    def room(self) -> int:
        return self.budget - self.charged

    @property
    def leaving(self) -> int:
        """Bytes on their way out: promised, not free yet."""
        return sum(self.freed(entry) for entry in self.entries.values() if entry.state in LEAVING)

    @property
    def held(self) -> int:
        """Bytes of the machine's memory that models of a device with memory of its own hold."""
        return 0 if self.unified else sum(entry.host or 0 for entry in self.entries.values())

    # ---- changes

    def enter(self, now: float, entry: Entry, state: State, reason: str = "", for_key: str = "") -> None:
        """The entry is in `state` from now on."""
        entry.state = state
        if state in (State.PARKED, State.READY):
            entry.placed, entry.last_used = state is State.READY, now
        elif state is State.PLACING:
            entry.placed = True
        elif state is State.ABSENT:
            del self.entries[entry.key]
        self.seq += 1
        self.past.append(Event(self.seq, now, entry.key, state, entry.weights, reason, for_key))

    def parks(self, entry: Entry) -> bool:
        """It would be parked rather than closed. In one pool that has to free most of it."""
        if entry.state not in (State.READY, State.PARKING) or entry.host is None or entry.park_alive == 0:
            return False
        return not self.unified or entry.host <= entry.weights // 2

    def deadline(self, entry: Entry) -> float | None:
        """When it may leave for want of use; None where it stays."""
        alive = entry.park_alive if entry.state is State.PARKED else entry.keep_alive
        return entry.last_used + alive if entry.free_to_go and alive >= 0 else None

    def victims(self, deficit: int, spared: Iterable[str], freed: Callable[[Entry], int]) -> list[Entry]:
        """What should leave so that `deficit` bytes come back: as little as suffices, nothing where all would not.

        The coldest single model that suffices; else the coldest few, without those that are not needed.

        Args:
            freed: what each gives back, in the way it would leave.
        """
        coldest = sorted(
            (entry for entry in self.entries.values() if entry.free_to_go and entry.key not in spared and freed(entry)),
            key=lambda entry: entry.last_used,
        )
        for entry in coldest:
            if freed(entry) >= deficit:
                return [entry]
        chosen: list[Entry] = []
        total = 0
        for entry in coldest:
            if total >= deficit:
                break
            chosen.append(entry)
            total += freed(entry)
        if total < deficit:
            return []
        for entry in sorted(chosen, key=freed):
            if total - freed(entry) >= deficit:
                chosen.remove(entry)
                total -= freed(entry)
        return chosen
