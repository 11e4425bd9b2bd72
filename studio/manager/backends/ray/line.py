"""The line to a worker of the cluster: one call of its actor, whose answers are told as they come.

A worker that is silent counts as gone, whatever its process does meanwhile: the job may be done elsewhere by then, and
nobody listens to what it says later.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from studio.errors import StudioError
from studio.manager.backends.process import wire
from studio.manager.backends.ray import actors
from studio.manager.backends.remote import client
from studio.manager.backends.remote.client import GLANCE
from studio.manager.backends.remote.following import MOST_OUTPUT, Asked

SILENCE = 30.0
"""Seconds after which a worker counts as gone, which says every second that it is still there."""
_MOST_WAITING = 1000
"""Messages that may lie here unread."""


class ActorLine:
    """As studio.manager.backends.remote.following has it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._made = bytearray()

    @property
    def name(self) -> str:
        return self._name

    def follow(self, asked: Asked, look: Callable[[], None]) -> Iterator[Mapping[str, Any]]:
        part = secrets.token_hex(8)
        message = b"".join(wire.pack(part, asked.request, asked.previews))
        reading = _Reading(self._name, message)
        heard = time.monotonic()
        try:
            while True:
                try:
                    found = reading.inbox.get(timeout=GLANCE)
                except queue.Empty:
                    look()
                    if time.monotonic() - heard > SILENCE:
                        raise StudioError("remote_gone", host=self._name) from None
                    continue
                heard = time.monotonic()
                if found is None:
                    return
                if isinstance(found, actors.Gone):
                    raise StudioError("remote_gone", host=self._name) from found
                told = self._read(found)
                if isinstance(piece := told.get("output"), bytes):
                    self._take(piece)
                else:
                    yield told
                look()
        finally:
            reading.leave()
            actors.tell(self._name, "stop", part)

    def stop(self, part: str) -> None:
        actors.tell(self._name, "stop", part)

    def skip(self, part: str) -> None:
        actors.tell(self._name, "skip", part)

    def output(self, part: str) -> bytearray:
        del part  # it came before the end was told
        return self._made

    def failure(self, told: Mapping[str, Any]) -> StudioError | None:
        return client.failure(told, self._name)

    def nonsense(self) -> StudioError:
        return StudioError("remote_nonsense", host=self._name)

    def _read(self, data: object) -> dict[str, Any]:
        try:
            return actors.read(data)
        except ValueError:
            raise self.nonsense() from None

    def _take(self, piece: bytes) -> None:
        self._made += piece
        if len(self._made) > MOST_OUTPUT:
            raise self.nonsense()


class _Reading:
    """Reads what is told of a part on a thread of its own, so that nobody waits for the network who wants to stop."""

    def __init__(self, name: str, message: bytes) -> None:
        self.inbox: queue.Queue[object] = queue.Queue(_MOST_WAITING)
        self._left = threading.Event()
        self._part: Any = None
        threading.Thread(target=self._read, args=(name, message), name=f"read {name}", daemon=True).start()

    def leave(self) -> None:
        self._left.set()
        if self._part is not None:
            actors.leave(self._part)

    def _read(self, name: str, message: bytes) -> None:
        try:
            self._part = actors.begin(name, message)
            for data in actors.told(self._part):
                if self._left.is_set():
                    return
                self._put(data)
            self._put(None)
        except actors.Gone as error:
            self._put(error)
        finally:
            if self._left.is_set() and self._part is not None:
                actors.leave(self._part)

    def _put(self, said: object) -> None:
        while not self._left.is_set():
            try:
                self.inbox.put(said, timeout=1.0)
            except queue.Full:
                continue
            return
