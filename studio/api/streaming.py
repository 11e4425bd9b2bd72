"""Answers that come as server-sent events: each as its program expects it, with signs of life between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from studio.api.submitting import Work

ALIVE = ": still here\n\n"
"""A comment: clients pass over it, and neither they nor a proxy take the connection for dead."""


def event(data: Any, kind: str = "") -> str:
    """One event, on the wire.

    Args:
        data: JSON, or a string as it is.
        kind: its `event:` line; "" for none.
    """
    said = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"), allow_nan=False)
    return (f"event: {kind}\n" if kind else "") + f"data: {said}\n\n"


class EventStream(StreamingResponse):
    """Sends `events` as they come. When the client goes, or all is said, `work` is left.

    Args:
        events: what `event` gives, or ALIVE.
    """

    def __init__(self, events: AsyncIterator[str], work: Work, headers: dict[str, str] | None = None) -> None:
        quiet = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, headers={**quiet, **(headers or {})}, media_type="text/event-stream")
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # servers differ in how they tell that a client is gone: this one listens, whatever they promise
        scope = {**scope, "asgi": {**scope.get("asgi", {}), "spec_version": "2.0"}}
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._work.leave()
