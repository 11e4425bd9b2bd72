"""/v1/images: pictures painted, edited and varied, with what OpenAI asks and what our painters know beside."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import anyio
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from PIL import Image
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import Response

from studio.api import asking
from studio.api.problems import Reply, body
from studio.api.results import encoded
from studio.api.streaming import ALIVE, EventStream, event
from studio.api.submitting import Desk, Work
from studio.errors import StudioError
from studio.library.file_names import Keep
from studio.media.image import check_image
from studio.recipes.sampler_names import sampler
from studio.requests import ImageRequest, PictureFormat
from studio.results import Artifact

_PICTURES = ("image", "image[]", "images", "mask")
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object", "required": ["image"],
                    "properties": {
                        "image": {"type": "string", "format": "binary"}, "mask": {"type": "string", "format": "binary"},
                        "prompt": {"type": "string"}, "n": {"type": "integer"}, "size": {"type": "string"},
                        "model": {"type": "string"}, "response_format": {"enum": ["b64_json", "url"]},
                    },
                }
            },
            "application/json": {"schema": {"type": "object"}},
        },
    }
}  # fmt: skip


class ImageBody(BaseModel):
    """What is asked. Beyond OpenAI's fields: negative_prompt, steps, cfg_scale (or guidance_scale), sampler (or
    sampler_name, scheduler) by the name that any program gives it, seed, strength, clip_skip, width and height."""

    model_config = asking.OPEN

    prompt: str = ""
    model: str | None = ""
    n: int | None = Field(1, ge=1, le=16)
    size: str | None = None
    response_format: Literal["b64_json", "url"] | None = None
    output_format: PictureFormat | None = None
    stream: bool | None = False
    partial_images: int | None = Field(0, ge=0, le=3)
    negative_prompt: str = ""
    steps: int | None = None
    cfg_scale: float | None = None
    guidance_scale: float | None = None
    sampler: str = ""
    sampler_name: str = ""
    scheduler: str = ""
    seed: int | None = None
    strength: float | None = None
    clip_skip: int = 0
    width: int | None = None
    height: int | None = None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()
    public = desk.studio.settings.public

    @router.post("/v1/images/generations", response_class=Response)
    async def generations(said: ImageBody, http: Request) -> Response:
        return await _painted(desk, http, said, request(said))

    @router.post("/v1/images/edits", response_class=Response, openapi_extra=_FORM)
    async def edits(http: Request) -> Response:
        """With a mask, or a model that knows no other way, the picture is painted over; else it is edited by what the
        prompt says."""
        said, pictures, mask = await _form(http)
        asked = await anyio.to_thread.run_sync(partial(edited, desk, said, pictures, mask, public=public))
        return await _painted(desk, http, said, asked)

    @router.post("/v1/images/variations", response_class=Response, openapi_extra=_FORM)
    async def variations(http: Request) -> Response:
        said, pictures, _ = await _form(http)
        asked = request(said)
        asked = replace(asked, image=_first(pictures), prompt=asked.prompt if asked.prompt.strip() else "a picture")
        return await _painted(desk, http, said, asked)

    return router


def request(said: ImageBody) -> ImageRequest:
    """The pictures as the studio asks its models for them.

    Raises:
        StudioError: api_size; not_a_choice for a sampler that nobody knows.
    """
    wide, high = asking.size(said.size)
    width, height = (wide if said.width is None else said.width), (high if said.height is None else said.height)
    named = said.sampler or said.sampler_name or said.scheduler
    known, lacking = sampler(named)
    if lacking:
        raise StudioError("api_field", field="sampler", reason=f"{named[:60]} is not known")
    guidance = said.cfg_scale if said.cfg_scale is not None else said.guidance_scale
    return ImageRequest(
        prompt=said.prompt, model=asking.model(said.model), negative_prompt=said.negative_prompt,
        width=width, height=height, steps=said.steps, guidance_scale=guidance, scheduler=known, count=said.n or 1,
        seed=said.seed, strength=said.strength, clip_skip=said.clip_skip,
    )  # fmt: skip


def edited(desk: Desk, said: ImageBody, pictures: Sequence[bytes], mask: bytes, *, public: bool) -> ImageRequest:
    """The request of an edit: by words where the model can, else painted over."""
    asked, first = request(said), _first(pictures)
    if mask:
        return replace(asked, image=first, mask=opened(mask, public=public))
    by_words = replace(asked, pictures=tuple(pictures))
    ready = (card for card in desk.studio.catalog.for_task("image") if desk.studio.store.state(card) == "ready")
    card = (
        desk.studio.catalog.get(asked.model) if asked.model else next((one for one in ready if one.pictures[1]), None)
    )
    if card is not None and card.pictures[1]:
        return replace(by_words, model=card.id)
    return replace(asked, image=first)


def opened(mask: bytes, *, public: bool) -> bytes:
    """A mask as ours: OpenAI's is transparent where something new is painted, ours is white there.

    Raises:
        StudioError: as pictures are refused.
    """
    check_image(mask, public=public)
    with Image.open(io.BytesIO(mask)) as picture:
        seen = "A" in picture.getbands() or "transparency" in picture.info
        alpha = picture.convert("RGBA").getchannel("A") if seen else None
    if alpha is None or alpha.getextrema()[0] == 255:
        return mask
    data = io.BytesIO()
    alpha.point(lambda value: 255 - value).save(data, "PNG")
    return data.getvalue()


def _first(pictures: Sequence[bytes]) -> bytes:
    if not pictures:
        raise StudioError("no_picture", field="field.image")
    return pictures[0]


async def _form(http: Request) -> tuple[ImageBody, list[bytes], bytes]:
    """Fields, pictures and mask of a form with files, or of JSON with them in base64."""
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields: dict[str, Any] = {}
    pictures, mask = list[bytes](), b""
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        async with http.form(max_files=20, max_fields=200, max_part_size=1_000_000) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    data = await value.read()
                elif name in _PICTURES:
                    data = asking.data(name, value)
                else:
                    fields[name] = value
                    continue
                if name == "mask":
                    mask = data
                elif name in _PICTURES:
                    pictures.append(data)
        fields = {name: value for name, value in fields.items() if value != ""}
    else:
        fields = _table(await http.body())
        given = [one for name in _PICTURES[:3] for one in _several(fields.pop(name, None))]
        pictures = [asking.data("image", one) for one in given]
        mask = b"".join(asking.data("mask", one) for one in _several(fields.pop("mask", None))[:1])
    try:
        return ImageBody.model_validate(fields), pictures, mask
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _table(given: bytes) -> dict[str, Any]:
    try:
        found = json.loads(given)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StudioError("api_field", field="body", reason="a form with files, or a JSON object, is wanted")
    return found


def _several(given: object) -> list[str]:
    """Base64 or data: addresses, one or many, as themselves or as OpenAI's `{"image_url": …}`."""
    found = []
    for one in given if isinstance(given, list) else [] if given is None else [given]:
        said = one.get("image_url", one.get("b64_json")) if isinstance(one, dict) else one
        if not isinstance(said, str):
            raise StudioError("api_field", field="image", reason="a string is wanted")
        found.append(said)
    return found


async def _painted(desk: Desk, http: Request, said: ImageBody, asked: ImageRequest) -> Response:
    settings = desk.studio.settings
    form = said.output_format or settings.picture_format
    keep = Keep(settings.file_names, form)
    many = said.partial_images or 0
    work = await desk.begin(http, asked, previews=bool(said.stream and many), keep=keep)
    ignored = asking.ignored(said)
    if said.stream:
        return EventStream(_stream(http, work, many, form), work, ignored)
    made = (await work.ended(http))[0]
    found = await pictures(desk, http, made, url=said.response_format == "url")
    about = {"created": int(time.time()), "output_format": form, "size": measured(made), "data": found}
    return Reply(about, headers=ignored)


async def pictures(desk: Desk, http: Request, made: Artifact, *, url: bool) -> list[dict[str, Any]]:
    """Each picture of a result, in base64 or by its address, with its seed and the prompt that it was painted from."""
    found = list[dict[str, Any]]()
    places = desk.links.give(http, made.files) if url else ()
    for number, (file, recipe) in enumerate(zip(made.files, made.recipes, strict=True)):
        content = {"url": places[number]} if url else {"b64_json": await encoded(file)}
        painted = "".join(recipe["parameters"].get("prompts", ())) or recipe["parameters"].get("prompt")
        found.append({**content, "revised_prompt": painted, "seed": recipe["seed"]})
    return found


def measured(made: Artifact) -> str:
    """The size of a result's pictures."""
    given = made.recipe["parameters"]
    return f"{given['width']}x{given['height']}"


async def _stream(http: Request, work: Work, many: int, form: str) -> AsyncIterator[str]:
    told = 0
    created = int(time.time())
    async for found in work.updates():
        if found is None:
            yield ALIVE
            continue
        update = found[1]
        if update.artifact is not None:
            for file in update.artifact.files:
                about = {"created_at": created, "output_format": form, "size": measured(update.artifact)}
                kind = "image_generation.completed"
                yield event({"type": kind, "b64_json": await encoded(file), **about}, kind)
        elif update.final:
            error = update.error or StudioError("api_stopped")
            yield event(body(error, "openai", http.headers.get("accept-language", "")), "error")
        for png in update.previews.values():
            if told < many:
                kind, partial_image = "image_generation.partial_image", base64.b64encode(png).decode()
                about = {"partial_image_index": told, "created_at": created, "output_format": "png"}
                yield event({"type": kind, "b64_json": partial_image, **about}, kind)
                told += 1
