"""A server that answers whatever a test says, byte by byte, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass
class Asked:
    """One message: its first line, its headers in small letters, its body."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Asked], bytes | Iterable[bytes]]


class Raw:
    """Attributes: url; asked: all messages so far; gone: set once a client hung up in the middle of an answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer, self.asked, self.gone = answer, list[Asked](), threading.Event()
        self._line = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._line.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def name(self) -> str:
        return self.url.removeprefix("http://")

    def close(self) -> None:
        self._line.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._line.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := client.recv(65536)):
                    return
                head += more
            top, _, body = head.partition(b"\r\n\r\n")
            line, *rest = top.decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
            while len(body) < int(headers.get("content-length", 0)):
                body += client.recv(65536)
            asked = Asked(line, headers, body)
            self.asked.append(asked)
            said = self._answer(asked)
            try:
                for piece in [said] if isinstance(said, bytes) else said:
                    client.sendall(piece)
            except OSError:
                self.gone.set()


def http(body: bytes = b"", kind: str = "text/event-stream", status: str = "200 OK", more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode() + body


def events(*told: Any) -> bytes:
    """Server-sent events of these values; texts as they are."""
    said = (one if isinstance(one, str) else json.dumps(one) for one in told)
    return http("".join(f"data: {one}\n\n" for one in said).encode())


OPEN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
"""The head of an answer that ends with its connection."""


@contextmanager
def raw(answer: Answer) -> Iterator[Raw]:
    server = Raw(answer)
    try:
        yield server
    finally:
        server.close()
