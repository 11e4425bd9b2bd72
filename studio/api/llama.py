"""llama.cpp's own addresses, as editors ask its server."""

from __future__ import annotations

from fastapi import APIRouter

from studio.api.submitting import Desk


def routes(desk: Desk) -> APIRouter:
    del desk
    router = APIRouter()

    @router.get("/health")
    @router.get("/v1/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return router
