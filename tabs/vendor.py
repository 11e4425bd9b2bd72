"""Other people's scripts that come with the studio, served by it: the page loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/atelier"


class Vendor:
    """Answers what lies below PREFIX from a folder."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self._app = app
        self._files = StaticFiles(directory=folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX + "/"):
            inner = {**scope, "path": scope["path"].removeprefix(PREFIX), "root_path": ""}
            await self._files(inner, receive, send)
        else:
            await self._app(scope, receive, send)
