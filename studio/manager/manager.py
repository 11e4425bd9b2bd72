"""One device's models: who may use which, loaded on first use, gone when unused or in the way.

What studio.manager.core decides is carried out here: effects on the device's lane, callbacks with no lock held. A model
is a key, a size and a way to load it. Asking, steering and carrying out share one lock over the same books, which is
why they are one class in one file.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from studio.devices import memory
from studio.devices.device import Device
from studio.engines.base import Killable, Loaded
from studio.errors import StudioError
from studio.manager import effects, snapshot
from studio.manager.budget import Budget
from studio.manager.core import Core
from studio.manager.decisions import Decision, Grant, Load, Park, Place, Refuse, Unload
from studio.manager.lane import Gate, Lane
from studio.manager.ledger import MOVING, Ledger
from studio.manager.types import Lease, ManagerStatus, Spec, Waiter
from studio.manager.watchdog import Watchdog

log = logging.getLogger("studio.manager")

WATCH = 1.0
"""Seconds between two looks at a device that does not answer."""


class ModelManager:
    """The models of one device.

    Args:
        limit: most bytes that models may take together; 0 for what the machine can spare.
        reserve: bytes left to everybody else.
        stuck_after: seconds without a sign of life after which the device counts as stuck; 0 never.
        gate: shared by all devices of a process.
        slots: models that may be in use at once; a compute lane has one.
    """

    def __init__(
        self,
        device: Device,
        *,
        limit: int = 0,
        reserve: int = 0,
        stuck_after: float = 0.0,
        gate: Gate | None = None,
        slots: int = 1,
        read: Callable[[Device], memory.Reading] = memory.read_memory,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device = device
        self.lane = Lane(str(device), gate)
        self._clock, self._stuck_after = clock, stuck_after
        self._watchdog = Watchdog(self.lane, stuck_after)
        self._changed = threading.Condition(threading.RLock())
        self._specs: dict[str, Spec] = {}
        self._loaded: dict[str, Loaded] = {}
        self._waiters: dict[int, Waiter] = {}
        self._closing = False
        self._core = Core(Ledger(0, unified=device.kind != "cuda"), slots)
        self._budget = Budget(device, limit, reserve, read, lambda key: self._specs[key].apart)
        self._core.set_budget(clock(), *self._budget.now(self._core.ledger))
        self._janitor = threading.Thread(target=self._expire, name=f"janitor-{device}", daemon=True)
        self._janitor.start()

    # ---- asking

    def acquire(
        self,
        spec: Spec,
        *,
        work: int = 0,
        least: int | None = None,
        alone: bool = False,
        granted: Callable[[Lease], None],
        refused: Callable[[StudioError], None],
        loading: Callable[[float | None], None] = lambda _: None,
        waiting: Callable[[], None] = lambda: None,
    ) -> int:
        """Ask for a lease; exactly one of `granted` and `refused` is called, from any thread, unless cancelled first.

        Args:
            work, least: working memory to keep, and the least that is worth a try (default: all of it).
            alone: the memory ran out before: everything idle leaves first.
            loading: hears that the model is being loaded (None) and how far it is (0..1).
            waiting: hears that it is loaded but somebody else has it.
        """
        with self._changed:
            if not self._closing:
                self._specs[spec.key] = spec
                calls = self._look_again()
                before = self._core.ledger.entries.get(spec.key)
                ticket, decisions = self._core.request(
                    self._clock(), spec.key,
                    weights=spec.weights, work=work, least=least, keep_alive=spec.keep_alive,
                    park_alive=spec.park_alive, places=spec.places, each=spec.each, alone=alone,
                )  # fmt: skip
                self._waiters[ticket] = Waiter(spec, granted, refused, loading, waiting)
                if before is not None and before.state in MOVING:
                    calls.append(lambda: loading(None))
                calls += self._carry_out(decisions)
            else:
                ticket, calls = 0, [lambda: refused(StudioError("closing"))]
        call_all(calls)
        return ticket

    def cancel(self, ticket: int) -> bool:
        """Withdraw a request. False where it was already granted or refused."""
        with self._changed:
            if self._waiters.pop(ticket, None) is None:
                return False
            calls = self._carry_out(self._core.cancel(self._clock(), ticket))
        call_all(calls)
        return True

    def start(self, lease: Lease, run: Callable[[], None]) -> None:
        """Have a leased model used by `run`, which releases the lease: on the lane, or beside it and others."""
        if lease.shared:
            self.lane.beside(run)
        else:
            self.lane.put(run)

    # ---- steering

    def evict(self, key: str | None = None) -> None:
        """Close one model, or all idle ones. One in use is closed at its last release."""
        self._tell(lambda now: self._core.evict(now, key))

    def pin(self, key: str, on: bool) -> None:
        """Keep a model resident, or stop doing so."""
        self._tell(lambda now: self._core.pin(now, key, on))

    def pinned(self, key: str) -> bool:
        """Whether a model is kept resident once it is there."""
        with self._changed:
            return key in self._core.line.pins

    def forgive(self, key: str) -> None:
        """Let a model that failed to load be tried again at once."""
        self._tell(lambda now: self._core.forgive(now, key))

    def begun(self, model: Killable) -> None:
        """What is loaded now can be ended should it hang. For a spec's `load`, on the lane."""
        self._watchdog.begun(model)

    def status(self) -> ManagerStatus:
        """How the device stands now."""
        reading = self._budget.reading()
        with self._changed:
            apart = {key: self._loaded.get(key) for key in self._core.ledger.entries if self._specs[key].apart}
        processes = snapshot.processes(apart)
        with self._changed:
            stuck = self._watchdog.silent if self._core.suspended else None
            return snapshot.status(self._core, self.device, reading, processes, stuck, self._clock())

    def model(self, key: str) -> Loaded | None:
        """A model that is in memory, for a question that it answers from any thread; None where it is not.

        Nobody holds it for that: it may be closed at any moment, and what it answers then is an error.
        """
        with self._changed:
            return self._loaded.get(key)

    def places(self, key: str) -> int:
        """How many leases a model may have at once. For a spec's `load`, which makes it so."""
        with self._changed:
            return self._core.ledger.entries[key].places

    def awaited(self, key: str) -> bool:
        """Whether anybody waits for a model; nobody does once the manager closes."""
        return bool(self._waiting_for(key))

    def close(self, timeout: float = 5.0) -> bool:
        """Refuse new requests, free everything, end the threads. False where a run did not come to an end in time."""
        with self._changed:
            self._closing = True
            calls = self._carry_out(self._core.suspend(StudioError("closing")))
            for key in list(self._core.ledger.entries):
                calls += self._carry_out(self._core.evict(self._clock(), key))
            self._changed.notify_all()
        call_all(calls)
        self._janitor.join(timeout)
        return self.lane.close(timeout)

    # ---- carrying out

    def _tell(self, event: Callable[[float], list[Decision]]) -> None:
        """Something happened: look at the memory, before or after it, decide, and do it."""
        with self._changed:
            moved = self._moving
            calls = self._look_again()
            calls += self._carry_out(event(self._clock()))
            calls += self._look_again() if moved else []
        call_all(calls)

    def _carry_out(self, decisions: list[Decision]) -> list[Callable[[], None]]:
        """Put effects on the lane; return the callbacks, to be called once the lock is free."""
        calls: list[Callable[[], None]] = []
        for decision in decisions:
            match decision:
                case Load(key):
                    self.lane.put(lambda key=key: self._load(key), builds=self._specs[key].builds)
                case Place(key):
                    self.lane.put(lambda key=key: self._place(key))
                case Park(key, reason):
                    log.info("parking %s (%s)", key, reason)
                    self.lane.put(lambda key=key: self._park(key))
                case Unload(key, reason):
                    log.info("unloading %s (%s)", key, reason)
                    self.lane.put(lambda key=key: self._unload(key))
                case Grant(ticket, lease, key):
                    waiter = self._waiters.pop(ticket)
                    shared = self._core.ledger.entries[key].places > 1
                    handle = Lease(self._loaded[key], lambda lease=lease: self._release(lease), shared)
                    calls.append(lambda waiter=waiter, handle=handle: waiter.granted(handle))
                case Refuse(ticket, error):
                    if (waiter := self._waiters.pop(ticket, None)) is not None:
                        calls.append(lambda waiter=waiter, error=error: waiter.refused(error))
        self._changed.notify_all()
        return calls

    def _release(self, lease: int) -> None:
        self._tell(lambda now: self._core.release(now, lease))

    def _report(self, key: str, fraction: float | None) -> None:
        self.lane.beat()
        for waiter in self._waiting_for(key):
            waiter.loading(fraction)

    def _waiting_for(self, key: str) -> list[Waiter]:
        with self._changed:
            return [waiter for waiter in self._waiters.values() if waiter.spec.key == key]

    def _arrived(self, key: str, event: Callable[[float], list[Decision]]) -> None:
        """A model is there; those who still wait hear that somebody else has it."""
        self._tell(event)
        for waiter in self._waiting_for(key):
            waiter.waiting()

    def _load(self, key: str) -> None:
        self._report(key, None)
        with self._watchdog.moving():
            done = effects.load(self._specs[key], lambda fraction: self._report(key, fraction))
        if done is None:
            self._tell(lambda now: self._core.unloaded(now, key))
            return
        if isinstance(done, effects.Failure):
            self._tell(lambda now: self._core.load_failed(now, key, done.error, done.full))
            return
        with self._changed:
            self._loaded[key] = done.model
        self._arrived(key, lambda now: self._core.loaded(now, key, done.nbytes, done.host))

    def _place(self, key: str) -> None:
        self._report(key, None)
        with self._watchdog.moving(self._loaded[key]):
            placed = effects.place(self._loaded[key], key)
        if placed:
            self._arrived(key, lambda now: self._core.placed(now, key))
        else:
            self._tell(lambda now: self._core.place_failed(now, key))

    def _park(self, key: str) -> None:
        with self._watchdog.moving(self._loaded[key]):
            host = effects.park(self._loaded[key], key, self.device.kind != "cpu")
        if host is None:
            self._unload(key)
        else:
            self._tell(lambda now: self._core.parked(now, key, host))

    def _unload(self, key: str) -> None:
        with self._changed:
            model = self._loaded.pop(key, None)
        with self._watchdog.moving(model):
            gone = model is None or effects.close(model, key)
        del model
        memory.collect()
        self._tell(lambda now: self._core.unloaded(now, key) if gone else self._core.unload_failed(now, key))

    # ---- looking

    @property
    def _moving(self) -> bool:
        return any(entry.state in MOVING for entry in self._core.ledger.entries.values())

    def _look_again(self) -> list[Callable[[], None]]:
        """Read what the machine can spare, but not while a model on the move makes that a moving target."""
        if self._moving:
            return []
        return self._carry_out(self._core.set_budget(self._clock(), *self._budget.now(self._core.ledger)))

    def _expire(self) -> None:
        """Let models go whose time is over, at the moment it is, and see whether the lane still answers."""
        while True:
            with self._changed:
                if self._closing:
                    return
                deadline = self._core.line.next_deadline()
                waits = [] if deadline is None else [max(deadline - self._clock(), 0.01)]
                if self._stuck_after:
                    waits.append(WATCH if self._core.suspended else self._stuck_after / 4)
                self._changed.wait(min(waits, default=None))
                if self._closing:
                    return
                calls = self._carry_out(self._core.tick(self._clock())) + self._watch()
            call_all(calls)

    def _watch(self) -> list[Callable[[], None]]:
        """What follows from the lane being silent for too long, or being heard again.

        A model in a process of its own is ended, which costs those who asked for it alone. Otherwise everybody is
        refused until then.
        """
        leased = [self._loaded.get(key) for key, _ in self._core.ledger.leases.values()]
        stuck, ends = self._watchdog.look(leased)
        if not ends and stuck == (self._core.suspended is not None):
            return []
        if stuck or ends:
            log.error("%s has not answered for %.0f s", self.device, self._watchdog.silent)
        if ends:
            return ends
        error = StudioError("device_stuck", minutes=max(round(self._watchdog.silent / 60), 1)) if stuck else None
        return self._carry_out(self._core.suspend(error))


def call_all(calls: list[Callable[[], None]]) -> None:
    """What follows from a decision, in order; never while the books are locked."""
    for call in calls:
        call()
