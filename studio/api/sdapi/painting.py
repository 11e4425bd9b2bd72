"""Pictures as AUTOMATIC1111 is asked for them: txt2img, img2img, and what enlarges."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
from fastapi import APIRouter, Request

from studio import __version__
from studio.api import asking
from studio.api.problems import Reply
from studio.api.results import encoded
from studio.api.sdapi import naming, translate
from studio.api.sdapi.bodies import Enlarging, Painting, Repainting
from studio.api.sdapi.pictures import inverted, pulled, sized_mask
from studio.api.sdapi.state import PREFIX, TAG, States
from studio.api.sdapi.translate import Words
from studio.api.submitting import Desk
from studio.catalog.card import Card
from studio.errors import StudioError
from studio.library.file_names import Keep
from studio.requests import ImageRequest, UpscaleRequest
from studio.results import Artifact
from studio.tasks.bounds import Bound
from studio.tasks.image.size import side_bound, upright
from studio.tasks.limits import bound

_MOST_PICTURES = 16
_PLAIN = ("lanczos", "nearest")
"""What enlarges without a model, there."""


def routes(desk: Desk, states: States) -> APIRouter:
    router = APIRouter(prefix=PREFIX)

    @router.post("/txt2img")
    async def txt2img(body: Painting, http: Request) -> Reply:
        """Pictures from words."""
        return await _painted(desk, states, body, http)

    @router.post("/img2img")
    async def img2img(body: Repainting, http: Request) -> Reply:
        """Pictures from a picture, or in a part of one."""
        if not body.init_images:
            raise StudioError("no_picture", field="field.image")
        return await _painted(desk, states, body, http)

    @router.post("/extra-single-image")
    async def enlarge(body: Enlarging, http: Request) -> Reply:
        """One picture, larger."""
        made, ignored = await _enlarged(desk, [body.image], body, http)
        return Reply({"html_info": "", "image": await encoded(made[0].files[0])}, headers=asking.header(ignored))

    @router.post("/extra-batch-images")
    async def enlarge_many(body: Enlarging, http: Request) -> Reply:
        """Several, one after another."""
        made, ignored = await _enlarged(desk, [one.data for one in body.pictures[:_MOST_PICTURES]], body, http)
        images = [await encoded(artifact.files[0]) for artifact in made]
        return Reply({"html_info": "", "images": images}, headers=asking.header(ignored))

    return router


async def _painted(desk: Desk, states: States, body: Painting, http: Request) -> Reply:
    who = desk.asker(http).session
    words = translate.words(body, states.options(who))
    requests, moved = await anyio.to_thread.run_sync(_requests, desk, words)
    work = await desk.begin(http, *requests, previews=states.looking(who), tag=TAG, keep=_keep(desk))
    made = await work.ended(http)
    images = [] if body.send_images is False else await _images(made)
    info = translate.info(made, f"Atelier {__version__}")
    told = {"images": images, "parameters": translate.echo(body), "info": info}
    if body.do_not_save_samples:
        await anyio.to_thread.run_sync(_forget, desk, made)
    return Reply(told, headers=asking.header([*words.ignored, *moved]))


def _requests(desk: Desk, words: Words) -> tuple[list[ImageRequest], list[str]]:
    """A request for each picture that is begun with, and the fields whose number the model could not do.

    Raises:
        StudioError: of the pictures; unknown_model.
    """
    model = naming.find(desk, words.model)
    card = desk.studio.catalog.get(model) if model else desk.studio.default_model("image", words.request)
    numbers, moved = within(words.request, card, public=desk.studio.settings.public)
    controls = tuple(replace(one.control, image=asking.data("image", one.picture)) for one in words.units)
    request = replace(words.request, model=model, controls=controls, **numbers)
    if not words.pictures:
        return [request], moved
    mask = asking.data("mask", words.mask) if words.mask else b""
    mask = inverted(mask) if mask and words.invert else mask
    found = []
    for sent in words.pictures[:_MOST_PICTURES]:
        image = asking.data("init_images", sent)
        own = sized_mask(mask, upright(image)) if mask else b""
        size = (request.width or 0, request.height or 0)
        if words.stretched and all(size) and not (own and request.masked_only):
            before, image = image, pulled(image, size)
            own = sized_mask(own, size) if own and image is not before else own
        found.append(replace(request, image=image, mask=own))
    return found, moved


def within(request: ImageRequest, card: Card, *, public: bool) -> tuple[dict[str, Any], list[str]]:
    """Numbers as a model can do them, and the names of those that it could not.

    Programs send 20 steps, a guidance of 7 and 512 x 512 whatever the model, because A1111 refuses no number.
    """
    rows: Mapping[str, Bound] = {
        "steps": bound("image", "steps", card, public=public),
        "guidance_scale": bound("image", "guidance_scale", card, public=public),
        **{side: side_bound(side, card, request.hires_scale, public=public) for side in ("width", "height")},
    }
    found: dict[str, Any] = {}
    moved: list[str] = []
    for name, row in rows.items():
        value = getattr(request, name)
        if value is None or not math.isfinite(value):
            continue
        least = math.ceil(row.low / row.multiple) * row.multiple
        near = min(max(value - value % row.multiple if row.multiple > 1 else value, least), row.high)
        found[name] = int(near) if row.whole else float(near)
        if near != value:
            moved.append({"guidance_scale": "cfg_scale"}.get(name, name))
    return found, moved


async def _enlarged(
    desk: Desk, sent: Sequence[str], body: Enlarging, http: Request
) -> tuple[tuple[Artifact, ...], list[str]]:
    if not sent:
        raise StudioError("no_picture", field="field.image")

    def read() -> list[UpscaleRequest]:
        model = _upscaler(desk, body.upscaler_1 or "")
        images = [asking.data("image", one) for one in sent]
        return [UpscaleRequest(image=one, model=model, scale=_scale(body, one)) for one in images]

    requests = await anyio.to_thread.run_sync(read)
    work = await desk.begin(http, *requests, tag=TAG, keep=_keep(desk))
    scale = 2.0 if body.upscaling_resize is None else body.upscaling_resize
    ignored = ["upscaling_resize"] if not body.resize_mode and scale != requests[0].scale else []
    return await work.ended(http), [*ignored, *_more(body)]


def _upscaler(desk: Desk, name: str) -> str:
    """The id of what enlarges. Raises StudioError: unknown_model."""
    if name.casefold() in ("", "none", *_PLAIN):
        plain = desk.studio.catalog.find("lanczos") if name.casefold() in _PLAIN else None
        return plain.id if plain else ""
    return naming.find(desk, name, "upscale")


def _scale(body: Enlarging, image: bytes) -> int:
    """How many times as large: a whole number, which is what our models know."""
    wanted = 2.0 if body.upscaling_resize is None else body.upscaling_resize
    if body.resize_mode == 1:
        width, height = upright(image)
        wanted = max((body.upscaling_resize_w or 512) / width, (body.upscaling_resize_h or 512) / height)
    return math.ceil(min(max(wanted, 2.0), 1000.0)) if math.isfinite(wanted) else 1000


def _more(body: Enlarging) -> list[str]:
    """What was asked for besides that we do not have."""
    extra = body.model_extra or {}
    names = [name for name in ("gfpgan_visibility", "codeformer_visibility", "extras_upscaler_2_visibility")
             if extra.get(name)]  # fmt: skip
    return [*names, *(["upscaling_crop"] if body.resize_mode == 1 and extra.get("upscaling_crop") else [])]


def _keep(desk: Desk) -> Keep:
    """As the studio keeps pictures, but as PNG: that is what these programs read."""
    return replace(desk.studio.library.keep, format="png")


async def _images(made: Sequence[Artifact]) -> list[str]:
    files: list[Path] = [file for artifact in made for file in artifact.files]
    return list(await asyncio.gather(*map(encoded, files)))


def _forget(desk: Desk, made: Sequence[Artifact]) -> None:
    for artifact in made:
        desk.studio.library.forget(artifact)
