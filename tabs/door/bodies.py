"""Messages to the studio, looked at before anything is made of them: how long they are, and which files they name.

The page sends JSON. Gradio reads it whole, however long it is, and opens files that it names, some of them without
looking (tabs.shared.uploaded). What is too long goes no further, and a file that is none of the sender's is no file any
more.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

from gradio.route_utils import FnIndexInferError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.api.message import again, length, whole
from studio.api.surfaces import surface
from studio.errors import StudioError
from studio.paths import gigabytes
from studio.settings import Settings
from tabs.door import veil
from tabs.door.gate import API, local_path
from tabs.door.refusal import Refusal
from tabs.shared import identity, uploaded

log = logging.getLogger("studio")

MOST, MOST_PUBLIC = 16_000_000, 1_000_000
"""Bytes of a message: a long conversation is sent back whole when one of its questions is changed."""
_PIECES = API + "component_server"  # what is drawn on a picture comes as files of a form
_MULTIPART_MORE = 100_000  # what stands round a file in a form
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
"""Where half a character may stand: Python reads it, and nothing can be answered with it."""
_SESSION_LETTERS = 64
NEW_PAGES, NEW_PAGES_SECONDS = 60, 2.0
"""Pages that one address of the open internet may open at once, and seconds until it may open one more."""


class Bodies:
    """Reads each message whole, within its limit, and hands it on as it came.

    Args:
        folder: where uploads lie.
        theirs: whether a file may be named by somebody; by default every upload by everybody.
        home: what a public studio tells nobody; its page names files otherwise (tabs.door.veil).
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        folder: Path,
        theirs: Callable[[str, str], bool] | None = None,
        home: Path | None = None,
    ) -> None:
        self._app, self._settings, self._folder, self._theirs = app, settings, folder, theirs
        self._home = home
        self._most = MOST_PUBLIC if settings.public else MOST
        self._pages = NewPages(NEW_PAGES, NEW_PAGES_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = local_path(scope) if scope["type"] == "http" else ""
        if (
            scope["type"] != "http"
            or scope["method"] in ("GET", "HEAD", "OPTIONS")
            or path == API + "upload"
            or surface(path)
        ):
            await self._app(scope, receive, send)  # counted elsewhere: what is uploaded as it streams
            return
        headers = Headers(scope=scope)
        form = path.rstrip("/") == _PIECES and headers.get("content-type", "").lower().startswith("multipart/form-data")
        most = self._settings.max_upload_mb * 1_000_000 + _MULTIPART_MORE if form else self._most
        body = await whole(receive, length(headers), most)
        if body is None:
            error = StudioError("message_too_large", limit=gigabytes(most))
            await Refusal(413, error, scope)(scope, receive, send)
            return
        if not form:
            judged = self._judged(scope, headers, body)
            if isinstance(judged, Refusal):
                await judged(scope, receive, send)
                return
            body = judged
        try:
            await self._app(scope, again(body, receive), send)
        except (KeyError, FnIndexInferError) as error:  # a handler or a part of the page that there is not
            log.warning("A message that the page never sends: %s", type(error).__name__)
            await Refusal(400, StudioError("bad_message"), scope)(scope, receive, send)

    def _judged(self, scope: Scope, headers: Headers, body: bytes) -> Refusal | bytes:
        """A message as it goes on, or why it does not."""
        try:
            message = json.loads(body, parse_constant=_unsayable, parse_int=_whole_number) if body else None
        except (RecursionError, _Unsayable):
            return Refusal(400, StudioError("bad_message"), scope)
        except ValueError:  # the login sends a form; Gradio's own addresses take JSON, and stumble over bytes
            return Refusal(400, StudioError("bad_message"), scope) if local_path(scope).startswith(API) else body
        if _SURROGATE.search(body) and not _sayable(message):
            return Refusal(400, StudioError("bad_message"), scope)
        if self._home is not None and veil.NAME.encode() in body:
            message = veil.real(message, self._home)
            body = json.dumps(message).encode()
        who = _sender(scope, headers, self._settings.public)

        def may(name: str) -> bool:
            return uploaded.allowed(name, self._folder) and (self._theirs is None or self._theirs(name, who))

        try:
            clean = uploaded.harmless(message, may, self._folder / "not-uploaded")
        except ValueError:
            return Refusal(400, StudioError("bad_message"), scope)
        if clean != message:
            log.warning("A message named a file that is no upload of its sender's.")
            message, body = clean, json.dumps(clean).encode()
        session = message.get("session_hash") if isinstance(message, dict) else None
        if session is not None and not (isinstance(session, str) and len(session) <= _SESSION_LETTERS):
            return Refusal(400, StudioError("bad_message"), scope)
        if session and self._settings.public:
            address = identity.address(scope, proxied=True)
            if not self._pages.take(address, session):
                return Refusal(429, StudioError("too_busy"), scope)
        return body


class _Unsayable(Exception):
    """What Python reads in a message and cannot be sent back: NaN, Infinity, numbers of more than 64 bits."""


def _unsayable(name: str) -> None:
    raise _Unsayable(name)


def _whole_number(digits: str) -> int:
    if len(digits) > 20 or not -(1 << 63) <= (number := int(digits)) < 1 << 64:
        raise _Unsayable
    return number


def _sayable(message: object) -> bool:
    """Whether everything in it can be sent back."""
    try:
        json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


class NewPages:
    """How fast an address opens pages: each that ever sent something is remembered by Gradio, the oldest forgotten.

    Args:
        burst: pages at once. seconds: until there is room for one more.
    """

    def __init__(self, burst: int, seconds: float) -> None:
        self._burst, self._seconds = burst, seconds
        self._known: dict[tuple[str, str], None] = {}
        self._spent: dict[str, tuple[float, float]] = {}

    def take(self, address: str, session: str) -> bool:
        """Whether a page may send something: one that is known always, a new one where there is room."""
        key = (address, session)
        if key in self._known:
            return True
        now = time.monotonic()
        spent, when = self._spent.get(address, (0.0, now))
        spent = max(spent - (now - when) / self._seconds, 0.0)
        if spent + 1 > self._burst:
            self._spent[address] = (spent, now)
            return False
        self._spent[address] = (spent + 1, now)
        self._known[key] = None
        while len(self._known) > 20_000:
            del self._known[next(iter(self._known))]
        while len(self._spent) > 20_000:
            del self._spent[next(iter(self._spent))]
        return True


def sender(scope: Scope, public: bool) -> str:
    """Whom uploads are counted for: the browser or page, else the address."""
    return _sender(scope, Headers(scope=scope), public)


def _sender(scope: Scope, headers: Headers, public: bool) -> str:
    cookies = {identity.SESSION: identity.browser(identity.header(scope["headers"], b"cookie"))}
    return identity.named(cookies, headers) or f"address {identity.address(scope, public)}"
