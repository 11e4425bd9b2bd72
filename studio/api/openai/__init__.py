"""OpenAI's addresses, as its own client and everything that was made for it asks."""

from __future__ import annotations

from fastapi import APIRouter

from studio.api.openai import audio, captions, chat, completions, embeddings, images, models, responses
from studio.api.submitting import Desk


def routes(desk: Desk) -> APIRouter:
    """All of them."""
    router = APIRouter()
    for part in (models, chat, responses, completions, images, audio, captions, embeddings):
        router.include_router(part.routes(desk))
    return router
