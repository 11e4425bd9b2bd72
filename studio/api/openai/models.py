"""Models as OpenAI lists them, with what each can do beside."""

from __future__ import annotations

from typing import Any

import anyio
from fastapi import APIRouter

from studio.api.submitting import Desk
from studio.catalog import variants
from studio.catalog.card import Card
from studio.errors import StudioError
from studio.status import ModelInfo


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        """Those that can be asked at once."""
        found = await anyio.to_thread.run_sync(desk.studio.models.list)
        jobs = sum(not job.done for job in desk.studio.jobs())
        data = [told(desk, info) for info in found if info.usable]
        return {"object": "list", "data": data, "queue": {"jobs": jobs}}

    @router.get("/v1/models/{id:path}")
    async def model(id: str) -> dict[str, Any]:
        """One of the catalogue, also one that is not on this machine yet."""
        card = desk.studio.catalog.get(id)
        found = await anyio.to_thread.run_sync(desk.studio.models.list)
        for info in found:
            if info.card.id == card.base:
                return {**told(desk, info), "id": card.id}
        raise StudioError("unknown_model", model=id[:200])

    return router


def told(desk: Desk, info: ModelInfo) -> dict[str, Any]:
    """A model: OpenAI's four fields, and ours."""
    card = info.card
    return {
        "id": card.id, "object": "model", "created": 0, "owned_by": owner(card),
        "title": card.title, "tasks": list(card.tasks), "capabilities": can(desk, card), "ready": info.usable,
        "loaded": info.loaded, "fits": info.fits, "computed_on": info.elsewhere_only or None,
        "context_length": int(card.limits.get("context", 0)) or None,
        "parameters": card.parameters or None, "licence": card.licence,
        "variants": [f"{card.base}@{name}" for name in variants.of(card)],
    }  # fmt: skip


def owner(card: Card) -> str:
    """Who made it, as far as its repository says so."""
    return card.source.repo.partition("/")[0] or "atelier"


def can(desk: Desk, card: Card) -> list[str]:
    """What a model can be asked for, beyond its tasks."""
    found: list[str] = []
    if "chat" in card.tasks:
        found += ["chat", "json_schema", *(["vision"] if sees(desk, card) else [])]
    if "code" in card.tasks:
        found += ["completion", "infill"]
    if "image" in card.tasks:
        found += ["image_generation", "image_edit" if card.pictures[1] else "image_variation"]
    return [*found, *(task for task in card.tasks if task in ("music", "caption", "upscale"))]


def sees(desk: Desk, card: Card) -> bool:
    """Whether a model of text reads pictures."""
    try:
        desk.studio.require_sight(card.id)
    except StudioError:
        return False
    return True
