"""/v1/captions: pictures put into words. No shape is shared for these."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from studio.api import asking
from studio.api.problems import Reply
from studio.api.submitting import Desk
from studio.requests import CaptionLength, CaptionRequest, CaptionStyle


class CaptionBody(BaseModel):
    """What is asked: the fields of studio.requests.CaptionRequest, `image` as a data: address or in base64."""

    model_config = asking.OPEN

    image: str
    model: str | None = ""
    prompt: str = ""
    length: CaptionLength = "normal"
    style: CaptionStyle = "plain"
    opening: str = ""
    require: list[str] = []
    forbid: list[str] = []
    n: int | None = Field(1, ge=1, le=16)
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/captions", response_class=Response)
    async def captions(said: CaptionBody, http: Request) -> Response:
        work = await desk.begin(http, request(said))
        made = (await work.ended(http))[0]
        data: list[dict[str, Any]] = [{"text": text} for text in made.texts or (made.text,)]
        tokens = int(made.stats.get("tokens", 0))
        found = {"object": "list", "model": work.jobs[0].model, "data": data, "usage": {"completion_tokens": tokens}}
        return Reply(found, headers=asking.ignored(said))

    return router


def request(said: CaptionBody) -> CaptionRequest:
    """The captions as the studio asks its models for them. Raises StudioError: api_remote, api_data."""
    return CaptionRequest(
        image=asking.data("image", said.image), model=asking.model(said.model), prompt=said.prompt,
        length=said.length, style=said.style, opening=said.opening, require=tuple(said.require),
        forbid=tuple(said.forbid), count=said.n or 1, max_tokens=said.max_tokens, temperature=said.temperature,
        seed=said.seed,
    )  # fmt: skip
