"""Presets of the image tab: how its fields become one and back, and the picture that one is known by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.errors import StudioError
from studio.library import preset_values
from studio.library.presets import MOST_PICTURE
from tabs.image import form, prompt_tools, shapes
from tabs.image.fields import TASK, Fields
from tabs.image.missing import Missing
from tabs.image.result import Result, Shown
from tabs.image.source import Drawing
from tabs.shared import preset_row
from tabs.shared.context import Page
from tabs.shared.thumbnails import small_copy

NAMES = (
    "shape", "width", "height", "count", "negative_prompt", "styles", "steps", "guidance_scale", "scheduler",
    "clip_skip", "variation", "strength", "hires_scale", "hires_strength", "masked_only", "mask_padding", "mask_blur",
    "seamless", "rng", "vae", "refiner", "refiner_at", "detail_on", "detail_name", "detail_strength",
    "detail_prompt", "detail_confidence", "tiling", "loras", "lora_weights",
)  # fmt: skip
"""The fields that a preset fills. Left alone: words, seeds and pictures, with the masks, controls and regions that lie
on them; a grid's axes and a series, which are work; names and formats of files, which are no matter of the picture."""

_SHAPES = tuple(shape for shape in shapes.SHAPES if shape not in ("", shapes.CUSTOM))


def preset_form(page: Page, fields: Fields, missing: Missing, result: Result) -> preset_row.Form:
    """The fields' values as a preset's, and back. The shape is the page's own field: a request has a size, which is
    another one with another model."""
    named = ("model", *NAMES)

    def read(values: Sequence[Any]) -> Mapping[str, Any]:
        given = dict(zip(named, values, strict=True))
        card = prompt_tools.card(page, given["model"])
        kept = preset_values.held(form.request({**form.EMPTY, **given}, card, Drawing()))
        return {**kept, "shape": given["shape"]} if given["shape"] in _SHAPES else kept

    def fill(values: Mapping[str, Any], spoken: str) -> tuple[dict[Any, Any], str]:
        found = preset_values.settings(TASK, values)
        changes, line = preset_row.model(page, fields.picker, found.get("model"), spoken)
        # the shape is called by the model that it was chosen for, here or not
        card = page.studio.catalog.find(found.get("model", "")) or page.studio.default_model(TASK)
        filled = form.fields({**found, "image": "strength" in found}, card)
        if values.get("shape") in _SHAPES:
            filled |= {"shape": values["shape"], "width": "", "height": ""}
        shown = fields.fill({name: filled[name] for name in NAMES}) | missing.shown(filled, spoken)
        return {**shown, **changes}, line

    outputs = dict.fromkeys([*[fields.of[name] for name in named], *missing.outputs])
    pictured = [result.shown, result.chosen], _small
    return preset_row.Form([fields.of[name] for name in named], list(outputs), read, fill, pictured)


def _small(shown: Shown | None, index: Any) -> bytes:
    """The small copy of the picture that is chosen; none where there is none, or its file is gone."""
    files = shown.artifact.files if shown is not None else ()
    if not isinstance(index, int) or not 0 <= index < len(files):
        return b""
    try:
        data = small_copy(files[index], preset_row.SIDE) if files[index].is_file() else b""
    except (OSError, StudioError):
        return b""
    return data if len(data) <= MOST_PICTURE else b""
