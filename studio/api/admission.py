"""Admission to the API: with which key, for whom the jobs are, and how long a message may be.

Gradio's login does not reach here. Whoever asks says a key or the page's password, as a Bearer token or as the password
of Basic. A studio on this machine alone, whose page asks for nothing, asks nothing here.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.api.message import again, length, pour_away, whole
from studio.api.problems import reply
from studio.api.surfaces import Surface, local_path, surface
from studio.api.tries import Tries
from studio.errors import StudioError
from studio.keys import Keys
from studio.paths import gigabytes
from studio.settings import Settings

MOST_PUBLIC = 8_000_000
"""Bytes of a message from a stranger."""
_ROUND = 8_000_000
"""Bytes of a message beside the files in it, which base64 makes a third longer."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks.

    Attributes:
        session: what jobs are found and shared by (studio.service.Studio.submit).
        jobs: how many of them may wait or run; 0 for what the settings allow anybody.
        all: sees the jobs of everybody, because there is only one person.
        address: where the request comes from.
    """

    session: str
    jobs: int = 0
    all: bool = False
    address: str = ""


class Admission:
    """Wraps the surfaces, and puts an Asker and the message's hash into `scope["state"]`.

    Args:
        address: where a request comes from, as the page counts it.
    """

    def __init__(self, app: ASGIApp, settings: Settings, keys: Keys, address: Callable[[Scope], str]) -> None:
        self._app, self._keys, self._address = app, keys, address
        self._public = settings.public
        self._password = settings.password.get_secret_value()
        self._shut = settings.public or bool(self._password)
        self._most = MOST_PUBLIC if settings.public else settings.max_upload_mb * 1_400_000 + _ROUND
        self._tries = Tries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        here, headers = surface(local_path(scope)), Headers(scope=scope)
        data, error = None, None
        try:
            asker = await anyio.to_thread.run_sync(self._asker, scope, headers, here)
            data = await whole(receive, length(headers), self._most)
        except StudioError as refused:
            asker, error = None, refused
            await pour_away(receive)
        if asker is None or data is None:
            error = error or StudioError("message_too_large", limit=gigabytes(self._most))
            shape = here.shape if here else "plain"
            await reply(error, shape, headers.get("accept-language", ""))(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["asker"] = asker
        state["sha256"] = sha256(data).hexdigest() if "idempotency-key" in headers else ""
        await self._app(scope, again(data, receive), send)

    def _asker(self, scope: Scope, headers: Headers, here: Surface | None) -> Asker:
        where = self._address(scope)
        anybody = Asker(f"api {where}", all=not self._shut, address=where)
        if here is not None and here.opens(local_path(scope)):
            return anybody
        told = said(headers.get("authorization", ""))
        if not self._shut and not told:
            return anybody
        if self._public and not self._keys.any:
            raise StudioError("api_off")
        if not told:
            raise StudioError("key_missing")
        key = self._keys.find(told)
        if key is not None:
            return Asker(f"key {key.name}", key.jobs, all=not self._shut, address=where)
        if not self._shut:
            return anybody  # most programs send one, whether they were given one or not
        if wait := self._tries.wait(where):
            raise StudioError("too_many_passwords", seconds=wait)
        self._tries.count(where)
        if self._public or not hmac.compare_digest(told.encode(), self._password.encode()):
            raise StudioError("key_wrong")
        self._tries.right(where)
        return anybody


def said(authorization: str) -> str:
    """The key or password in an Authorization header, Bearer or Basic; "" for none."""
    kind, _, rest = authorization.partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode("utf-8", "replace").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""
