"""A message's body, read whole within a limit, and handed on as it came."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Message, Receive

_POURED = 256_000_000
"""Bytes of a refused message that are still taken, and dropped: whoever is cut off while sending reads no answer."""


async def whole(receive: Receive, said: int | None, most: int) -> bytes | None:
    """A request's body; None where there is more of it than `most` bytes, or its sender went away."""
    if said is not None and said > most:
        await pour_away(receive)
        return None
    pieces, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        piece = message.get("body", b"")
        size += len(piece)
        if size > most:
            if message.get("more_body", False):
                await pour_away(receive)
            return None
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


async def pour_away(receive: Receive, most: int = _POURED) -> None:
    """Take the rest of a body and keep nothing of it."""
    while most > 0:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        most -= len(message.get("body", b""))


def length(headers: Headers) -> int | None:
    """How long a body says it is."""
    said = headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() else None


def again(body: bytes, receive: Receive) -> Receive:
    """What was read, once more; after it whatever else comes, for example that the sender went away."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay
