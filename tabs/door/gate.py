"""Gate: those of Gradio's addresses that exist here, because the page uses them. Everything else is not found.

Gradio answers at many more: it fetches any address for whoever asks (`file=http…`, `proxy=`), converts recordings,
keeps histories and edits programs. A picture in a model's answer whose address is one of those would carry the
conversation away, and a public studio would fetch for anybody. Files are served from one folder, and only plain ones.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.api.surfaces import local_path
from tabs.shared.uploaded import allowed

API = "/gradio_api/"
_OPEN = (
    "api", "app_id", "call", "cancel", "component_server", "heartbeat", "info", "login_check", "queue", "reset", "run",
    "startup-events", "theme.css", "token", "upload", "upload_progress", "user",
)  # fmt: skip
_SHUT = ("/monitoring", "/openapi.json", "/docs", "/redoc", "/pwa_icon", "/manifest.json", "/gradio_api/deep_link")
_FILE = re.compile(r"file\s*[=/]", re.IGNORECASE)
_ADDRESS = re.compile(r"^[\s\x00-\x20]*(?:[a-z][a-z0-9+.\-]+:|//|\\\\)", re.IGNORECASE)
_DECODINGS = 4


class Gate:
    """Lets through what is in the list, and files of `folder`.

    Args:
        folder: where uploads and copies of outputs lie.
    """

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self._app, self._folder = app, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._known(local_path(scope)):
            await PlainTextResponse("Not found.", 404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _known(self, path: str) -> bool:
        if any(path == shut or path.startswith(shut + "/") for shut in _SHUT):
            return False
        if not path.lower().startswith(API.rstrip("/")):
            return True  # the app's own few: the page, its scripts and styles, the login
        rest = path[len(API) :] if path.startswith(API) else ""
        if found := _FILE.match(rest):
            return rest.startswith("file=") and self._served(rest[found.end() :])
        return rest.partition("/")[0] in _OPEN

    def _served(self, name: str) -> bool:
        """Whether a file is one of ours. However often an address was quoted, it stays an address."""
        plain = name
        for _ in range(_DECODINGS):
            if _ADDRESS.match(plain):
                return False
            plain, before = unquote(plain), plain
            if plain == before:
                break
        return allowed(name, self._folder)
