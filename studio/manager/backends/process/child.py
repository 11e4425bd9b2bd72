"""A process of ours in which one model lives: its start, what it says, and its end in every way it can come.

The two of them speak over the process's own standard streams: pipes without a name, which nobody else can open, so
there is no port and no key to keep. Knows nothing of models (studio.manager.backends.process.proxy) beyond the name for
the log.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import psutil

from studio.manager.backends.process.wire import HELLO, Channel, Closed
from studio.settings import ROOT

log = logging.getLogger("studio.worker")

GRACE = 5.0
"""Seconds for a process to go once it hung up, was told to, or was killed."""
TAIL = 30
"""Last printed lines that the log gets when a process ends by itself."""
_SECRETS = ("_PASSWORD", "_TOKEN", "_KEY", "_SECRET")
"""How the names of variables end that a model has no use for: of this studio, of the hub, of other computers."""


class Child:
    """A running process.

    Args:
        name: of its model, for the log.
        ended: called once, from another thread, where the process ends without having been told to; before anybody who
            waits for an answer hears of it.
    """

    def __init__(self, name: str, ended: Callable[[], None]) -> None:
        self._name, self._ended = name, ended
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._told_to_go, self._gone = threading.Event(), threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "studio.manager.backends.process.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(), **_apart(),
        )  # fmt: skip
        self.pid = self._process.pid
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._channel = Channel(self._process.stdout, self._process.stdin)
        self._printed = threading.Thread(target=self._read_printed, name=f"printed-{name}", daemon=True)
        self._reader = threading.Thread(target=self._read, name=f"worker-{name}", daemon=True)
        self._printed.start()
        self._reader.start()

    @property
    def alive(self) -> bool:
        return not self._gone.is_set()

    @property
    def reason(self) -> str:
        """How it ended, in the words of the system: a signal's name or an exit code."""
        code = self._process.returncode
        if code is None:
            return "no answer"
        if code < 0:
            try:
                return signal.Signals(-code).name
            except ValueError:
                return f"signal {-code}"
        return f"exit code {code:#x}" if code > 0xFFFF else f"exit code {code}"

    def send(self, op: str, *values: Any) -> None:
        """Say something. Where nobody listens any more, the next message is `ended`."""
        try:
            self._channel.send(op, *values)
        except Closed:
            return

    def receive(self, timeout: float | None = None) -> tuple[Any, ...] | None:
        """The next message; None where there is none in time; `ended`, at last, once the process is gone."""
        try:
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def nbytes(self) -> int:
        """Bytes that only this process holds, as the system counts them; 0 once it is gone.

        What is mapped from a file is left out: the system takes it back by itself.
        """
        try:
            process = psutil.Process(self.pid)
            memory = process.memory_info()
            if (shared := getattr(memory, "shared", None)) is not None:
                return max(memory.rss - shared, 0)
            return process.memory_full_info().uss
        except psutil.Error:
            return 0

    def kill(self) -> None:
        """End it at once, and what it started itself."""
        if self._process.poll() is not None:
            return
        try:
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()
        except (ProcessLookupError, PermissionError):  # it went by itself just now
            return

    def close(self, timeout: float) -> None:
        """Ask it to end, and see that it does.

        Args:
            timeout: seconds that it gets before it is killed.

        Raises:
            TimeoutError: the system cannot end it, so its memory is not back.
        """
        self._told_to_go.set()
        self.send("close")
        if not self._gone.wait(timeout):
            log.warning("the process of %s does not answer and is killed", self._name)
            self.kill()
            if not self._gone.wait(2 * GRACE):
                raise TimeoutError(f"process {self.pid} cannot be ended")
        self._reader.join(GRACE)

    # ---- on the process's own two threads

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            for line in stream:
                if line.endswith(HELLO):
                    break
            while True:
                message = self._channel.receive()
                if message[0] == "log":
                    _, level, name, text = message
                    log.log(level, "[%s] %s: %s", self._name, name, text)
                else:
                    self._inbox.put(message)
        except Closed as error:
            if str(error):
                log.error("[%s] %s", self._name, error)
        except Exception:
            log.exception("[%s] its process cannot be understood", self._name)
        self._end()

    def _end(self) -> None:
        """Its end of the pipe is closed. Wait for it, tidy up, and tell who has to know, in that order."""
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._printed.join(GRACE)
        self._channel.hang_up()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._gone.set()
        if not self._told_to_go.is_set():
            log.error("the process of %s ended: %s\n%s", self._name, self.reason, "\n".join(self._tail))
            try:
                self._ended()
            except Exception:
                log.exception("[%s] nobody could be told", self._name)
        self._inbox.put(("ended",))

    def _read_printed(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        with stream:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                if text:
                    self._tail.append(text)
                    log.info("[%s] %s", self._name, text)


def _environment() -> dict[str, str]:
    """The studio's, without its secrets and without the network: a model's files are here when it is loaded."""
    here = {name: value for name, value in os.environ.items() if not name.upper().endswith(_SECRETS)}
    quiet = dict.fromkeys(("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"), "1")
    path = os.pathsep.join(filter(None, [str(ROOT), here.get("PYTHONPATH")]))
    return {**here, **quiet, "DO_NOT_TRACK": "1", "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8:replace"}


def _apart() -> dict[str, Any]:
    """A group of its own: Ctrl-C in the terminal is for the studio, and killing the group takes all of it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}
