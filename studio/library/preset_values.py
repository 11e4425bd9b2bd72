"""Values of presets: which fields of a request one holds, and those of a file as fields of the right type.

The words, files and seeds of one work are none of them: a preset says how something is made, not what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, get_type_hints

from studio.recipes.repeat import fits
from studio.recipes.untrusted import clean, image_fields
from studio.requests import REQUESTS, Request, Task

HELD: Mapping[Task, tuple[str, ...]] = {
    "image": (
        "model", "negative_prompt", "styles", "width", "height", "steps", "guidance_scale", "scheduler", "count",
        "strength", "masked_only", "mask_padding", "mask_blur", "variation", "clip_skip", "tiling", "seamless", "rng",
        "loras", "hires_scale", "hires_strength", "vae", "refiner", "refiner_at", "details",
    ),
    "music": (
        "model", "negative_prompt", "duration", "bars", "tempo", "key", "metre", "players", "loop", "guidance_scale",
        "steps", "temperature", "top_k", "count",
    ),
    "code": ("model", "fill_in_middle", "count", "max_tokens", "temperature", "top_p"),
    "caption": (
        "model", "style", "length", "opening", "require", "forbid", "count", "max_tokens", "temperature",
    ),
}  # fmt: skip


def held(request: Request) -> dict[str, Any]:
    """What a preset holds of a request, as JSON has it; what is as it always is, is left out."""
    usual = {part.name: part.default for part in fields(request) if part.default is not MISSING}
    found = {name: getattr(request, name) for name in HELD[request.task]}
    return {name: _plain(value) for name, value in found.items() if value is not None and value != usual.get(name)}


def settings(task: Task, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request in values of a file: of the right type, judged by nobody yet. What is not is left out."""
    known = {name: value for name, value in values.items() if name in HELD[task]}
    model = known.pop("model", None)
    found = {"model": clean(model)} if isinstance(model, str) and model else {}
    if task == "image":
        return found | image_fields(known, cut=False)[0]
    hints = get_type_hints(REQUESTS[task])
    return found | {name: _value(value) for name, value in known.items() if fits(value, str(hints[name]))}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(clean(one) for one in value)
    return clean(value) if isinstance(value, str) else value
