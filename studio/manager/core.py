"""Who may use which model when, and what has to leave memory for it: pure bookkeeping.

Events go in as method calls with the time as an argument, decisions come out as values. Nothing here
sleeps, locks, loads or knows torch; the caller (studio.manager) carries decisions out and reports back.
That is what makes the rules testable by a state machine. The rules, in short:

- A lease is resident weights, a pin and reserved working memory, given in one step or not at all.
- Memory counts as free only after an unload was reported done. A failed unload stays charged.
- What can never fit is refused before anything is evicted.
- Victims are idle models only: the coldest single one that suffices, else the coldest few that do.
- First come, first served; a request for a warm model may pass a blocked one at most OVERTAKE times, never
  within one model, and never into the room that is being made for the blocked one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from studio.errors import StudioError
from studio.manager.ledger import Decision, Entry, Grant, Load, Refuse, State, Ticket, Unload, victims
from studio.paths import gigabytes

OVERTAKE = 3
COOLDOWN_FIRST, COOLDOWN_MOST = 10.0, 300.0


@dataclass(slots=True)
class _Cooldown:
    failures: int
    until: float
    reason: str


@dataclass(slots=True)
class Core:
    """The ledger of one device.

    Args:
        budget: bytes that weights and work may take together.
        slots: leases that may be live at once; a compute lane has one.
    """

    budget: int
    slots: int = 1
    entries: dict[str, Entry] = field(default_factory=dict)
    queue: list[Ticket] = field(default_factory=list)
    leases: dict[int, tuple[str, int]] = field(default_factory=dict)  # lease id -> (key, work)
    _cooldowns: dict[str, _Cooldown] = field(default_factory=dict)
    _pins: set[str] = field(default_factory=set)
    _ids: count[int] = field(default_factory=lambda: count(1))

    # ---- what is

    @property
    def charged(self) -> int:
        """Bytes spoken for: every entry not proved gone, the work of live leases, room kept for load leaders."""
        return (
            sum(entry.weights + entry.reserved for entry in self.entries.values())
            + sum(work for _, work in self.leases.values())
        )  # fmt: skip

    @property
    def room(self) -> int:
        return self.budget - self.charged

    def wanted(self, key: str) -> bool:
        return any(ticket.key == key for ticket in self.queue)

    def next_deadline(self) -> float | None:
        """When `tick` next has something to do, on the caller's clock."""
        times = [e.last_used + e.keep_alive for e in self.entries.values() if self._may_expire(e)]
        return min(times, default=None)

    # ---- events

    def request(
        self, now: float, key: str, *, weights: int, work: int = 0, keep_alive: float = 300.0, exclusive: bool = True
    ) -> tuple[int, list[Decision]]:
        """A wish for a lease. Returns the ticket's id and what follows at once."""
        ticket = Ticket(next(self._ids), key, max(weights, 0), max(work, 0), keep_alive, exclusive)
        self.queue.append(ticket)
        return ticket.id, self._advance(now)

    def cancel(self, now: float, ticket: int) -> list[Decision]:
        """The wish is withdrawn. A load it started goes on: it is kept for its keep-alive."""
        for withdrawn in [waiting for waiting in self.queue if waiting.id == ticket]:
            self.queue.remove(withdrawn)
            if (entry := self.entries.get(withdrawn.key)) is not None:
                first = next((waiting for waiting in self.queue if waiting.key == withdrawn.key), None)
                entry.reserved = min(entry.reserved, first.work) if first else 0
        return self._advance(now)

    def release(self, now: float, lease: int) -> list[Decision]:
        """A lease ends. Releasing twice is a no-op."""
        if (held := self.leases.pop(lease, None)) is None:
            return []
        entry = self.entries[held[0]]
        entry.leases -= 1
        entry.last_used = now
        return self._advance(now)

    def loaded(self, now: float, key: str, weights: int) -> list[Decision]:
        """A load succeeded; `weights` is the measured size and replaces the estimate."""
        entry = self.entries[key]
        entry.state, entry.weights, entry.last_used = State.READY, weights, now
        self._cooldowns.pop(key, None)
        return self._advance(now)

    def load_failed(self, now: float, key: str, error: StudioError) -> list[Decision]:
        """A load failed: everybody who waits for it hears why, and the next try has to wait a little."""
        del self.entries[key]
        failures = self._cooldowns[key].failures + 1 if key in self._cooldowns else 1
        delay = min(COOLDOWN_FIRST * 2 ** (failures - 1), COOLDOWN_MOST)
        self._cooldowns[key] = _Cooldown(failures, now + delay, error.what())
        refused: list[Decision] = [Refuse(ticket.id, error) for ticket in self.queue if ticket.key == key]
        self.queue = [ticket for ticket in self.queue if ticket.key != key]
        return refused + self._advance(now)

    def unloaded(self, now: float, key: str) -> list[Decision]:
        """An unload is done and its memory is back."""
        del self.entries[key]
        return self._advance(now)

    def unload_failed(self, now: float, key: str) -> list[Decision]:
        """An unload failed: the bytes stay charged until a restart."""
        self.entries[key].state = State.BROKEN
        return self._advance(now)

    def evict(self, now: float, key: str | None = None) -> list[Decision]:
        """Free one model, or all that are idle and not pinned. One in use leaves at its last release."""
        chosen = [self.entries[key]] if key in self.entries else []
        if key is None:
            chosen = [entry for entry in self.entries.values() if entry.idle and not entry.pinned]
        decisions: list[Decision] = []
        for entry in chosen:
            if entry.idle:
                decisions.append(self._unload(entry, "asked"))
            elif entry.state in (State.READY, State.LOADING):
                entry.stale = True
        return decisions + self._advance(now)

    def pin(self, now: float, key: str, on: bool) -> list[Decision]:
        """Keep a model resident, or stop doing so."""
        (self._pins.add if on else self._pins.discard)(key)
        if key in self.entries:
            self.entries[key].pinned = on
        return self._advance(now)

    def forgive(self, now: float, key: str) -> list[Decision]:
        """Somebody asks to try again: no cooldown."""
        self._cooldowns.pop(key, None)
        return self._advance(now)

    def set_budget(self, now: float, budget: int) -> list[Decision]:
        """The machine can spare more or less than before."""
        if budget == self.budget:
            return []
        self.budget = budget
        return self._advance(now)

    def tick(self, now: float) -> list[Decision]:
        """Time has passed."""
        return self._advance(now)

    # ---- decisions

    def _advance(self, now: float) -> list[Decision]:
        decisions: list[Decision] = []
        for entry in list(self.entries.values()):
            if entry.stale and entry.idle:
                decisions.append(self._unload(entry, "stale"))
            elif self._may_expire(entry) and now >= entry.last_used + entry.keep_alive:
                decisions.append(self._unload(entry, "idle"))
        decisions += self._shrink()
        blocked: Ticket | None = None
        seen: set[str] = set()
        for ticket in list(self.queue):
            if ticket.key in seen:  # first come, first served within a model
                continue
            served = self._serve(now, ticket) if blocked is None else self._overtake(ticket, blocked)
            decisions += served
            if any(isinstance(decision, Refuse) for decision in served):
                self.queue.remove(ticket)
                continue
            if any(isinstance(decision, Grant) for decision in served):
                continue
            seen.add(ticket.key)
            blocked = blocked or ticket
        return decisions

    def _serve(self, now: float, ticket: Ticket) -> list[Decision]:
        """What follows for the first ticket in line; empty where it has to wait."""
        entry = self.entries.get(ticket.key)
        if entry is None and (cooldown := self._cooldowns.get(ticket.key)) and now < cooldown.until:
            seconds = int(cooldown.until - now) + 1
            return [
                Refuse(
                    ticket.id, StudioError("cooling_down", model=ticket.key, reason=cooldown.reason, seconds=seconds)
                )
            ]
        if entry is not None and entry.state is State.BROKEN:
            return [Refuse(ticket.id, StudioError("stuck", model=ticket.key))]
        weights = entry.weights if entry else ticket.weights
        fixed = [e for e in self.entries.values() if e.key != ticket.key and (e.pinned or e.state is State.BROKEN)]
        capacity = self.budget - sum(e.weights for e in fixed)
        if weights + ticket.work > capacity:
            return [Refuse(ticket.id, self._impossible(ticket, weights, capacity, fixed))]
        if entry is None:
            if weights + ticket.work <= self.room:
                return self._load(ticket)
            return self._make_room(weights + ticket.work - self.room, ticket.key)
        if not self._leasable(entry):
            return []
        if ticket.work <= self.room + entry.reserved:
            return [self._grant(ticket, entry)]
        return self._make_room(ticket.work - self.room, ticket.key)

    def _overtake(self, ticket: Ticket, blocked: Ticket) -> list[Decision]:
        entry = self.entries.get(ticket.key)
        if entry is None or not self._leasable(entry) or blocked.overtaken >= OVERTAKE:
            return []
        if blocked.key in self.entries and self.entries[blocked.key].state is not State.UNLOADING:
            needed = blocked.work
        else:
            needed = blocked.weights + blocked.work
        coming = sum(e.weights for e in self.entries.values() if e.state is State.UNLOADING)
        if ticket.work > max(min(self.room, self.room + coming - needed), 0):
            return []
        blocked.overtaken += 1
        return [self._grant(ticket, entry)]

    def _leasable(self, entry: Entry) -> bool:
        free = entry.leases == 0 or not entry.exclusive
        return entry.state is State.READY and not entry.stale and free and len(self.leases) < self.slots

    def _grant(self, ticket: Ticket, entry: Entry) -> Grant:
        lease = next(self._ids)
        self.leases[lease] = (ticket.key, ticket.work)
        entry.leases += 1
        entry.reserved = 0
        entry.keep_alive = ticket.keep_alive
        self.queue.remove(ticket)
        return Grant(ticket.id, lease, ticket.key)

    def _load(self, ticket: Ticket) -> list[Decision]:
        self.entries[ticket.key] = Entry(
            ticket.key, ticket.weights, ticket.keep_alive, ticket.exclusive,
            pinned=ticket.key in self._pins, reserved=ticket.work,
        )  # fmt: skip
        return [Load(ticket.key)]

    def _unload(self, entry: Entry, reason: str) -> Unload:
        entry.state, entry.stale, entry.reserved = State.UNLOADING, False, 0
        return Unload(entry.key, reason)

    def _make_room(self, deficit: int, for_key: str) -> list[Decision]:
        """Evict what covers `deficit` bytes beyond those on their way out; nothing where that cannot suffice yet."""
        deficit -= sum(e.weights for e in self.entries.values() if e.state is State.UNLOADING)
        if deficit <= 0:
            return []
        idle = [e for e in self.entries.values() if e.idle and not e.pinned and e.key != for_key and e.weights > 0]
        return [self._unload(victim, "room") for victim in victims(idle, deficit)]

    def _shrink(self) -> list[Decision]:
        """Other programs took memory, or a model came out larger than its estimate: let idle ones go."""
        over = -self.room - sum(e.weights for e in self.entries.values() if e.state is State.UNLOADING)
        if over <= 0:
            return []
        first = self.queue[0].key if self.queue else None
        idle = [e for e in self.entries.values() if e.idle and not e.pinned and e.key != first and e.weights > 0]
        chosen = victims(idle, over) or idle
        return [self._unload(victim, "shrink") for victim in chosen]

    def _may_expire(self, entry: Entry) -> bool:
        return entry.idle and not entry.pinned and entry.keep_alive >= 0 and not self.wanted(entry.key)

    def _impossible(self, ticket: Ticket, weights: int, capacity: int, fixed: list[Entry]) -> StudioError:
        needed, pins = gigabytes(weights + ticket.work), ", ".join(e.key for e in fixed)
        if weights + ticket.work <= self.budget:
            return StudioError(
                "pinned_full", model=ticket.key, needed=needed, capacity=gigabytes(max(capacity, 0)), pins=pins
            )
        return StudioError("does_not_fit", model=ticket.key, needed=needed, capacity=gigabytes(max(capacity, 0)))
