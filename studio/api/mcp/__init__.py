"""MCP, the protocol by which chat programs and agents find tools: at /mcp, where STUDIO_MCP switches it on.

The official SDK serves it. It is an addition (`python start.py mcp`), and nothing of it is imported before somebody
asks: that takes seconds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
from fastapi import APIRouter
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from studio.api.submitting import Desk
from studio.errors import StudioError

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH = "/mcp"


def routes(desk: Desk) -> APIRouter:
    return APIRouter(routes=[Route(PATH, Endpoint(desk))])


class Endpoint:
    """Hands requests to the SDK's server, which begins with the first of them and lives in a task of its own."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._beginning = asyncio.Lock()
        self._sessions: StreamableHTTPSessionManager | None = None
        self._living: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises StudioError: mcp_off; no_mcp, where its package is not installed."""
        if not self._desk.studio.settings.mcp:
            raise StudioError("mcp_off")
        sessions = self._sessions or await self._begun()
        await sessions.handle_request(scope, receive, send)

    async def _begun(self) -> StreamableHTTPSessionManager:
        async with self._beginning:
            if self._sessions is None:
                made = await anyio.to_thread.run_sync(_sessions, self._desk)
                ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._living = asyncio.create_task(_live(made, ready), name="mcp")
                await ready
                self._sessions = made
            return self._sessions


async def _live(sessions: StreamableHTTPSessionManager, ready: asyncio.Future[None]) -> None:
    """Keep the sessions' tasks until the server ends."""
    async with sessions.run():
        ready.set_result(None)
        await asyncio.Event().wait()


def _sessions(desk: Desk) -> StreamableHTTPSessionManager:
    try:
        from studio.api.mcp.serving import sessions
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("mcp", "mcp_types"):
            raise StudioError("no_mcp") from error
        raise
    return sessions(desk)
