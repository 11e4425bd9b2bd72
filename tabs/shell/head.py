"""What every HTML page begins with: our style, our scripts, and the frame that stands until Gradio has drawn the page.

Gradio runs what is given as `head` only after it has chosen the language, which is too late for a person's own
choice. So the page's HTML gets our tags before all others.
"""

from __future__ import annotations

import html
from functools import cache

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio import i18n
from studio.i18n import text
from tabs import TABS
from tabs.shared.i18n import COOKIE
from tabs.shell import bundle
from tabs.shell.vendor import PREFIX

_HEAD, _BODY = b"<head>", b"<gradio-app"


@cache
def tags() -> bytes:
    """Style sheet and script, by addresses that stay right behind a proxy that puts the studio below a path."""
    place = f".{PREFIX}"
    style, script = bundle.style().name, bundle.script().name
    return f'<link rel="stylesheet" href="{place}/{style}"><script src="{place}/{script}"></script>'.encode()


@cache
def frame(language: str) -> bytes:
    """The page before it is drawn: its name and its tabs, which assets/page/page.js takes away. By then Gradio's
    description of the page is there, and assets/page/tabs.js looks at it."""
    tabs = "".join(f"<span>{html.escape(text(f'tab.{name}', language))}</span>" for name in TABS)
    name = html.escape(text("app.name", language))
    page = f'<div id="a-frame" aria-hidden="true"><b>{name}</b><div>{tabs}</div></div>'
    return f"{page}<script>window.atelier?.begin?.()</script>".encode()


class Head:
    """Adds `tags` and `frame` to every HTML page that the app answers with."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def answer(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(message):
                start = message  # held back: its length changes
            elif start is not None and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    changed = body.replace(_HEAD, _HEAD + tags(), 1)
                    changed = changed.replace(_BODY, frame(_language(scope)) + _BODY, 1)
                    MutableHeaders(scope=start)["content-length"] = str(len(changed))
                    await send(start)
                    await send({"type": "http.response.body", "body": changed})
            else:
                await send(message)

        await self._app(scope, receive, answer)


def _language(scope: Scope) -> str:
    headers = Headers(scope=scope)
    chosen = cookie_parser(headers.get("cookie", "")).get(COOKIE)
    return i18n.best(chosen or headers.get("accept-language", ""))


def _is_page(message: Message) -> bool:
    return MutableHeaders(scope=message).get("content-type", "").startswith("text/html")
