"""One device's models: who may use which, loaded on first use, gone when unused or in the way.

`ModelManager` is asked and told; what the core then decides is carried out in studio.manager.executor. A model is a
key, a size and a way to load it.
"""

from __future__ import annotations

from collections.abc import Callable

from studio.engines.base import Killable
from studio.errors import StudioError
from studio.manager import snapshot
from studio.manager.executor import Carrying, call_all
from studio.manager.ledger import MOVING
from studio.manager.types import Lease, ManagerStatus, Spec, Waiter


class ModelManager(Carrying):
    """The models of one device.

    Args:
        limit: most bytes that models may take together; 0 for what the machine can spare.
        reserve: bytes left to everybody else.
        stuck_after: seconds without a sign of life after which the device counts as stuck; 0 never.
        gate: shared by all devices of a process.
    """

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
                    park_alive=spec.park_alive, exclusive=spec.exclusive, alone=alone,
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

    # ---- steering

    def evict(self, key: str | None = None) -> None:
        """Close one model, or all idle ones. One in use is closed at its last release."""
        self._tell(lambda now: self._core.evict(now, key))

    def pin(self, key: str, on: bool) -> None:
        """Keep a model resident, or stop doing so."""
        self._tell(lambda now: self._core.pin(now, key, on))

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
            stuck = self.lane.quiet if self._core.suspended else None
            return snapshot.status(self._core, self.device, reading, processes, stuck, self._clock())

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
