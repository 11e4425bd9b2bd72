"""One device's models: who may use which, loaded on first use, gone when unused or in the way.

`ModelManager` carries out what studio.manager.core decides: effects run on the device's lane, callbacks run
without any lock held. It knows nothing of jobs, files or tasks; a model is a key, a size and a way to load it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from studio.engines.base import Device, Loaded
from studio.errors import Cancelled, StudioError
from studio.manager import gauge
from studio.manager.core import Core
from studio.manager.lane import Lane
from studio.manager.ledger import Decision, Grant, Load, Refuse, State, Unload
from studio.manager.values import Lease, ManagerStatus, Spec, Waiter, resident

log = logging.getLogger("studio.manager")


class ModelManager:
    """The models of one device.

    Args:
        limit: most bytes that models may take together; 0 for what the machine can spare.
        reserve: bytes left to everybody else.
    """

    def __init__(
        self,
        device: Device,
        *,
        limit: int = 0,
        reserve: int = 0,
        read: Callable[[Device], gauge.Reading] = gauge.read,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.device = device
        self.lane = Lane(str(device))
        self._limit, self._reserve, self._read, self._clock = limit, reserve, read, clock
        self._changed = threading.Condition(threading.RLock())
        self._specs: dict[str, Spec] = {}
        self._loaded: dict[str, Loaded] = {}
        self._waiters: dict[int, Waiter] = {}
        self._closing = False
        self._core = Core(budget=0)
        self._core.budget = self._budget()
        self._janitor = threading.Thread(target=self._expire, name=f"janitor-{device}", daemon=True)
        self._janitor.start()

    # ---- asking

    def acquire(
        self,
        spec: Spec,
        *,
        work: int = 0,
        granted: Callable[[Lease], None],
        refused: Callable[[StudioError], None],
        loading: Callable[[float | None], None] = lambda _: None,
        waiting: Callable[[], None] = lambda: None,
    ) -> int:
        """Ask for a lease; exactly one of `granted` and `refused` is called, from any thread, unless cancelled first.

        `loading` hears that the model is being loaded (None) and how far it is (0..1); `waiting`, that it is loaded
        but somebody else has it.
        """
        with self._changed:
            if not self._closing:
                self._specs[spec.key] = spec
                self._refresh_budget()
                before = self._core.entries.get(spec.key)
                ticket, decisions = self._core.request(
                    self._clock(), spec.key,
                    weights=spec.weights, work=work, keep_alive=spec.keep_alive, exclusive=spec.exclusive,
                )  # fmt: skip
                self._waiters[ticket] = Waiter(spec, granted, refused, loading, waiting)
                calls = self._carry_out(decisions)
                if before is not None and before.state is State.LOADING:
                    calls.append(lambda: loading(None))
            else:
                ticket, calls = 0, [lambda: refused(StudioError("closing"))]
        _call(calls)
        return ticket

    def cancel(self, ticket: int) -> bool:
        """Withdraw a request. False where it was already granted or refused."""
        with self._changed:
            if self._waiters.pop(ticket, None) is None:
                return False
            calls = self._carry_out(self._core.cancel(self._clock(), ticket))
        _call(calls)
        return True

    @contextmanager
    def lease(
        self, spec: Spec, *, work: int = 0, cancelled: Callable[[], bool] | None = None, timeout: float | None = None
    ) -> Iterator[Loaded]:
        """Wait for a lease and hold it. Not for the lane's own thread, which would wait for itself.

        Raises:
            StudioError: it was refused. Cancelled: `cancelled` said so. TimeoutError: not granted in time.
        """
        if self.lane.here:
            raise RuntimeError("the lane cannot wait for itself")
        box: list[Lease | StudioError] = []
        arrived = threading.Event()

        def put(answer: Lease | StudioError) -> None:
            box.append(answer)
            arrived.set()

        ticket = self.acquire(spec, work=work, granted=put, refused=put)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not arrived.wait(0.05 if cancelled or deadline else None):
            gone = cancelled is not None and cancelled()
            late = deadline is not None and time.monotonic() > deadline
            if (gone or late) and self.cancel(ticket):
                raise Cancelled if gone else TimeoutError(spec.key)
        answer = box[0]
        if isinstance(answer, StudioError):
            raise answer
        try:
            assert answer.model is not None
            yield answer.model
        finally:
            answer.release()

    # ---- steering

    def evict(self, key: str | None = None) -> None:
        """Free one model, or all idle ones. One in use is freed at its last release."""
        self._tell(lambda now: self._core.evict(now, key))

    def pin(self, key: str, on: bool) -> None:
        """Keep a model resident, or stop doing so."""
        self._tell(lambda now: self._core.pin(now, key, on))

    def forgive(self, key: str) -> None:
        """Let a model that failed to load be tried again at once."""
        self._tell(lambda now: self._core.forgive(now, key))

    def status(self) -> ManagerStatus:
        """What is in memory now."""
        reading = self._read(self.device)
        with self._changed:
            core, now = self._core, self._clock()
            models = tuple(resident(entry, now) for entry in core.entries.values())
            waiting = len(core.queue)
            return ManagerStatus(self.device, models, core.budget, core.charged, reading.total, reading.free, waiting)

    def close(self, timeout: float = 5.0) -> bool:
        """Refuse new requests, free everything, end the threads. False where a run did not come to an end in time."""
        with self._changed:
            self._closing = True
            calls = self._carry_out([Refuse(ticket, StudioError("closing")) for ticket in list(self._waiters)])
            self._core.queue.clear()
            calls += self._carry_out(self._core.evict(self._clock()))
            for key in [key for key, entry in self._core.entries.items() if entry.state is State.READY]:
                calls += self._carry_out(self._core.evict(self._clock(), key))
            self._changed.notify_all()
        _call(calls)
        self._janitor.join(timeout)
        return self.lane.close(timeout)

    # ---- carrying out

    def _tell(self, event: Callable[[float], list[Decision]]) -> None:
        with self._changed:
            calls = self._carry_out(event(self._clock()))
        _call(calls)

    def _carry_out(self, decisions: list[Decision]) -> list[Callable[[], None]]:
        """Put effects on the lane; return the callbacks, to be called once the lock is free."""
        calls: list[Callable[[], None]] = []
        for decision in decisions:
            match decision:
                case Load(key):
                    self.lane.put(lambda key=key: self._do_load(key))
                case Unload(key, reason):
                    log.info("unloading %s (%s)", key, reason)
                    self.lane.put(lambda key=key: self._do_unload(key))
                case Grant(ticket, lease, key):
                    waiter = self._waiters.pop(ticket)
                    handle = Lease(self._loaded[key], lambda lease=lease: self._release(lease))
                    calls.append(lambda waiter=waiter, handle=handle: waiter.granted(handle))
                case Refuse(ticket, error):
                    if (waiter := self._waiters.pop(ticket, None)) is not None:
                        calls.append(lambda waiter=waiter, error=error: waiter.refused(error))
        self._changed.notify_all()
        return calls

    def _release(self, lease: int) -> None:
        with self._changed:
            self._refresh_budget()
            calls = self._carry_out(self._core.release(self._clock(), lease))
        _call(calls)

    def _do_load(self, key: str) -> None:
        spec = self._specs[key]

        def report(fraction: float | None) -> None:
            with self._changed:
                waiting = [waiter for waiter in self._waiters.values() if waiter.spec.key == key]
            for waiter in waiting:
                waiter.loading(fraction)

        started, nbytes = time.monotonic(), 0
        model: Loaded | None = None
        error: StudioError | None = None
        report(None)
        try:
            model = spec.load(report)
            nbytes = model.nbytes()
        except StudioError as failure:
            error = failure.with_traceback(None)  # its frames would keep half-built weights alive
        except MemoryError:
            error = StudioError("out_of_memory", model=key)
        except Exception as failure:
            log.exception("loading %s failed", key)
            error = StudioError("broken_model", model=key, reason=_first_line(failure))
        if model is None or error is not None:
            reason = error or StudioError("broken_model", model=key, reason="nothing was loaded")
            model = None
            gauge.collect()
            self._tell(lambda now: self._core.load_failed(now, key, reason))
            return
        log.info("loaded %s in %.1f s", key, time.monotonic() - started)
        with self._changed:
            self._loaded[key] = model
            calls = self._carry_out(self._core.loaded(self._clock(), key, nbytes))
            calls += [waiter.waiting for waiter in self._waiters.values() if waiter.spec.key == key]
            self._refresh_budget()
        _call(calls)

    def _do_unload(self, key: str) -> None:
        with self._changed:
            model = self._loaded.pop(key, None)
        try:
            if model is not None:
                model.close()
        except Exception:
            log.exception("unloading %s failed; its memory stays counted", key)
            self._tell(lambda now: self._core.unload_failed(now, key))
            return
        del model
        gauge.collect()
        self._tell(lambda now: self._core.unloaded(now, key))

    def _budget(self) -> int:
        """Bytes that models may take: what is free now and what they hold already, less the reserve."""
        reading = self._read(self.device)
        held = sum(entry.weights for entry in self._core.entries.values())
        held += sum(work for _, work in self._core.leases.values())
        if self.device.kind == "cpu":  # mapped weights that were never touched are still counted as free
            held = min(held, psutil.Process().memory_info().rss)
        spare = min(reading.free + held, reading.total) - self._reserve
        return max(min(spare, self._limit) if self._limit else spare, 0)

    def _refresh_budget(self) -> None:
        """Look again what the machine can spare, but not while a load or unload makes the reading a moving target."""
        moving = (State.LOADING, State.UNLOADING)
        if any(entry.state in moving for entry in self._core.entries.values()):
            return
        for call in self._carry_out(self._core.set_budget(self._clock(), self._budget())):
            self.lane.put(call)

    def _expire(self) -> None:
        """Free models whose time is over, at the moment it is."""
        while True:
            with self._changed:
                if self._closing:
                    return
                deadline = self._core.next_deadline()
                self._changed.wait(None if deadline is None else max(deadline - self._clock(), 0.01))
                if self._closing:
                    return
                calls = self._carry_out(self._core.tick(self._clock()))
            _call(calls)


def _call(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        call()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
