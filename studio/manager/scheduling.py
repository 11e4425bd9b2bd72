"""Scheduling: which request in line is served next, and what leaves memory for it.

- Memory counts as free only after an unload was reported done. A failed unload stays charged.
- What can never fit is refused before anything is evicted.
- Victims are idle models only: the coldest single one that suffices, else the coldest few that do. Those that can are
  parked, the others closed.
- First come, first served; a request for a warm model may pass a blocked one at most OVERTAKE times, never within one
  model, and never into the room that is being made for the blocked one. So does a request that takes a free place of a
  model in use while somebody waits for another one: a model that is always busy keeps nobody waiting for ever.
- A model has as many places as it was loaded with. Those beside the first take at most half of the room that is free
  then: nothing leaves for them, and nothing is refused because of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from studio.errors import StudioError
from studio.manager.decisions import Decision, Grant, Load, Park, Place, Refuse, Ticket, Unload, impossible
from studio.manager.ledger import LEAVING, Entry, Ledger, State

OVERTAKE = 3


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A model that failed to load, how often in a row, and until when it is not tried again."""

    failures: int
    until: float
    reason: str


@dataclass(slots=True)
class Line:
    """Requests in the order in which they came, over one ledger.

    Args:
        slots: models that may be in use at once; a compute lane has one.

    Attributes:
        pins: models that stay resident once they are there. ids: of tickets and leases, in one row.
    """

    ledger: Ledger
    slots: int = 1
    queue: list[Ticket] = field(default_factory=list)
    cooldowns: dict[str, Cooldown] = field(default_factory=dict)
    pins: set[str] = field(default_factory=set)
    ids: count[int] = field(default_factory=lambda: count(1))

    def wanted(self, key: str) -> bool:
        return any(ticket.key == key for ticket in self.queue)

    def next_deadline(self) -> float | None:
        """When `tick` next has something to do, on the caller's clock."""
        times = (self.ledger.deadline(e) for e in self.ledger.entries.values() if not self.wanted(e.key))
        return min((time for time in times if time is not None), default=None)

    # ---- decisions

    def advance(self, now: float) -> list[Decision]:
        decisions: list[Decision] = []
        for entry in list(self.ledger.entries.values()):
            deadline = None if self.wanted(entry.key) else self.ledger.deadline(entry)
            if entry.stale and (entry.idle or entry.state is State.PARKED):
                decisions.append(self.unload(now, entry, "stale"))
            elif deadline is not None and now >= deadline:
                decisions.append(self._leave(now, entry, "idle"))
        decisions += self._shrink(now)
        blocked: Ticket | None = None
        seen: set[str] = set()
        for ticket in list(self.queue):  # a copy: who is served or refused leaves the line meanwhile
            if ticket.key in seen:  # first come, first served within a model
                continue
            served = self._serve(now, ticket) if blocked is None else self._overtake(ticket, blocked)
            decisions += served
            if any(isinstance(decision, Refuse) for decision in served):
                self.drop(ticket)
                continue
            if any(isinstance(decision, Grant) for decision in served):
                continue
            seen.add(ticket.key)
            blocked = blocked or ticket
        return decisions

    def _serve(self, now: float, ticket: Ticket) -> list[Decision]:
        """What follows for the first ticket in line; empty where it has to wait."""
        entry, ledger = self.ledger.entries.get(ticket.key), self.ledger
        if entry is None and (cooldown := self.cooldowns.get(ticket.key)) and now < cooldown.until:
            seconds = int(cooldown.until - now) + 1
            error = StudioError("cooling_down", model=ticket.key, reason=cooldown.reason, seconds=seconds)
            return [Refuse(ticket.id, error)]
        if entry is not None and entry.state is State.BROKEN:
            return [Refuse(ticket.id, StudioError("stuck", model=ticket.key))]
        others = [other for other in ledger.entries.values() if other.key != ticket.key]
        if ticket.alone and any(other.state in LEAVING for other in others):
            return []  # after it ran out of memory: not before what was sent away is really gone
        weights = entry.weights if entry else ticket.weights
        fixed = [other for other in others if other.pinned or other.state is State.BROKEN]
        capacity = ledger.budget - sum(ledger.occupied(other) - other.reserved for other in fixed)
        if weights + ticket.least > capacity:
            return [Refuse(ticket.id, impossible(ticket, weights, ledger.budget, capacity, fixed))]
        # what was learned may be more than there ever is: it makes all the room there can be, only `least` refuses
        ticket.work = min(ticket.work, capacity - weights)
        if entry is not None and entry.state is State.READY:
            if not self._leasable(entry):
                return []
            if ticket.work <= ledger.room + entry.reserved:
                return [self._grant(ticket, entry)]
            return self._make_room(now, ticket.work - ledger.room - entry.reserved, ticket.key)
        if entry is not None and (entry.state is not State.PARKED or entry.stale):
            return []  # it loads, moves or leaves, and that has to end first
        needed = weights + ticket.work - (ledger.occupied(entry) if entry else 0)
        if needed <= ledger.room:
            return [self._load(now, ticket) if entry is None else self._place(now, ticket, entry)]
        return self._make_room(now, needed - ledger.room, ticket.key)

    def _overtake(self, ticket: Ticket, blocked: Ticket) -> list[Decision]:
        entry = self.ledger.entries.get(ticket.key)
        if entry is None or not self._leasable(entry) or blocked.overtaken >= OVERTAKE:
            return []
        first, ledger = self.ledger.entries.get(blocked.key), self.ledger
        needed = blocked.work
        if first is None:
            needed += blocked.weights
        elif first.state in (State.LOADING, State.PLACING):
            needed -= first.reserved  # charged already
        elif first.state is not State.READY:
            needed += first.weights
        # what is on its way out is for the blocked one: only what that leaves over may be used, as far as it is free
        if ticket.work > max(min(ledger.room, ledger.room + ledger.leaving - needed), 0):
            return []
        blocked.overtaken += 1
        return [self._grant(ticket, entry)]

    def drop(self, ticket: Ticket) -> None:
        """A request is over without a lease, and with it what was kept for the one that a load or a return is for."""
        first = next(waiting for waiting in self.queue if waiting.key == ticket.key)
        self.queue.remove(ticket)
        if first is ticket and (entry := self.ledger.entries.get(ticket.key)) is not None:
            entry.reserved = 0

    def _leasable(self, entry: Entry) -> bool:
        if entry.state is not State.READY or entry.stale:
            return False
        if entry.leases:
            return entry.leases < entry.places
        return len({key for key, _ in self.ledger.leases.values()}) < self.slots

    def _grant(self, ticket: Ticket, entry: Entry) -> Grant:
        lease = next(self.ids)
        self.ledger.leases[lease] = (ticket.key, ticket.work)
        entry.leases += 1
        entry.reserved = 0
        entry.keep_alive, entry.park_alive = ticket.keep_alive, ticket.park_alive
        self.queue.remove(ticket)
        return Grant(ticket.id, lease, ticket.key)

    def _load(self, now: float, ticket: Ticket) -> Load:
        more = self._more_places(ticket)
        entry = Entry(
            ticket.key, ticket.weights + more * ticket.each, ticket.keep_alive, ticket.park_alive, 1 + more,
            pinned=ticket.key in self.pins, reserved=ticket.work,
        )  # fmt: skip
        self.ledger.entries[ticket.key] = entry
        self.ledger.enter(now, entry, State.LOADING)
        return Load(ticket.key)

    def _more_places(self, ticket: Ticket) -> int:
        """How many leases a model may have beside the first, if it is loaded now."""
        if ticket.alone:
            return 0
        if not ticket.each:
            return ticket.places - 1
        spare = self.ledger.room - ticket.weights - ticket.work
        return min(ticket.places - 1, spare // 2 // ticket.each)

    def _place(self, now: float, ticket: Ticket, entry: Entry) -> Place:
        entry.reserved = ticket.work
        self.ledger.enter(now, entry, State.PLACING)
        return Place(entry.key)

    def _leave(self, now: float, entry: Entry, reason: str, for_key: str = "") -> Park | Unload:
        """Off the device: parked where that works, else closed."""
        if not self.ledger.parks(entry):
            return self.unload(now, entry, reason, for_key)
        self.ledger.enter(now, entry, State.PARKING, reason, for_key)
        return Park(entry.key, reason)

    def unload(self, now: float, entry: Entry, reason: str, for_key: str = "") -> Unload:
        entry.stale, entry.reserved = False, 0
        self.ledger.enter(now, entry, State.UNLOADING, reason, for_key)
        return Unload(entry.key, reason)

    def leave_all(self, now: float, reason: str, spared: tuple[str, ...]) -> list[Decision]:
        gone = [entry for entry in self.ledger.entries.values() if entry.free_to_go and entry.key not in spared]
        return [self.unload(now, entry, reason) for entry in gone if self.ledger.occupied(entry) > 0]

    def _make_room(self, now: float, deficit: int, for_key: str) -> list[Decision]:
        """Evict what covers `deficit` bytes beyond those on their way out; nothing where that cannot suffice yet."""
        deficit -= self.ledger.leaving
        return self._evict(now, deficit, "room", (for_key,)) if deficit > 0 else []

    def _evict(self, now: float, deficit: int, reason: str, spared: tuple[str, ...]) -> list[Decision]:
        """Park what suffices; where that would not, close what does."""
        ledger, for_key = self.ledger, next(iter(spared), "")
        if chosen := ledger.victims(deficit, spared, ledger.freed):
            return [self._leave(now, victim, reason, for_key) for victim in chosen]
        chosen = ledger.victims(deficit, spared, ledger.occupied)
        return [self.unload(now, victim, reason, for_key) for victim in chosen]

    def _shrink(self, now: float) -> list[Decision]:
        """Other programs took memory, or a model came out larger than its estimate: let idle ones go."""
        ledger, decisions = self.ledger, list[Decision]()
        if (over := -ledger.room - ledger.leaving) > 0:
            # the model of who is next would have to come back at once
            spared = (self.queue[0].key,) if self.queue else ()
            decisions = self._evict(now, over, "shrink", spared) or self.leave_all(now, "shrink", spared)
        going = sum(e.host or 0 for e in ledger.entries.values() if e.state is State.UNLOADING)
        over = ledger.held - going - ledger.host_budget
        parked = [e for e in ledger.entries.values() if e.state is State.PARKED and e.free_to_go and e.host]
        for entry in sorted(parked, key=lambda entry: entry.last_used):
            if over > 0 and not ledger.unified and not self.wanted(entry.key):
                over -= entry.host or 0
                decisions.append(self.unload(now, entry, "shrink"))
        return decisions
