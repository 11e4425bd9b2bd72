"""Veil over this machine's folders: a public studio never says where its home folder is.

Gradio writes the whole path of every file into its settings, its events and its addresses, and errors of the disk name
one too. Strangers get a made-up path instead, and what they send back with it is understood.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAME = "/studio"
"""What stands for the home folder."""
_KINDS = ("application/json", "text/html", "text/event-stream", "text/plain")


class Veil:
    """Replaces `home` by NAME in answers, and NAME by `home` in addresses; in messages tabs.door.bodies does."""

    def __init__(self, app: ASGIApp, home: Path) -> None:
        self._app, self._home = app, str(home)
        real = {str(home), json.dumps(str(home))[1:-1], quote(str(home)), str(home).replace("/", "&#x2F;")}
        self._out = sorted((name.encode() for name in real), key=len, reverse=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": self._meant(scope["path"])}
        start: Message | None = None
        veiled = False

        async def answer(message: Message) -> None:
            nonlocal start, veiled
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                veiled = (
                    scope["method"] != "HEAD"
                    and headers.get("content-type", "").startswith(_KINDS)
                    and "content-encoding" not in headers
                )
                if veiled:
                    start = message  # held back: its length may change
                    return
            elif message["type"] == "http.response.body" and veiled:
                body = self._hidden(message.get("body", b""))
                if start is not None:
                    headers = MutableHeaders(scope=start)
                    if message.get("more_body", False):
                        del headers["content-length"]
                    else:
                        headers["content-length"] = str(len(body))
                    await send(start)
                    start = None
                await send({**message, "body": body})
                return
            await send(message)

        await self._app(scope, receive, answer)

    def _hidden(self, body: bytes) -> bytes:
        for real in self._out:
            body = body.replace(real, NAME.encode())
        return body

    def _meant(self, path: str) -> str:
        """The path of a request, where it names a file of ours."""
        head, mark, rest = path.partition(f"file={NAME}/")
        return f"{head}file={self._home}/{rest}" if mark else path


def real(value: object, home: Path, key: str = "") -> object:
    """A message as it was meant: with real paths where it names files by what stands for the home folder."""
    if isinstance(value, str):
        if key == "path" and value.startswith(NAME + "/"):
            return str(home) + value[len(NAME) :]
        return value.replace(f"file={NAME}/", f"file={home}/") if key == "url" else value
    if isinstance(value, dict):
        return {name: real(inner, home, name) for name, inner in value.items()}
    return [real(inner, home) for inner in value] if isinstance(value, list) else value
