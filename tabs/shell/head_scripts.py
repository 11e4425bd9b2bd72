"""Our scripts at the very beginning of the page.

Gradio runs what is given as `head` only after it has chosen the language, which is too late for a person's own
choice. So the page's HTML gets one script tag more, before all others.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.i18n import ASSETS

FILES = ASSETS / "page"
"""Scripts, style sheets and icon of the page."""
SCRIPTS = (
    "identity.js",
    "page.js",
    "tabs.js",
    "fields.js",
    "chat.js",
    "editor.js",
    "music.js",
    "captions.js",
    "models.js",
)
PLACE = b"<head>"


def script() -> str:
    """What the browser runs before anything else."""
    return "\n".join((FILES / name).read_text(encoding="utf-8") for name in SCRIPTS)


class FirstScript:
    """Adds `script` to every HTML page that the app answers with."""

    def __init__(self, app: ASGIApp, script: str) -> None:
        self._app = app
        self._tag = f"<script>{script}</script>".encode()

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
                    changed = body.replace(PLACE, PLACE + self._tag, 1)
                    MutableHeaders(scope=start)["content-length"] = str(len(changed))
                    await send(start)
                    await send({"type": "http.response.body", "body": changed})
            else:
                await send(message)

        await self._app(scope, receive, answer)


def _is_page(message: Message) -> bool:
    return MutableHeaders(scope=message).get("content-type", "").startswith("text/html")
