"""Scripts and styles that the studio serves itself: its own, and other people's that come with it.

The page loads nothing from elsewhere.
"""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from tabs.shell import bundle

PREFIX = "/atelier"


class Vendor:
    """Answers what lies below PREFIX: our own files by the name that holds their hash, else from a folder."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self._app = app
        self._files = StaticFiles(directory=folder)
        ours = (bundle.script(), bundle.style(), *bundle.lab(), *bundle.sheets().values())
        self._own = {f"{PREFIX}/{one.name}": one for one in ours}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX + "/"):
            await self._app(scope, receive, send)
        elif (own := self._own.get(scope["path"])) is not None:
            headers = {"Cache-Control": bundle.FOREVER}
            await Response(own.content, headers=headers, media_type=own.kind)(scope, receive, send)
        else:
            inner = {**scope, "path": scope["path"].removeprefix(PREFIX), "root_path": ""}
            try:
                await self._files(inner, receive, send)
            except HTTPException as error:  # outside of the app nobody else makes an answer of it
                await PlainTextResponse("Not found.", error.status_code)(scope, receive, send)
