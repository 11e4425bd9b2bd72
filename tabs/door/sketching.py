"""An address that paints while somebody types: fields in, a PNG out, or nothing where it gave way to others."""

from __future__ import annotations

import io
from typing import Any

import anyio
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.errors import StudioError
from studio.jobs.sketches import Sketch
from studio.service import Studio
from tabs.door.refusal import Refusal
from tabs.image import sketch
from tabs.shared import identity

ADDRESS = "/atelier/sketch"
_THREADS = 16


class Sketching:
    """Answers what is posted to ADDRESS."""

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        self._app, self._studio = app, studio
        self._limit: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != ADDRESS:
            await self._app(scope, receive, send)
            return
        if scope["method"] != "POST":
            await Response(status_code=405)(scope, receive, send)
            return
        self._limit = self._limit or anyio.CapacityLimiter(_THREADS)
        try:
            message = await _json(Request(scope, receive))
            found = await anyio.to_thread.run_sync(self._paint, message, *self._who(scope), limiter=self._limit)
        except StudioError as error:
            await Refusal(422, error, scope)(scope, receive, send)
            return
        await (Response(status_code=204) if found is None else _picture(found))(scope, receive, send)

    def _paint(self, message: Any, who: str, place: str) -> Sketch | None:
        if isinstance(message, dict) and message.get("again"):
            self._studio.easel.turn_page(who)
        asked = sketch.request(self._studio, message)
        return self._studio.easel.paint(asked, who, place) if asked is not None else None

    def _who(self, scope: Scope) -> tuple[str, str]:
        """Who asks, by the name that their jobs have (Page.who), and where."""
        place = identity.address(scope, self._studio.settings.public)
        cookies = cookie_parser(identity.header(scope["headers"], b"cookie"))
        return identity.named(cookies, Headers(scope=scope)) or f"address {place}", place


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except (ValueError, RecursionError):
        raise StudioError("bad_message") from None


def _picture(made: Sketch) -> Response:
    file = io.BytesIO()
    made.picture.save(file, "PNG", compress_level=1)
    headers = {"Cache-Control": "no-store", "X-Seed": str(made.seed), "X-Seconds": f"{made.seconds:.3f}"}
    return Response(file.getvalue(), 200, headers, "image/png")
