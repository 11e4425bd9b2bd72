"""AUTOMATIC1111's addresses below /sdapi/v1, as SillyTavern, open-webui, plugins of Photoshop and its libraries ask
them (docs/api-pictures.md)."""

from __future__ import annotations

from fastapi import APIRouter

from studio.api.sdapi import lists, painting, reading, steering
from studio.api.sdapi.state import States
from studio.api.submitting import Desk


def routes(desk: Desk) -> APIRouter:
    """All of them."""
    router, states = APIRouter(), States()
    for part in (painting, steering, lists, reading):
        router.include_router(part.routes(desk, states))
    return router
