"""Reading of pictures, as AUTOMATIC1111 does it: how one was made, and what it shows."""

from __future__ import annotations

from typing import Any

import anyio
from fastapi import APIRouter, Request

from studio.api import asking
from studio.api.problems import Reply
from studio.api.sdapi import naming
from studio.api.sdapi.bodies import Interrogation, Looked
from studio.api.sdapi.state import PREFIX, TAG, States
from studio.api.submitting import Desk
from studio.media import embedded
from studio.recipes import infotext, infotext_passages, inspect, origins
from studio.requests import CaptionRequest, CaptionStyle
from studio.tasks.bounds import check_picture

_WAYS: dict[str, CaptionStyle] = {"": "prompt", "clip": "prompt", "deepdanbooru": "tags", "deepbooru": "tags"}
"""How a caption is said where no model of ours is named."""


def routes(desk: Desk, _: States) -> APIRouter:
    router = APIRouter(prefix=PREFIX)

    @router.post("/png-info")
    async def png_info(body: Looked) -> Reply:
        """How a picture was made, whichever program made it."""
        data = asking.data("image", body.image)
        return Reply(await anyio.to_thread.run_sync(told, data, desk.studio.settings.public))

    @router.post("/interrogate")
    async def interrogate(body: Interrogation, http: Request) -> dict[str, str]:
        """A picture in words."""
        way = _WAYS.get((body.model or "").casefold())
        model = "" if way else await anyio.to_thread.run_sync(naming.find, desk, body.model or "", "caption")
        request = CaptionRequest(image=asking.data("image", body.image), model=model, style=way or "prompt")
        made = await (await desk.begin(http, request, tag=TAG)).ended(http)
        return {"caption": made[0].text}

    return router


def told(data: bytes, public: bool = False) -> dict[str, Any]:
    """The `parameters` text, its parts, and all other texts in the file.

    Raises:
        StudioError: as pictures are refused.
    """
    check_picture("image", data, public)
    found = inspect.read_settings(data)
    text = found.text if found else ""
    if found and found.recipe is not None and not text:
        painting = origins.painting(found.recipe)
        text = infotext.write(painting) if painting["task"] == "image" else ""
    return {"info": text, "items": embedded.texts(data), "parameters": parameters(text) if text else {}}


def parameters(text: str) -> dict[str, str]:
    """A text's parts by their names in it."""
    parts = infotext_passages.split(text)
    return {"Prompt": parts.prompt, "Negative prompt": parts.negative, **dict(parts.settings)}
