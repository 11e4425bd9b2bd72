"""HTTP to one other computer: its address kept to, its answers bounded, and everything that can go wrong one error.

Nothing follows a redirect, and nothing is asked of another place than the one that was named. The key is read from the
environment when it is needed; it is neither kept nor logged.
"""

from __future__ import annotations

import json
import os
import queue
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio import addresses
from studio.addresses import Address
from studio.errors import StudioError
from studio.i18n import table

if TYPE_CHECKING:
    import httpx

CONNECT = 5.0
"""Seconds until a connection stands."""
PATIENCE = 35.0
"""Seconds of silence after which a studio counts as gone, which says every ten that it is still there."""
GLANCE = 0.05
"""Seconds between two looks at Stop and Skip while nothing arrives."""
LARGEST_JSON = 8_000_000
LARGEST_EVENT = 16_000_000
LARGEST_STREAM = 1 << 29
"""Bytes of an answer in JSON, of one event, and of all events of an answer."""
_REASON = 200
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event: its kind, "" where none is said, and its data."""

    kind: str
    data: str


class Server:
    """One other computer.

    Args:
        key: the environment variable with its key; "" for none.
        patience: seconds of silence after which it counts as gone.
    """

    def __init__(self, address: Address, key: str = "", patience: float = PATIENCE) -> None:
        self.address, self._key, self._patience = address, key, patience
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    @property
    def name(self) -> str:
        """Its host, as people know it."""
        return self.address.name

    def json(
        self, method: str, path: str, body: Any = None, *, most: int = LARGEST_JSON, patience: float = 0.0
    ) -> dict[str, Any]:
        """Ask for something that is answered by a JSON object.

        Args:
            most: bytes of the answer. patience: seconds, for something that is answered at once.

        Raises:
            StudioError: remote_gone, remote_key, remote_no_key, remote_busy, remote_refused, remote_nonsense.
        """
        given = {} if body is None else {"json": body}
        return self.read_object(self.bytes(method, path, most=most, patience=patience, **given))

    def form(self, path: str, fields: Mapping[str, str], files: Any, *, most: int) -> dict[str, Any]:
        """The same for a form with files, as httpx takes them."""
        return self.read_object(self.bytes("POST", path, most=most, data=dict(fields), files=files))

    def bytes(self, method: str, path: str, *, most: int, patience: float = 0.0, **given: Any) -> bytearray:
        """The body of an answer. Raises StudioError as `json`."""
        found = bytearray()
        with self.answer(method, path, patience, **given) as response:
            for piece in self.pieces(response, most):
                found += piece
        return found

    def follow(self, path: str, body: Any, look: Callable[[], None]) -> Iterator[Event]:
        """The events that answer a message, as they come.

        Args:
            look: called between them, several times a second; where it raises, the connection is cut.

        Raises:
            StudioError: as `json`. Whatever `look` raises.
        """
        reading = _Reading(self, path, body)
        try:
            while True:
                try:
                    found = reading.inbox.get(timeout=GLANCE)
                except queue.Empty:
                    look()
                    continue
                if found is None:
                    return
                if isinstance(found, Exception):
                    raise found
                yield found
                look()
        finally:
            reading.hang_up()

    def tell(self, method: str, path: str) -> None:
        """Say something whose answer nobody waits for."""

        def say() -> None:
            with suppress(StudioError):
                self.bytes(method, path, most=LARGEST_JSON, patience=CONNECT)

        threading.Thread(target=say, name=f"tell-{self.name}", daemon=True).start()

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def nonsense(self) -> StudioError:
        """What it says cannot be understood."""
        return StudioError("remote_nonsense", host=self.name)

    # ---- one answer

    @contextmanager
    def answer(
        self, method: str, path: str, patience: float, *, alone: bool = False, **given: Any
    ) -> Iterator[httpx.Response]:
        """The answer to a message, unread.

        Args:
            alone: over a connection that nothing else will be asked over, so that it can be cut at any time.

        Raises:
            StudioError: as `json`.
        """
        import httpx  # a studio that asks nobody does not wait for it when it starts

        url, headers = self._place(path)
        headers |= {"Connection": "close"} if alone else {}
        timeout = httpx.Timeout(patience or self._patience, connect=CONNECT, write=60.0)
        try:
            with self._there().stream(method, url, headers=headers, timeout=timeout, **given) as response:
                if response.status_code != 200:
                    raise self._problem(response)
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise self.nonsense()
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError):  # a client that was closed meanwhile
            raise StudioError("remote_gone", host=self.name) from None

    def pieces(self, response: httpx.Response, most: int) -> Iterator[bytes]:
        """The body of an answer as it comes. Raises StudioError: remote_nonsense above `most` bytes."""
        size = 0
        for piece in response.iter_raw():
            size += len(piece)
            if size > most:
                raise self.nonsense()
            yield piece

    def _place(self, path: str) -> tuple[str, dict[str, str]]:
        """The whole address, and what is said beside."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "Atelier"}
        if self._key:
            key = os.environ.get(self._key, "").strip()
            if not key or not key.isascii() or not key.isprintable():
                raise StudioError("remote_no_key", host=self.name, name=self._key)
            headers["Authorization"] = f"Bearer {key}"
        if self.address.scheme == "https":
            return f"{self.address}{path}", headers
        try:
            there = addresses.look_up(self.address)
        except ValueError:
            raise StudioError("remote_plain", host=self.name) from None
        except OSError:
            raise StudioError("remote_gone", host=self.name) from None
        return f"{self.address.at(there)}{path}", {**headers, "Host": self.name}

    def _there(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                encrypted = self.address.scheme == "https"
                # what is in one's own network is not asked for through a proxy outside of it
                self._client = httpx.Client(follow_redirects=False, trust_env=encrypted, verify=encrypted)
            return self._client

    def _problem(self, response: httpx.Response) -> StudioError:
        """Why there is no answer, from its status and from what it says of that."""
        status = response.status_code
        if status in (401, 403):
            if not self._key:
                return StudioError("remote_asks_key", host=self.name)
            return StudioError("remote_key", host=self.name, name=self._key)
        if 200 <= status < 400:  # redirects, above all
            return self.nonsense()
        said = bytearray()
        for piece in self.pieces(response, LARGEST_JSON):
            said += piece
        try:
            told = json.loads(said)
        except (ValueError, RecursionError):
            told = None
        if isinstance(told, dict) and (known := self.failure(told)) is not None:
            return known
        if status in (429, 503):
            return StudioError("remote_busy", host=self.name)
        return StudioError("remote_refused", host=self.name, reason=f"HTTP {status}")

    def failure(self, told: Mapping[str, Any]) -> StudioError | None:
        """As the function of this name."""
        return failure(told, self.name)

    def read_object(self, data: str | bytearray) -> dict[str, Any]:
        """What was answered, or one event of it, as the JSON object that it is. Raises StudioError: remote_nonsense."""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.nonsense()
        return found


class _Reading:
    """Reads the events of one answer on a thread of its own, so that nobody waits for the network who wants to stop."""

    def __init__(self, server: Server, path: str, body: Any) -> None:
        self.inbox: queue.SimpleQueue[Event | Exception | None] = queue.SimpleQueue()
        self._server, self._left = server, threading.Event()
        self._socket: socket.socket | None = None
        threading.Thread(target=self._read, args=(path, body), name=f"read-{server.name}", daemon=True).start()

    def hang_up(self) -> None:
        """Cut the connection; the other end sees at once that nobody listens."""
        self._left.set()
        if (line := self._socket) is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _read(self, path: str, body: Any) -> None:
        server = self._server
        try:
            with server.answer("POST", path, 0.0, alone=True, json=body) as response:
                self._socket = response.extensions["network_stream"].get_extra_info("socket")
                if not self._left.is_set():
                    if "text/event-stream" not in response.headers.get("content-type", ""):
                        raise server.nonsense()
                    for event in _events(server, response):
                        self.inbox.put(event)
            self.inbox.put(None)
        except Exception as error:
            self.inbox.put(error.with_traceback(None))
        finally:
            self._socket = None


def _events(server: Server, response: httpx.Response) -> Iterator[Event]:
    kind, data = "", list[str]()
    for line in _lines(server, response):
        if not line:
            if data:
                yield Event(kind, "\n".join(data))
            kind, data = "", []
        elif line.startswith("event:"):
            kind = line[6:].strip()[:40]
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
            if sum(map(len, data)) > LARGEST_EVENT:
                raise server.nonsense()


def _lines(server: Server, response: httpx.Response) -> Iterator[str]:
    rest, seen = bytearray(), 0
    for piece in server.pieces(response, LARGEST_STREAM):
        rest += piece
        while (end := rest.find(b"\n", seen)) >= 0:
            yield bytes(rest[:end]).rstrip(b"\r").decode("utf-8", "replace")
            del rest[: end + 1]
            seen = 0
        seen = len(rest)
        if seen > LARGEST_EVENT:
            raise server.nonsense()


def failure(told: Mapping[str, Any], host: str) -> StudioError | None:
    """The error in an answer, in OpenAI's form; None where there is none.

    One of another studio is told here as it is there, in the reader's own language.
    """
    error = told.get("error")
    if isinstance(error, str):
        return StudioError("remote_refused", host=host, reason=plain(error))
    if not isinstance(error, dict):
        return None
    code, params = error.get("code"), error.get("params")
    if isinstance(code, str) and isinstance(params, dict) and (own := _own(code, params)) is not None:
        return own
    if isinstance(message := error.get("message"), str):
        return StudioError("remote_refused", host=host, reason=plain(message))
    return StudioError("remote_nonsense", host=host)


def plain(said: str) -> str:
    """What a stranger says, in one line without signs that nobody sees."""
    return _UNSEEN.sub(" ", said[: 4 * _REASON]).strip()[:_REASON]


def _own(code: str, params: Mapping[str, Any]) -> StudioError | None:
    """An error of another studio, where this one has words for it."""
    if f"error.{code}.what" not in table("en") or len(params) > 12 or {"self", "code"} & set(params):
        return None
    if not all(isinstance(one, str | int | float) for one in params.values()):
        return None
    return StudioError(code, **{name: plain(one) if isinstance(one, str) else one for name, one in params.items()})
