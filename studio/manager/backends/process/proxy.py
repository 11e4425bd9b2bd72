"""A model in a process of its own: looks like any loaded model, and takes nothing with it when it crashes.

What the run tells crosses as small messages, Stop and Skip cross the other way. Knows nothing of how the process is
started and ended (studio.manager.backends.process.child) and of what happens in it
(studio.manager.backends.process.worker).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.catalog.engines import ENGINES
from studio.devices import peak_memory
from studio.devices.device import Device
from studio.devices.peak_memory import Peak
from studio.engines.base import Context, Loaded
from studio.errors import Cancelled, StudioError
from studio.manager.backends.process.child import Child
from studio.manager.backends.telling import TOLD, failure, pass_on
from studio.results import Output, Usage

log = logging.getLogger("studio.worker")

GLANCE = 0.05
"""Seconds between two looks at Stop and Skip while nothing arrives."""
STOP_SECONDS = 60.0
"""How long a run may go on after Stop before its process is killed: longer than a step of a large picture."""
TURN_SECONDS = 2.0
"""How long somebody who wants a number waits for who wants another one."""
CLOSE_SECONDS = 10.0
"""How long a model may take to close before its process is killed."""


def wanted(card: Card, setting: str) -> bool:
    """Whether this model gets a process of its own: by its own table or by STUDIO_ISOLATE."""
    names = {name.strip() for name in setting.split(",")}
    return card.isolate or "all" in names or not names.isdisjoint({card.id, card.base})


def load(
    card: Card,
    files: Path,
    device: Device,
    report: Callable[[float], None],
    *,
    begun: Callable[[Isolated], None] = lambda _: None,
    ended: Callable[[], None] = lambda: None,
    stop_seconds: float = STOP_SECONDS,
    close_seconds: float = CLOSE_SECONDS,
) -> Isolated:
    """Start a process and load the model in it, as `Engine.load` does here.

    Args:
        begun: called with the model before it is loaded: from then on it can be killed.
        ended: called once, from any thread, where the process ends without having been told to. The model is dead then
            and should be unloaded.
        stop_seconds: how long a run may go on after Stop before the process is killed.
        close_seconds: how long the model may take to close before it is.

    Raises:
        StudioError: as the engine says, worker_ended or worker_hung.
    """
    model = Isolated(card, Child(card.id, ended), stop_seconds, close_seconds)
    begun(model)
    try:
        model.load(files, device, report)
    except BaseException:
        model.close()
        raise
    return model


@contextmanager
def measuring(model: Loaded, device: Device, fresh: bool) -> Iterator[Peak]:
    """`peak_memory.measuring`, where the model is: one in a process of its own is measured there, run by run."""
    if not isinstance(model, Isolated):
        with peak_memory.measuring(device, fresh) as peak:
            yield peak
        return
    model.fresh, model.peak = fresh, None
    peak = Peak()
    yield peak
    peak.nbytes = model.peak


class Isolated:
    """The model as the studio sees it. One call at a time, like every loaded model; `kill` and `usage` from any thread.

    Attributes:
        peak: the most bytes that a run took on top of the model since this was last set to None, as measured there.
        fresh: give back unused memory there before the next run, so that none of it hides what that takes.
    """

    def __init__(self, card: Card, child: Child, stop_seconds: float, close_seconds: float) -> None:
        self._card, self._child = card, child
        self._stop_seconds, self._close_seconds = stop_seconds, close_seconds
        self._nbytes, self._silent = 0, 0.0
        self._parked: int | None = None
        self._can: Sequence[str] = ()
        self._turn, self._running = threading.Lock(), False
        self.peak: int | None = None
        self.fresh = False

    @property
    def alive(self) -> bool:
        """False once the process is gone; every run fails from then on."""
        return self._child.alive

    def process_nbytes(self) -> int:
        """Bytes that the process holds, as the system counts them, without what is mapped from files."""
        return self._child.nbytes()

    def kill(self, silent: float = 0.0) -> None:
        """End the process at once, whatever it does. What goes on in it fails with worker_ended.

        Args:
            silent: seconds for which nothing was heard of it: then it fails with worker_hung, which says so.
        """
        self._silent = silent
        self._child.kill()

    def load(self, files: Path, device: Device, report: Callable[[float], None]) -> None:
        """Called once, before anything else."""
        place = ENGINES[self._card.engine].place
        self._can = self._call("load", place, self._card, files, device, told=lambda _, fraction: report(fraction))
        if "usage" in self._can:  # an ability is told by its name (studio.engines.base)
            self.usage = self._usage
        if "keeps_form" in self._can:
            self.keeps_form = True

    # ---- a loaded model

    def nbytes(self) -> int:
        """Bytes of the model, as its engine said at the end of the last call."""
        return self._nbytes

    def run(self, request: Any, context: Context) -> Output:
        return self._run("run", request, context)

    def close(self) -> None:
        """End the process. Returns at once where it is gone already.

        Raises:
            TimeoutError: the system cannot end it, so its memory is not back.
        """
        self._child.close(self._close_seconds)

    # ---- what some models can

    def parked_nbytes(self) -> int | None:
        return self._parked if self.alive else None

    def park(self) -> None:
        self._call("park")

    def place(self) -> None:
        self._call("place")

    def together(self, request: Any) -> int:
        """How many pictures it captions at once."""
        return self._call("together", request) if {"together", "run_many"} <= set(self._can) else 1

    def run_many(self, requests: Sequence[Any], context: Context) -> list[Output]:
        return self._run("run_many", list(requests), context)

    def _usage(self, request: Any) -> Usage:
        """As CountsConversation has it. Its process does one thing at a time, so nobody is told during a run.

        Raises:
            StudioError: too_busy, or as every call.
        """
        if self._running or not self._turn.acquire(timeout=TURN_SECONDS):
            raise StudioError("too_busy")
        try:
            return self._answered("usage", request)
        finally:
            self._turn.release()

    # ---- one call

    def _run(self, op: str, asked: Any, context: Context) -> Any:
        fresh, self.fresh = self.fresh, False
        self._running = True
        try:
            output, peak = self._call(op, asked, context.adapters, context.previews, fresh, context=context)
        finally:
            self._running = False
        if peak is not None:
            self.peak = max(self.peak or 0, peak)
        return output

    def _call(self, op: str, *values: Any, **how: Any) -> Any:
        """As `_answered`, once nobody else asks for anything."""
        with self._turn:
            return self._answered(op, *values, **how)

    def _answered(
        self,
        op: str,
        *values: Any,
        told: Callable[..., None] | None = None,
        context: Context | None = None,
    ) -> Any:
        """Ask for something and pass on what is told meanwhile, until the answer.

        Raises:
            StudioError, Cancelled: as there. WorkerError, MemoryError: something unexpected there.
        """
        if not self.alive:
            raise self._ended()
        steering = None if context is None else _Steering(context, self._child, self._stop_seconds)
        told = told or (None if context is None else lambda kind, *said: pass_on(context, kind, *said))
        trouble: Exception | None = None
        self._child.send(op, *values)
        while True:
            message = self._child.receive(GLANCE if steering else None)
            kind, *said = message or ("nothing",)
            if kind == "ended":
                raise Cancelled if steering and steering.gave_up else self._ended()
            if kind in ("answer", "failed") and trouble is not None:
                raise trouble  # a page that broke while it was told something; the worker is done and can go on
            if kind == "answer":
                result, self._nbytes, self._parked = said
                return result
            if kind == "failed":
                raise failure(*said)
            try:
                if message is not None and told is not None and kind in TOLD:
                    told(kind, *said)
                if steering is not None:
                    steering.look(stop=trouble is not None)
            except Exception as error:
                trouble = trouble or error

    def _ended(self) -> StudioError:
        if self._silent:
            return StudioError("worker_hung", model=self._card.title, minutes=max(round(self._silent / 60), 1))
        return StudioError("worker_ended", model=self._card.title, reason=self._child.reason)


class _Steering:
    """Takes Stop and Skip from the context of a run to its process."""

    def __init__(self, context: Context, child: Child, patience: float) -> None:
        self._context, self._child, self._patience = context, child, patience
        self._stopped: float | None = None
        self.gave_up = False

    def look(self, stop: bool) -> None:
        """Pass on what was pressed. Where Stop was pressed and nothing came of it, kill the process."""
        now = time.monotonic()
        if self._stopped is None and (stop or self._context.cancelled):
            self._stopped = now
            self._child.send("stop")
        if self._stopped is None and self._context.skipped():
            self._child.send("skip")
        if self._stopped is not None and now - self._stopped > self._patience and not self.gave_up:
            log.warning("Stop had no effect for %.0f s: the process is killed", self._patience)
            self.gave_up = True
            self._child.kill()
