"""/v1/embeddings: no engine has any, and programs that ask are told so in words."""

from __future__ import annotations

from fastapi import APIRouter

from studio.api.submitting import Desk
from studio.errors import StudioError


def routes(desk: Desk) -> APIRouter:
    del desk
    router = APIRouter()

    @router.post("/v1/embeddings")
    async def embeddings() -> None:
        raise StudioError("api_cannot", what="embeddings")

    return router
