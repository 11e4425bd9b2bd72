"""Requests sent through a door to a small app behind it, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

PLACE = "http://127.0.0.1:7860"


class Behind:
    """An app that keeps what reaches it and answers with `answer`."""

    def __init__(self, answer: bytes = b"in", kind: str = "text/plain") -> None:
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self._answer, self._kind = answer, kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.paths.append(scope["path"])
        self.bodies.append(body)
        headers = [(b"content-type", self._kind.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._answer})


def ask(app: ASGIApp, method: str, path: str, client: str = "127.0.0.1", **how: Any) -> httpx.Response:
    """One request; `client` is the address that it comes from."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=PLACE) as http:
            return await http.request(method, path, **how)

    return asyncio.run(send())


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    """A body that comes in pieces and does not say how long it is."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
