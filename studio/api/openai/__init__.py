"""OpenAI's addresses, as its own client and everything that was made for it asks."""

from __future__ import annotations

from fastapi import APIRouter

from studio.api.openai import models
from studio.api.submitting import Desk


def routes(desk: Desk) -> APIRouter:
    """All of them."""
    router = APIRouter()
    for part in (models,):
        router.include_router(part.routes(desk))
    return router
