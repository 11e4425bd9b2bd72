"""The door: which hosts and origins may talk to the page, what it may load, and who is who.

Gradio checks neither Host nor Origin, so any web page could post to a studio on this machine, and a name that
is pointed at 127.0.0.1 could read from it. This ASGI middleware refuses both, sets a policy that keeps the page
from loading anything from elsewhere (a picture in a model's answer could carry the conversation away), and gives
each browser a random name that scripts cannot read. Who asks is decided in tabs.shared.identity, by what a request
brought with it: a name that is only being given out does not count yet.
"""

from __future__ import annotations

import re
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.settings import Settings, is_loopback
from tabs.shared.identity import SESSION, browser, header

_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)

_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::\d{1,5})?", re.ASCII)


class Guard:
    """Wraps the app. A public studio takes any host name: the proxy in front of it has checked already."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = {host.lower() for host in (settings.host, *settings.hosts)}
        self._any_host = settings.public or settings.host in ("0.0.0.0", "::")
        frames = "" if settings.public else "; frame-ancestors 'self'"
        self._policy = _POLICY + frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if not self._ours(host):
            await PlainTextResponse("Unknown host.", 400)(scope, receive, send)
            return
        if self._foreign(headers) and not self._harmless(scope.get("method", "GET"), headers):
            await PlainTextResponse("Requests from other sites are refused.", 403)(scope, receive, send)
            return
        fresh = not browser(header(scope["headers"], b"cookie"))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                out["content-security-policy"] = self._policy
                out["x-content-type-options"] = "nosniff"
                out["referrer-policy"] = "same-origin"
                if fresh:
                    out.append("set-cookie", self._cookie(_secure(scope, headers)))
            await send(message)

        await self._app(scope, receive, answer)

    def _cookie(self, secure: bool) -> str:
        """A new name for a browser. Only a public page stands in other sites' frames, and a cookie in one of those
        is kept only where it is sent over TLS, says so itself, and belongs to this one pair of sites."""
        where = "SameSite=None; Secure; Partitioned" if self._settings.public and secure else "SameSite=Lax"
        where += "; Secure" if secure and not self._settings.public else ""
        return f"{SESSION}={secrets.token_hex(16)}; HttpOnly; {where}; Path=/; Max-Age=31536000"

    def _ours(self, host: str) -> bool:
        return self._any_host or host in self._hosts or is_loopback(host)

    def _harmless(self, method: str, headers: Headers) -> bool:
        """Whether another site may do this: follow a link to the page, and on a public studio read what all can read.

        Gradio lets every page of the same machine read its answers, whatever port it comes from.
        """
        if method not in ("GET", "HEAD", "OPTIONS"):
            return False
        return self._settings.public or method == "OPTIONS" or headers.get("sec-fetch-mode") == "navigate"

    def _foreign(self, headers: Headers) -> bool:
        """Whether a browser says that another site sent this. Programs that are not browsers say nothing."""
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return True
        origin = headers.get("origin")
        if origin is None:
            return False
        target = headers.get("x-forwarded-host") if self._settings.public else None
        try:
            return urlsplit(origin).netloc.lower() != (target or headers.get("host", "")).lower()
        except ValueError:  # "http://[bad": no page of ours
            return True


def _name(host: str) -> str:
    """The host without its port: ``[::1]:7860`` gives ``::1``; "" for what is no host, with or without one."""
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]).lower() if found else ""


def _secure(scope: Scope, headers: Headers) -> bool:
    """Whether the browser's side of the connection has TLS: as this server sees it, or as the proxy says it."""
    said = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return scope.get("scheme") in ("https", "wss") or said == "https"
