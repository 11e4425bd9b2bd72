"""Core: who may use which model when, and what has to leave memory for it; pure bookkeeping.

Events go in as method calls with the time as an argument, decisions come out as values. Nothing here sleeps, locks,
loads or knows torch; the caller (studio.manager.manager) does what is decided and reports back. That is what makes the
rules testable by a state machine. A lease is resident weights, a pin and reserved working memory, given in one step or
not at all. A model has one or several places, and as many leases at most. A load that ran out of memory is tried once
more, alone; one that failed otherwise has to wait, longer each time. Who is served next, and what leaves for it:
studio.manager.scheduling.
"""

from __future__ import annotations

from studio.errors import StudioError
from studio.manager.decisions import Decision, Refuse, Ticket
from studio.manager.ledger import LEAVING, Ledger, State
from studio.manager.scheduling import Cooldown, Line

COOLDOWN_FIRST, COOLDOWN_MOST = 10.0, 300.0


class Core:
    """What happens to one device's models.

    Args:
        slots: models that may be in use at once; a compute lane has one.

    Attributes:
        line: who waits, and the rules by which they are served.
        suspended: why nobody is served; None where somebody is.
    """

    def __init__(self, ledger: Ledger, slots: int = 1) -> None:
        self.ledger, self.line = ledger, Line(ledger, slots)
        self.suspended: StudioError | None = None

    # ---- events

    def request(
        self,
        now: float,
        key: str,
        *,
        weights: int,
        work: int = 0,
        least: int | None = None,
        keep_alive: float = 300.0,
        park_alive: float = 0.0,
        places: int = 1,
        each: int = 0,
        alone: bool = False,
    ) -> tuple[int, list[Decision]]:
        """A wish for a lease. Returns the ticket's id and what follows at once.

        Args:
            work: working memory to reserve; no more than there can be, as long as that is `least` (default: `work`).
            places: most leases that the model may have at once.
            each: bytes that it takes for each place beside the first.
            alone: it ran out of memory before: everything idle leaves first.
        """
        work = max(work, 0)
        ticket = Ticket(
            next(self.line.ids), key, max(weights, 0), work, work if least is None else min(max(least, 0), work),
            keep_alive, park_alive, max(places, 1), max(each, 0), alone,
        )  # fmt: skip
        if self.suspended is not None:
            return ticket.id, [Refuse(ticket.id, self.suspended)]
        self.line.queue.append(ticket)
        left = self.line.leave_all(now, "retry", (key,)) if alone else []
        return ticket.id, left + self.line.advance(now)

    def cancel(self, now: float, ticket: int) -> list[Decision]:
        """The wish is withdrawn. A load it started goes on: it is kept for its keep-alive."""
        for withdrawn in [waiting for waiting in self.line.queue if waiting.id == ticket]:
            self.line.drop(withdrawn)
        return self.line.advance(now)

    def release(self, now: float, lease: int) -> list[Decision]:
        """A lease ends. Releasing twice is a no-op."""
        if (held := self.ledger.leases.pop(lease, None)) is None:
            return []
        entry = self.ledger.entries[held[0]]
        entry.leases -= 1
        entry.last_used = now
        return self.line.advance(now)

    def loaded(self, now: float, key: str, weights: int, host: int | None = None) -> list[Decision]:
        """A load succeeded; the measured sizes replace the estimates."""
        entry = self.ledger.entries[key]
        entry.weights, entry.host = max(weights, 0), host
        self.ledger.enter(now, entry, State.READY)
        self.line.cooldowns.pop(key, None)
        return self.line.advance(now)

    def load_failed(self, now: float, key: str, error: StudioError, full: bool = False) -> list[Decision]:
        """A load failed. With `full` the memory ran out: once more, after all idle models left, if there are any.

        Otherwise everybody who waits for it hears why, and the next try has to wait a little.
        """
        self.ledger.enter(now, self.ledger.entries[key], State.ABSENT, "failed")
        waiting = [ticket for ticket in self.line.queue if ticket.key == key]
        if full and waiting and not any(ticket.alone for ticket in waiting):
            left = self.line.leave_all(now, "retry", (key,))
            if left or any(entry.state in LEAVING for entry in self.ledger.entries.values()):
                for ticket in waiting:
                    ticket.alone = True
                return left + self.line.advance(now)
        failures = self.line.cooldowns[key].failures + 1 if key in self.line.cooldowns else 1
        delay = min(COOLDOWN_FIRST * 2 ** (failures - 1), COOLDOWN_MOST)
        self.line.cooldowns[key] = Cooldown(failures, now + delay, error.what())
        self.line.queue = [ticket for ticket in self.line.queue if ticket.key != key]
        refused: list[Decision] = [Refuse(ticket.id, error) for ticket in waiting]
        return refused + self.line.advance(now)

    def placed(self, now: float, key: str) -> list[Decision]:
        """A parked model is back where it computes."""
        self.ledger.enter(now, self.ledger.entries[key], State.READY)
        return self.line.advance(now)

    def place_failed(self, now: float, key: str) -> list[Decision]:
        """A parked model is half moved: it is closed, and loaded again for those who wait."""
        entry = self.ledger.entries[key]
        entry.reserved = 0
        return [self.line.unload(now, entry, "failed"), *self.line.advance(now)]

    def parked(self, now: float, key: str, host: int) -> list[Decision]:
        """A model left the device and holds `host` bytes of the machine's memory."""
        entry = self.ledger.entries[key]
        entry.host = max(host, 0)
        self.ledger.enter(now, entry, State.PARKED)
        return self.line.advance(now)

    def unloaded(self, now: float, key: str) -> list[Decision]:
        """A model is closed, asked to or because it could not be parked, or its load was given up: its memory is back.

        Who asked for it meanwhile has it loaded again.
        """
        self.ledger.enter(now, self.ledger.entries[key], State.ABSENT)
        return self.line.advance(now)

    def unload_failed(self, now: float, key: str) -> list[Decision]:
        """Closing or parking failed: the bytes stay charged until a restart."""
        self.ledger.enter(now, self.ledger.entries[key], State.BROKEN, "failed")
        return self.line.advance(now)

    def evict(self, now: float, key: str | None = None) -> list[Decision]:
        """Close one model, or all that are idle and not pinned. One in use or on the move leaves as soon as it can."""
        if key is None:
            chosen = [entry for entry in self.ledger.entries.values() if entry.free_to_go]
        else:
            chosen = [self.ledger.entries[key]] if key in self.ledger.entries else []
        decisions: list[Decision] = []
        for entry in chosen:
            if entry.idle or entry.state is State.PARKED:
                decisions.append(self.line.unload(now, entry, "asked"))
            elif entry.state is not State.BROKEN and entry.state is not State.UNLOADING:
                entry.stale = True
        return decisions + self.line.advance(now)

    def pin(self, now: float, key: str, on: bool) -> list[Decision]:
        """Keep a model resident, or stop doing so."""
        (self.line.pins.add if on else self.line.pins.discard)(key)
        if key in self.ledger.entries:
            self.ledger.entries[key].pinned = on
        return self.line.advance(now)

    def forgive(self, now: float, key: str) -> list[Decision]:
        """Somebody asks to try again: no cooldown."""
        self.line.cooldowns.pop(key, None)
        return self.line.advance(now)

    def set_budget(self, now: float, budget: int, host: int | None = None) -> list[Decision]:
        """The machine can spare more or less than before."""
        ledger = self.ledger
        before = ledger.budget, ledger.host_budget
        ledger.budget, ledger.host_budget = budget, ledger.host_budget if host is None else host
        return self.line.advance(now) if (ledger.budget, ledger.host_budget) != before else []

    def suspend(self, error: StudioError | None) -> list[Decision]:
        """The device does not answer: everybody hears `error`, until this is called with None."""
        self.suspended = error
        if error is None:
            return []
        refused: list[Decision] = [Refuse(ticket.id, error) for ticket in self.line.queue]
        self.line.queue.clear()
        for entry in self.ledger.entries.values():
            entry.reserved = 0
        return refused

    def tick(self, now: float) -> list[Decision]:
        """Time has passed."""
        return self.line.advance(now)
