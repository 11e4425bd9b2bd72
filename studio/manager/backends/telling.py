"""Telling: what a run in another process says of itself, and how that becomes calls and errors here again.

A run is known by its messages: a name, and plain values that studio.manager.backends.process.wire can carry.
"""

from __future__ import annotations

import threading
import time
import traceback
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from studio.engines.base import Context
from studio.errors import Cancelled, StudioError
from studio.results import PREVIEW_SECONDS

ALIVE_SECONDS = 1.0
TOLD = frozenset({"report", "alive", "step", "text", "sound", "preview"})
"""What may be told of a load or a run."""


class WorkerError(RuntimeError):
    """An exception there that nobody expected. Its class has the name of the one it stands for."""


class Channel(Protocol):
    """What takes messages to the studio."""

    def send(self, op: str, *values: Any) -> None: ...


class Teller:
    """The context of a run there: tells the studio, and knows whether Stop or Skip was pressed here."""

    def __init__(
        self, channel: Channel, stop: threading.Event, skip: threading.Event, adapters: tuple[Path, ...], previews: bool
    ) -> None:
        self._channel, self._stop, self._skip = channel, stop, skip
        self.adapters, self.previews = adapters, previews
        self._shown = self._seen = 0.0

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def alive(self) -> None:
        """A sign of life, of which the studio hears once a second."""
        now = time.monotonic()
        if now - self._seen >= ALIVE_SECONDS:
            self._seen = now
            self._channel.send("alive")

    def check(self) -> None:
        self.alive()
        if self.cancelled:
            raise Cancelled

    def skipped(self) -> bool:
        pressed = self._skip.is_set()
        self._skip.clear()
        return pressed

    def step(self, done: int, total: int = 0) -> None:
        self._channel.send("step", done, total)

    def text(self, delta: str) -> None:
        if delta:
            self._channel.send("text", delta)

    def sound(self, samples: Any, rate: int) -> None:
        if self.previews:
            self._channel.send("sound", samples, rate)

    def preview(self, picture: Image.Image, number: int = 0, whole: bool = False) -> None:
        """At most twice as many as the studio shows: the others need not cross."""
        now = time.monotonic()
        if self.previews and (whole or now - self._shown >= PREVIEW_SECONDS / 2):
            self._shown = now
            self._channel.send("preview", picture, number, whole)


def pass_on(context: Context, kind: str, *said: Any) -> None:
    """Tell `context` what the run told, by the methods of a context and no others."""
    if kind in TOLD:
        getattr(context, kind)(*said)


def failed(error: BaseException) -> tuple[Any, ...]:
    """The message of a run that ended in this error, which is being handled now."""
    match error:
        case Cancelled():
            return "failed", "cancelled"
        case StudioError():
            return "failed", "studio", error.code, error.params
        case _:
            return "failed", "other", type(error).__name__, str(error), traceback.format_exc()


def failure(kind: str, *said: Any) -> Exception:
    """The exception as it was there, as far as anybody here asks: what it says, and the name of its class."""
    if kind == "cancelled":
        return Cancelled()
    if kind == "studio":
        code, params = said
        return StudioError(code, **params)
    name, text, trace = said
    error = MemoryError(text) if name == "MemoryError" else type(name, (WorkerError,), {})(text)
    error.add_note(f"In the worker:\n{trace}")
    return error
