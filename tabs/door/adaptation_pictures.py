"""Pictures of adaptations, small: each is made once, when a browser first comes to show it."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

import anyio
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.errors import StudioError
from studio.paths import write
from studio.service import Studio
from tabs.shared.thumbnails import small_copy

ADDRESS = "/atelier/adaptation"
SIDE = 256
_MOST_BYTES = 64_000_000
_KEEP = "private, max-age=31536000, immutable"
"""The address has a mark in it that changes with the picture."""
_THREADS = 2
"""A page shows dozens at once, and what is painted meanwhile needs the processor as well."""


class AdaptationPictures:
    """Answers ADDRESS?name=… with the picture that lies beside an adaptation. Nothing on a public studio."""

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        self._app, self._studio = app, studio
        self._limit: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != ADDRESS:
            await self._app(scope, receive, send)
            return
        name = parse_qs(scope["query_string"].decode("latin-1")).get("name", [""])[0]
        self._limit = self._limit or anyio.CapacityLimiter(_THREADS)
        found = await anyio.to_thread.run_sync(self._picture, name, limiter=self._limit)
        if found is None or scope["method"] not in ("GET", "HEAD"):
            await Response(status_code=404)(scope, receive, send)
        else:
            await Response(found, 200, {"Cache-Control": _KEEP}, "image/webp")(scope, receive, send)

    def _picture(self, name: str) -> bytes | None:
        notes = None if self._studio.settings.public else self._studio.adaptations.one(name)
        if notes is None or not notes.preview:
            return None
        file = Path(notes.preview)
        mark = hashlib.sha256(f"{file} {notes.stamp} {SIDE}".encode()).hexdigest()[:32]
        kept = self._studio.home.cache / "adaptations" / f"{mark}.webp"
        try:
            if kept.is_file():
                return kept.read_bytes()
            if file.stat().st_size > _MOST_BYTES:
                return None
            made = small_copy(file, SIDE)
        except OSError:
            return None
        with suppress(StudioError):  # a full disk: it is made again the next time
            write(kept, made)
        return made
