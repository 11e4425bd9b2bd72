"""One thread per device, on which every load, unload and run happens, one after another; shared models run beside it.

Why one thread: building a model changes process-wide state of torch, fast tokenizers and schedulers give wrong data
when two threads share them, and Gradio frees its slot on Stop while the step still runs. With several devices there
are several threads, and a gate between them: while a model is built anywhere, nothing runs elsewhere.

Runs that share a model have a thread each, beside the lane. They use neither torch nor anything else of which only one
thread may make use (studio.engines.base.AnswersSeveral), so the gate is not for them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger("studio.lane")

BEAT = 1.0
"""Seconds between two signs of life of a lane that waits at the gate."""


class Gate:
    """Many may run, or one may build. Who wants to build goes first: builds are rare and short beside runs."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._building = False
        self._builders = 0

    @contextmanager
    def running(self, beat: Callable[[], None] = lambda: None) -> Iterator[None]:
        with self._changed:
            while self._building or self._builders:
                beat()
                self._changed.wait(BEAT)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def building(self, beat: Callable[[], None] = lambda: None) -> Iterator[None]:
        with self._changed:
            self._builders += 1
            try:
                while self._building or self._running:
                    beat()
                    self._changed.wait(BEAT)
                self._building = True
            finally:
                self._builders -= 1
        try:
            yield
        finally:
            with self._changed:
                self._building = False
                self._changed.notify_all()


class Lane:
    """Runs callables in the order they were put. They handle their own errors; what escapes is logged."""

    def __init__(self, name: str, gate: Gate | None = None) -> None:
        self._gate = gate or Gate()
        self._todo: deque[tuple[Callable[[], None], bool]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._beside: set[threading.Thread] = set()  # runs beside the lane
        self._heard = 0.0  # when any of these was last seen alive
        self._sign: float | None = None  # when the task in work was last seen alive
        self._thread = threading.Thread(target=self._work, name=f"lane-{name}", daemon=True)
        self._thread.start()

    def put(self, task: Callable[[], None], builds: bool = False) -> None:
        """Do `task` after all that was put before. With `builds` nothing runs on other lanes meanwhile."""
        with self._changed:
            self._todo.append((task, builds))
            self._changed.notify()

    def beside(self, task: Callable[[], None]) -> None:
        """Do `task` now, on a thread of its own."""
        thread = threading.Thread(target=self._run_beside, args=(task,), name=f"{self._thread.name}+", daemon=True)
        with self._changed:
            self._beside.add(thread)
            self._heard = time.monotonic()
        thread.start()

    @property
    def here(self) -> bool:
        """True on the lane's own thread."""
        return threading.current_thread() is self._thread

    def beat(self) -> None:
        """A sign of life of the task in work, or of the run beside the lane on whose thread this is called. Cheap."""
        if threading.current_thread() in self._beside:
            self._heard = time.monotonic()
        elif self._sign is not None:
            self._sign = time.monotonic()

    @property
    def quiet(self) -> float:
        """Seconds since the task in work last gave a sign of life; 0 where nothing is in work."""
        sign = self._sign
        return 0.0 if sign is None else time.monotonic() - sign

    @property
    def quiet_beside(self) -> float:
        """Seconds since any of the runs beside the lane gave a sign of life; 0 where there is none.

        They share a model, which answers all of them in turn: one that is heard tells that it is alive.
        """
        return time.monotonic() - self._heard if self._beside else 0.0

    def close(self, timeout: float) -> bool:
        """Finish what was put and what runs beside, then end. False where that took longer than `timeout` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run_beside(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException:
            log.exception("a task beside the compute lane let an error escape")
        finally:
            with self._changed:
                self._beside.discard(threading.current_thread())
                self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._todo:
                    if self._closing and not self._beside:
                        return
                    self._changed.wait()
                task, builds = self._todo.popleft()
            self._sign = time.monotonic()
            try:
                with self._gate.building(self.beat) if builds else self._gate.running(self.beat):
                    task()
            except BaseException:  # a library may call sys.exit: the lane has to outlive that
                log.exception("a task on the compute lane let an error escape")
            self._sign = None
            del task  # a waiting thread must not keep the last task's model alive
