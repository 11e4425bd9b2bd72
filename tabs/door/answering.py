"""Addresses that our scripts ask by themselves: JSON in, an answer out, or nothing where there is none.

An event of Gradio's carries all fields of a tab through the whole page and back: too much at each letter that is
typed, and for a tree of files of which one branch opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.errors import StudioError
from studio.service import Studio
from tabs.chat import kept_by_browser
from tabs.code import as_typed, next_edit, project, review
from tabs.door.refusal import Refusal, spoken_by
from tabs.image import sketch
from tabs.lab import desk as lab
from tabs.shared import identity
from tabs.shared.asker import Asker
from tabs.shell import queue_panel

PREFIX = "/atelier/"
Answer = Callable[[Studio, Any, Asker], Response | None]
ANSWERS: Mapping[str, Answer] = {
    f"{PREFIX}sketch": sketch.answer,
    f"{PREFIX}completion": as_typed.answer,
    f"{PREFIX}next-edit": next_edit.answer,
    f"{PREFIX}review": review.answer,
    f"{PREFIX}chats": kept_by_browser.answer,
    f"{PREFIX}queue": queue_panel.answer,
    **{f"{PREFIX}lab/{name}": answer for name, answer in lab.answers().items()},
    **{f"{PREFIX}project/{name}": answer for name, answer in project.ANSWERS.items()},
}
_THREADS = 16


class Answering:
    """Answers what is posted to one of ANSWERS."""

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        self._app, self._studio = app, studio
        self._limit: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = ANSWERS.get(scope["path"]) if scope["type"] == "http" else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        if scope["method"] != "POST":
            await Response(status_code=405)(scope, receive, send)
            return
        self._limit = self._limit or anyio.CapacityLimiter(_THREADS)
        try:
            message = await _json(Request(scope, receive))
            act = partial(answer, self._studio, message, self._asker(scope))
            found = await anyio.to_thread.run_sync(act, limiter=self._limit)
        except StudioError as error:
            await Refusal(422, error, scope)(scope, receive, send)
            return
        await (found or Response(status_code=204))(scope, receive, send)

    def _asker(self, scope: Scope) -> Asker:
        place = identity.address(scope, self._studio.settings.public)
        cookies = cookie_parser(identity.header(scope["headers"], b"cookie"))
        who = identity.named(cookies, Headers(scope=scope)) or f"address {place}"
        return Asker(who, place, spoken_by(scope))


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except (ValueError, RecursionError):
        raise StudioError("bad_message") from None
