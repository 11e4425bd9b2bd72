"""Text on its way to the browser, compressed: the page is a quarter of its size.

What has ended only. A stream goes on as it comes: held back until it is long enough, an answer would not be seen being
written.
"""

from __future__ import annotations

import gzip
from collections import OrderedDict

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tabs.door.gate import local_path
from tabs.shell.bundle import FOREVER

KINDS = ("text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/svg+xml")
LEAST = 1_000
"""Bytes that are worth it."""
LEVEL = 5
"""A tenth larger than the smallest that gzip makes, in half of the time."""
KEPT = 4_000_000
"""Bytes of compressed files that are kept, so that each of Gradio's scripts is compressed once."""
_STATIC = ("/assets/", "/atelier/")


class Compression:
    """Compresses text for browsers that can read it, and lets them keep what is named by its hash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def answer(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _worth(message):
                start = message  # held back: its length changes
            elif start is not None and message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    sent = self._compressed(local_path(scope), start, body)
                    await send(start)
                    await send({"type": "http.response.body", "body": sent})
            else:
                await send(message)

        await self._app(scope, receive, answer)

    def _compressed(self, path: str, start: Message, body: bytearray) -> bytes:
        """The body as it is sent; the headers follow it."""
        headers = MutableHeaders(scope=start)
        if path.startswith("/assets/") and "cache-control" not in headers:
            headers["Cache-Control"] = FOREVER
        if len(body) < LEAST:
            return bytes(body)
        mark = headers.get("etag", "")
        lasting = "no-store" not in headers.get("cache-control", "")
        still = path.startswith(_STATIC) and lasting and (mark or headers.get("cache-control") == FOREVER)
        key = (path, mark) if still else None  # what is asked of an address of ours is another each time
        small = self._kept.get(key) if key else None
        if small is None:
            small = gzip.compress(body, LEVEL, mtime=0)
            if key:
                self._keep(key, small)
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(small))
        headers.add_vary_header("Accept-Encoding")
        if "etag" in headers:
            headers["ETag"] = "W/" + headers["etag"].removeprefix("W/")  # the same meaning, other bytes
        return small

    def _keep(self, key: tuple[str, str], small: bytes) -> None:
        self._kept[key] = small
        while sum(map(len, self._kept.values())) > KEPT:
            self._kept.popitem(last=False)


def _worth(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    kind = headers.get("content-type", "").partition(";")[0]
    return message["status"] == 200 and kind in KINDS and "content-encoding" not in headers
