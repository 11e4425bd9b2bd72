"""One thread per device, on which every load, unload and run happens, one after another.

Why one thread: building a model changes process-wide state of torch, fast tokenizers and schedulers give wrong data
when two threads share them, and Gradio frees its slot on Stop while the step still runs. With several devices there
are several threads, and a gate between them: while a model is built anywhere, nothing runs elsewhere.
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
        self._sign: float | None = None  # when the task in work was last seen alive
        self._thread = threading.Thread(target=self._work, name=f"lane-{name}", daemon=True)
        self._thread.start()

    def put(self, task: Callable[[], None], builds: bool = False) -> None:
        """Do `task` after all that was put before. With `builds` nothing runs on other lanes meanwhile."""
        with self._changed:
            self._todo.append((task, builds))
            self._changed.notify()

    @property
    def here(self) -> bool:
        """True on the lane's own thread."""
        return threading.current_thread() is self._thread

    def beat(self) -> None:
        """A sign of life of the task in work. Cheap; from any thread."""
        if self._sign is not None:
            self._sign = time.monotonic()

    @property
    def quiet(self) -> float:
        """Seconds since the task in work last gave a sign of life; 0 where nothing is in work."""
        sign = self._sign
        return 0.0 if sign is None else time.monotonic() - sign

    def close(self, timeout: float) -> bool:
        """Finish what was put, then end. False where a task did not return within `timeout` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._todo:
                    if self._closing:
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
