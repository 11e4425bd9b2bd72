"""Door of the API: one route for all of its addresses, which puts the API together when the first request comes."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.api.surfaces import local_path, surface
from studio.service import Studio


class Door(BaseRoute):
    """Takes what is below the surfaces' addresses.

    Args:
        address: where a request comes from, as the page counts it.
    """

    def __init__(self, studio: Studio, address: Callable[[Scope], str]) -> None:
        self._studio, self._address = studio, address
        self._lock = threading.Lock()
        self._app: ASGIApp | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        ours = scope["type"] == "http" and surface(local_path(scope)) is not None
        return (Match.FULL if ours else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: object) -> NoMatchFound:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app or await anyio.to_thread.run_sync(self._built)
        await app(scope, receive, send)

    def _built(self) -> ASGIApp:
        with self._lock:
            if self._app is None:
                from studio.api.app import build

                self._app = build(self._studio, self._address)
            return self._app
