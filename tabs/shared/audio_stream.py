"""Sound while it is made, as a file that has no end yet: what the browser's own player asks for.

Below PREFIX lies one file a job that sounds now. A job's id cannot be guessed, so who knows it may listen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.errors import StudioError
from studio.jobs.audio_stream import Live
from studio.service import Studio

PREFIX = "/atelier/live/"
_PAUSE = 0.1
"""Seconds between two looks at whether there is more."""


class Listening:
    """Answers what lies below PREFIX: <job>.wav."""

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        self._app, self._studio = app, studio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        live = self._live(scope["path"].removeprefix(PREFIX).removesuffix(".wav"))
        if live is None:
            await PlainTextResponse("", 404)(scope, receive, send)
        else:
            answer = StreamingResponse(_flow(live), media_type="audio/wav", headers={"Cache-Control": "no-store"})
            await answer(scope, receive, send)

    def _live(self, id: str) -> Live | None:
        try:
            return self._studio.job(id).live
        except StudioError:
            return None


async def _flow(live: Live) -> AsyncIterator[bytes]:
    """The head of the file and then the sound, as it comes, to its end."""
    yield live.head()
    at = 0
    while True:
        ended = live.ended  # asked before reading: what came before the end is not lost
        if data := live.read(at):
            at += len(data)
            yield data
        elif ended:
            return
        else:
            await asyncio.sleep(_PAUSE)
