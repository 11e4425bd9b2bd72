"""One HTTP response read in the background, so that whoever waits for its bytes can stop at any moment.

A blocked socket cannot be interrupted from Python. So a thread of its own does the waiting and hands chunks over
through a short queue; the reader looks up four times a second.
"""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import certifi
import httpx

from studio.errors import Cancelled

T = TypeVar("T")

LOOK_UP = 0.25
"""Seconds between two looks at whether the person cancelled."""
CONNECT_TIMEOUT = 6.0
READ_TIMEOUT = 30.0


@cache
def _trust() -> ssl.SSLContext:
    """The system's certificates (and SSL_CERT_FILE), plus certifi's where the system has none of its own."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def client() -> httpx.Client:
    """A client that follows redirects, obeys proxy variables, and gives up a connection within seconds."""
    return httpx.Client(
        verify=_trust(),
        follow_redirects=True,
        timeout=httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
        headers={"User-Agent": "atelier", "Accept-Encoding": "identity"},
    )


@dataclass
class Response:
    """Status and headers, and the bytes as they arrive."""

    status: int
    headers: Mapping[str, str]
    _chunks: queue.Queue[bytes | Exception | None] = field(repr=False)
    _cancelled: Callable[[], bool] = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces of whatever size arrives.

        Raises:
            Cancelled: the person stopped it.
            httpx.TransportError: the connection broke.
        """
        while (item := _take(self._chunks, self._cancelled)) is not None:
            if isinstance(item, Exception):
                raise item
            yield item


@contextmanager
def get(url: str, headers: Mapping[str, str], cancelled: Callable[[], bool]) -> Iterator[Response]:
    """Ask for `url`. The connection is dropped when the block is left.

    Raises:
        Cancelled: the person stopped it before an answer came.
        httpx.TransportError: no answer.
    """
    answer: queue.Queue[tuple[int, Mapping[str, str]] | Exception] = queue.Queue(1)
    chunks: queue.Queue[bytes | Exception | None] = queue.Queue(64)
    left = threading.Event()

    def put(item: bytes | Exception | None) -> None:
        while not left.is_set():
            try:
                chunks.put(item, timeout=LOOK_UP)
                return
            except queue.Full:
                continue

    def read() -> None:
        told = False
        try:
            with client() as http, http.stream("GET", url, headers=dict(headers)) as response:
                answer.put((response.status_code, response.headers))
                told = True
                for chunk in response.iter_bytes():
                    put(chunk)
                    if left.is_set():
                        return
            put(None)
        except Exception as error:  # whatever it is, it belongs to the thread that waits
            if isinstance(error, OSError):  # there it means the disk
                error = httpx.NetworkError(str(error))
            if told:
                put(error)
            else:
                answer.put(error)

    threading.Thread(target=read, name="download", daemon=True).start()
    try:
        first = _take(answer, cancelled)
        if isinstance(first, Exception):
            raise first
        yield Response(*first, chunks, cancelled)
    finally:
        left.set()


def pause(seconds: float, cancelled: Callable[[], bool]) -> None:
    """Wait, unless the person stops it. Raises Cancelled."""
    until = time.monotonic() + seconds
    while (rest := until - time.monotonic()) > 0:
        if cancelled():
            raise Cancelled
        time.sleep(min(rest, LOOK_UP))


def _take(items: queue.Queue[T], cancelled: Callable[[], bool]) -> T:
    while True:
        if cancelled():
            raise Cancelled
        try:
            return items.get(timeout=LOOK_UP)
        except queue.Empty:
            continue
