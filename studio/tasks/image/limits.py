"""Limits of pictures to be painted: size, prompts, styles, adaptations, and the picture and mask to start from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.request_parts import CONTROL_FITS, PREPROCESSORS, REFERENCE_USES, Control, Detail, Lora, Reference, Region
from studio.requests import RNGS, SEAMLESS, ImageRequest
from studio.tasks.bounds import (
    NAME,
    PROMPT,
    SEED,
    WORDS,
    Bound,
    Letters,
    check_choice,
    check_list,
    check_number,
    check_picture,
    check_text,
    label,
)
from studio.tasks.image import editing
from studio.tasks.image.schedulers import OWN, SCHEDULERS
from studio.tasks.image.size import SIDE, pixel_bound, side_bound, sides, upright

NUMBERS: Mapping[str, Bound] = {
    "width": SIDE,
    "height": SIDE,
    "steps": Bound(1, 150, 50, 20),
    "guidance_scale": Bound(0, 30, 30, 7.0, whole=False),
    "count": Bound(1, 16, 4, 1),
    "seed": SEED,
    "strength": Bound(0, 1, 1, 0.6, whole=False),
    "mask_padding": Bound(0, 512, 512, 32),
    "mask_blur": Bound(0, 64, 64, 4),
    "variation": Bound(0, 1, 1, 0.0, whole=False),
    "variation_seed": SEED,
    "clip_skip": Bound(0, 12, 12, 0),
    "hires_scale": Bound(1, 4, 2, 1.0, whole=False),
    "hires_strength": Bound(0, 1, 1, 0.5, whole=False),
    "refiner_at": Bound(0.01, 0.99, 0.99, 0.8, whole=False),
}
TEXTS: Mapping[str, Letters] = {
    "prompt": PROMPT,
    "negative_prompt": WORDS,
    "scheduler": Letters(64, 64),
    "vae": Letters(100, 100),
    "refiner": Letters(100, 100),
}
SIDES = ("width", "height")
"""Judged together, beside each other and the enlarging."""
FILLED_PROMPT = Letters(20_000, 4_000)
"""A prompt whose wildcards and styles are filled in."""
LORAS = Bound(0, 8, 8, 0)
LORA_WEIGHT = Bound(-4, 4, 4, 1.0, whole=False)
CONTROLS = Bound(0, 4, 2, 0)
CONTROL_NUMBERS: Mapping[str, Bound] = {
    "control_weight": Bound(0, 2, 2, 1.0, whole=False),
    "control_start": Bound(0, 1, 1, 0.0, whole=False),
    "control_end": Bound(0, 1, 1, 1.0, whole=False),
}
"""Of one picture that steers, each by the name of its field there with `control_` before it."""
PICTURES = Bound(0, 4, 4, 0)
"""To be edited with words; a card says how many of them its model takes."""
REFERENCES = Bound(0, 4, 2, 0)
REFERENCE_NUMBERS: Mapping[str, Bound] = {
    "reference_weight": Bound(0, 2, 2, 1.0, whole=False),
    "reference_start": Bound(0, 1, 1, 0.0, whole=False),
    "reference_end": Bound(0, 1, 1, 1.0, whole=False),
}
"""Of one reference picture, as those of one that steers."""
REGIONS = Bound(0, 4, 4, 0)
REGION_WEIGHT = Bound(0, 1, 1, 1.0, whole=False)
DETAILS = Bound(0, 4, 2, 0)
DETAIL_NUMBERS: Mapping[str, Bound] = {
    "detail_strength": Bound(0, 1, 1, 0.4, whole=False),
    "detail_confidence": Bound(0, 1, 1, 0.5, whole=False),
}
"""Of one detector, each by the name of its field there with `detail_` before it."""
STYLES = Bound(0, 16, 8, 0)
CELLS = Bound(1, 64, 9, 1)
SERIES = Letters(60_000, 8_000)
"""What is typed or pasted as rows of prompts (studio.tasks.image.series)."""
PLAIN_NAME = re.compile(r"[^./\\:<>\x00-\x1f\s](?:[^/\\:<>\x00-\x1f]*[^/\\:<>\x00-\x1f\s])?")
"""Names of a person's own files: no folders, no hidden ones."""
LORA_NAME = Letters(200, 200, needed=True)
LORA_PATH = re.compile(rf"{PLAIN_NAME.pattern}(?:/{PLAIN_NAME.pattern}){{0,7}}")
"""Names of adaptations: the path below their folder, without what the file ends with."""


def check(request: ImageRequest, card: Card, public: bool) -> None:
    """Raises StudioError: not_a_choice, not_text, too_many, too_long, empty, prompts_count, not_plain, bad_image,
    image_too_large, file_too_large, mask_alone, mask_size, out_of_range, not_multiple, no_picture, control_order,
    reference_order, and as studio.tasks.image.editing.
    """
    check_choice("scheduler", request.scheduler or OWN, (OWN, *SCHEDULERS))
    check_choice("tiling", request.tiling, (True, False))
    check_choice("seamless", request.seamless, SEAMLESS)
    check_choice("rng", request.rng, RNGS)
    check_choice("masked_only", request.masked_only, (True, False))
    check_list("prompts", request.prompts, NUMBERS["count"], public)
    for prompt in request.prompts:
        check_text("prompts", prompt, FILLED_PROMPT, public)
    if request.prompts and len(request.prompts) != request.count:
        raise StudioError("prompts_count", field=label("prompts"), given=len(request.prompts), count=int(request.count))
    check_list("styles", request.styles, STYLES, public)
    for style in request.styles:
        check_text("styles", style, NAME, public)
    check_list("loras", request.loras, LORAS, public)
    for lora in request.loras:
        _check_lora(lora, public)
    check_list("controls", request.controls, CONTROLS, public)
    for control in request.controls:
        _check_control(control, public)
    check_list("references", request.references, REFERENCES, public)
    for reference in request.references:
        _check_reference(reference, public)
    for field, name in (("vae", request.vae), ("refiner", request.refiner)):
        if name and not PLAIN_NAME.fullmatch(name):
            raise StudioError("not_plain", field=label(field), value=name[:40])
    check_list("regions", request.regions, REGIONS, public)
    for region in request.regions:
        _check_region(region, public)
    check_list("details", request.details, DETAILS, public)
    for detail in request.details:
        _check_detail(detail, public)
    if request.image != b"":
        check_picture("image", request.image, public)
    if request.mask != b"":
        check_picture("mask", request.mask, public)
        if not request.image:
            raise StudioError("mask_alone")
        if (mask := upright(request.mask)) != (image := upright(request.image)):
            raise StudioError("mask_size", mask=f"{mask[0]} × {mask[1]}", image=f"{image[0]} × {image[1]}")
    check_list("pictures", request.pictures, PICTURES, public)
    editing.check(request, card, public)
    _check_size(request, card, public)


def settled(request: ImageRequest, card: Card, public: bool) -> dict[str, Any]:
    """Both sides, and lists that are fixed."""
    width, height = sides(request, card, public=public)
    named = ("prompts", "styles", "loras", "controls", "pictures", "references", "regions", "details")
    lists = {name: tuple(getattr(request, name)) for name in named}
    return {"width": width, "height": height, **lists}


def marks(request: ImageRequest) -> tuple[str, ...]:
    """What changes the memory that is needed and not every engine's estimate."""
    every = ("tiling", "image", "mask", "loras", "controls", "references", "vae", "refiner", "regions", "details")
    named = tuple(name for name in every if getattr(request, name))
    if request.pictures:
        named = (*named, f"pictures{len(request.pictures)}")
    return (*named, f"x{request.hires_scale:g}") if request.hires_scale > 1 else named


def _check_lora(lora: object, public: bool) -> None:
    if not isinstance(lora, Lora):
        raise StudioError("not_text", field=label("loras"))
    check_text("loras", lora.name, LORA_NAME, public)
    if not LORA_PATH.fullmatch(lora.name):
        raise StudioError("not_plain", field=label("loras"), value=lora.name[:40])
    check_number("lora_weight", lora.weight, LORA_WEIGHT)


def _check_control(control: object, public: bool) -> None:
    if not isinstance(control, Control):
        raise StudioError("not_text", field=label("controls"))
    check_text("controls", control.model, NAME, public)
    if not PLAIN_NAME.fullmatch(control.model):
        raise StudioError("not_plain", field=label("controls"), value=control.model[:40])
    check_choice("preprocessor", control.preprocessor, PREPROCESSORS)
    check_choice("control_fit", control.fit, CONTROL_FITS)
    for name, row in CONTROL_NUMBERS.items():
        check_number(name, getattr(control, name.removeprefix("control_")), row)
    if control.start >= control.end:
        raise StudioError("control_order", start=f"{control.start:g}", end=f"{control.end:g}")
    check_picture("control_image", control.image, public)


def _check_reference(reference: object, public: bool) -> None:
    if not isinstance(reference, Reference):
        raise StudioError("not_text", field=label("references"))
    check_text("references", reference.model, NAME, public)
    if not PLAIN_NAME.fullmatch(reference.model):
        raise StudioError("not_plain", field=label("references"), value=reference.model[:40])
    check_choice("reference_use", reference.use, REFERENCE_USES)
    for name, row in REFERENCE_NUMBERS.items():
        check_number(name, getattr(reference, name.removeprefix("reference_")), row)
    if reference.start >= reference.end:
        raise StudioError("reference_order", start=f"{reference.start:g}", end=f"{reference.end:g}")
    check_picture("reference_image", reference.image, public)
    if reference.mask != b"":
        check_picture("reference_mask", reference.mask, public)


def _check_region(region: object, public: bool) -> None:
    if not isinstance(region, Region):
        raise StudioError("not_text", field=label("regions"))
    check_text("region_prompt", region.prompt, PROMPT, public)
    check_number("region_weight", region.weight, REGION_WEIGHT)
    check_picture("region_mask", region.mask, public)


def _check_detail(detail: object, public: bool) -> None:
    if not isinstance(detail, Detail):
        raise StudioError("not_text", field=label("details"))
    check_text("details", detail.detector, NAME, public)
    if not PLAIN_NAME.fullmatch(detail.detector):
        raise StudioError("not_plain", field=label("details"), value=detail.detector[:40])
    check_text("detail_prompt", detail.prompt, WORDS, public)
    for name, row in DETAIL_NUMBERS.items():
        check_number(name, getattr(detail, name.removeprefix("detail_")), row)


def _check_size(request: ImageRequest, card: Card, public: bool) -> None:
    for field in SIDES:
        if (value := getattr(request, field)) is not None:
            check_number(field, value, side_bound(field, card, request.hires_scale, public=public))
    width, height = sides(request, card, public=public)
    check_number("pixels", width * height, pixel_bound(card, request.hires_scale, public=public))
