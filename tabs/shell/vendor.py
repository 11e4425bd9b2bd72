"""Other people's scripts that come with the studio, served by it: the page loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
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
            try:
                await self._files(inner, receive, send)
            except HTTPException as error:  # outside of the app nobody else makes an answer of it
                await PlainTextResponse("Not found.", error.status_code)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
