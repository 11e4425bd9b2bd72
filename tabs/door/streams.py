"""Answers that do not end by themselves, counted: heartbeats, events of jobs, sound while it is made."""

from __future__ import annotations

from collections import Counter

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.errors import StudioError
from studio.settings import Settings
from tabs.door.gate import API, local_path
from tabs.door.refusal import Refusal
from tabs.shared import identity
from tabs.shared.audio_stream import PREFIX

PLACE, ALL = 256, 2_000
"""Streams that one address and all together may have open. A page has two, and a third while it sounds."""
_ENDLESS = (f"{API}heartbeat/", f"{API}queue/data", f"{API}upload_progress", f"{API}call/", PREFIX)


class Streams:
    """Refuses one more where there are enough; those that are open go on."""

    def __init__(self, app: ASGIApp, settings: Settings, place: int = PLACE, everybody: int = ALL) -> None:
        self._app, self._public = app, settings.public
        self._place, self._all = place, everybody
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not local_path(scope).startswith(_ENDLESS):
            await self._app(scope, receive, send)
            return
        where = identity.address(scope, self._public)
        if self._open[where] >= self._place or self._open.total() >= self._all:
            await Refusal(429, StudioError("too_busy"), scope)(scope, receive, send)
            return
        self._open[where] += 1
        try:
            await self._app(scope, receive, send)
        except RuntimeError as error:
            # Gradio finds out that it knows no such page only when it has begun to answer.
            if not isinstance(error.__cause__, HTTPException):
                raise
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._open[where] -= 1
            if not self._open[where]:
                del self._open[where]
