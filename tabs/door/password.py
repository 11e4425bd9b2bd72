"""The password: each wrong one makes the next try wait, and who has none gets nothing but the form to type it.

Gradio checks as many a second as somebody sends, and says nothing of it in the log. It also leaves a few addresses open
without a login, of which some keep a connection as long as one likes.
"""

from __future__ import annotations

import logging

from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.api.tries import Tries
from studio.errors import StudioError
from studio.settings import Settings
from tabs.door import adaptation_pictures, library_desk
from tabs.door.answering import ANSWERS
from tabs.door.gate import API, local_path
from tabs.door.refusal import Refusal
from tabs.shared import identity
from tabs.shared.audio_stream import PREFIX

log = logging.getLogger("studio")

_OPEN = ("app_id", "login_check", "startup-events", "theme.css", "token", "user")


class Entrance:
    """Stands before the login. Without a password in the settings it does nothing."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._public = app, settings.public
        self._needed = bool(settings.password.get_secret_value())
        self._tries = Tries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = local_path(scope) if scope["type"] == "http" else ""
        if not self._needed or scope["type"] != "http":
            await self._app(scope, receive, send)
        elif path.rstrip("/") == "/login" and scope["method"] == "POST":
            await self._login(scope, receive, send)
        elif _inside(path) and not _known(scope):
            await PlainTextResponse("Not authenticated.", 401)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _login(self, scope: Scope, receive: Receive, send: Send) -> None:
        where = identity.address(scope, self._public)
        if wait := self._tries.wait(where):
            error = StudioError("too_many_passwords", seconds=wait)
            await Refusal(429, error, scope, {"retry-after": str(wait)})(scope, receive, send)
            return
        wrong = self._tries.count(where)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] < 400:
                    self._tries.right(where)
                else:
                    log.warning("Login: a wrong password from %s (%d in a row).", where or "?", wrong)
            await send(message)

        await self._app(scope, receive, answer)


def _inside(path: str) -> bool:
    """Whether an address is for those only who are logged in; the form, its scripts and its looks are not."""
    if path.startswith(API):
        return path[len(API) :].partition("/")[0].rstrip("/") not in _OPEN
    return path.startswith((PREFIX, library_desk.ADDRESS, adaptation_pictures.ADDRESS)) or path in ANSWERS


def _known(scope: Scope) -> bool:
    """Whether a request has the cookie of a login, as Gradio gave it."""
    app = scope.get("app")
    tokens, id = getattr(app, "tokens", {}), getattr(app, "cookie_id", "")
    cookies = cookie_parser(identity.header(scope["headers"], b"cookie"))
    return any(cookies.get(f"access-token{kind}-{id}") in tokens for kind in ("", "-unsecure"))
