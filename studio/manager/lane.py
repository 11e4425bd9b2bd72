"""One thread per device, on which every load, unload and run happens, one after another.

Why one thread: building a model changes process-wide state of torch, fast tokenizers and schedulers give
wrong data when two threads share them, and Gradio frees its slot on Stop while the step still runs.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

log = logging.getLogger("studio.lane")


class Lane:
    """Runs callables in the order they were put. They handle their own errors; what escapes is logged."""

    def __init__(self, name: str) -> None:
        self._todo: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=f"lane-{name}", daemon=True)
        self._thread.start()

    def put(self, task: Callable[[], None]) -> None:
        with self._changed:
            self._todo.append(task)
            self._changed.notify()

    @property
    def here(self) -> bool:
        """True on the lane's own thread."""
        return threading.current_thread() is self._thread

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
                task = self._todo.popleft()
            try:
                task()
            except Exception:
                log.exception("a task on the compute lane let an error escape")
            del task  # a waiting thread must not keep the last task's model alive
