"""The settings that three other programs write into pictures as JSON.

SwarmUI, key `parameters` or EXIF UserComment: {"sui_image_params": {…}}. Names as in its docs/Image Metadata
Format.md: a parameter's name in lower case without spaces; numbers may be text, lists may be text with commas.
`clipstopatlayer` counts from -1, the last layer; samplers and schedulers have ComfyUI's names; a second painting is
its refiner (`refinerupscale`, `refinercontrolpercentage`), which we take only where it enlarges.
textgen, key `image_gen_settings`: `image_prompt`, `image_neg_prompt`, `image_width` … as in its
modules/ui_image_generation.py. Unsloth Studio, key `unsloth`: `prompt`, `steps`, `guidance` … as in its
studio/backend/core/inference/image_gallery.py, which requires those and writes `negative_prompt` and `model` too.
Those sources were read. How Unsloth writes adaptations was not to be found: a list of names, or of objects with a
name and a weight under the usual keys, is taken. What forks and plug-ins add counts as unknown.

What is read is unchecked: studio.recipes.untrusted judges the values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from studio.recipes.infotext import Found, enlarged
from studio.recipes.prompt_tags import without_loras
from studio.recipes.sampler_names import sampler
from studio.recipes.untrusted import number

Dialect = Literal["swarmui", "textgen", "unsloth"]

MAX_JSON = 1_000_000
_MAX_SHOWN = 80

_SWARMUI = {
    "prompt": "prompt", "negativeprompt": "negative_prompt", "seed": "seed", "steps": "steps",
    "cfgscale": "guidance_scale", "width": "width", "height": "height", "initimagecreativity": "strength",
    "variationseed": "variation_seed", "variationseedstrength": "variation",
}  # fmt: skip
_SWARMUI_ELSEWHERE = {
    "model", "sampler", "scheduler", "comfyuisampler", "comfyuischeduler", "clipstopatlayer", "loras", "loraweights",
    "refinerupscale", "refinercontrolpercentage", "swarm_version", "aspectratio", "automaticvae", "date",
    "generation_time", "personalnote", "images", "batchsize", "resolution", "wildcardseed",
}  # fmt: skip
_TEXTGEN = {
    "image_prompt": "prompt", "image_neg_prompt": "negative_prompt", "image_width": "width", "image_height": "height",
    "image_steps": "steps", "image_seed": "seed", "image_cfg_scale": "guidance_scale",
}  # fmt: skip
_TEXTGEN_ELSEWHERE = {"model", "generated_at", "image_aspect_ratio"}
_UNSLOTH = {
    "prompt": "prompt", "negative_prompt": "negative_prompt", "width": "width", "height": "height", "steps": "steps",
    "guidance": "guidance_scale", "guidance_scale": "guidance_scale", "cfg_scale": "guidance_scale", "seed": "seed",
    "strength": "strength", "loras": "loras",
}  # fmt: skip
_UNSLOTH_ELSEWHERE = {
    "model", "repo_id", "created_at", "id", "url", "duration", "elapsed", "batch_size", "batch_index", "backend",
    "pinned", "archived", "order_at", "workflow",
}  # fmt: skip


def loads(text: str, longest: int = MAX_JSON) -> Any:
    """What JSON text holds; None where it is none or too long to be anybody's settings. Never raises."""
    if len(text) > longest:
        return None
    try:
        return json.loads(text.strip("\0\ufeff \r\n\t"))
    except (ValueError, RecursionError):
        return None


def parse(said: Any, dialect: Dialect | None = None) -> tuple[Dialect, Found] | None:
    """What one of the three says; None where it is none of them.

    Args:
        said: decoded JSON, from anybody.
        dialect: which of them it is; without it the names inside decide.
    """
    if not isinstance(said, dict):
        return None
    inner = said.get("sui_image_params")
    if dialect in (None, "swarmui") and isinstance(inner, dict):
        return "swarmui", _swarmui(inner)
    if dialect in (None, "textgen") and "image_prompt" in said:
        return "textgen", _plain(said, _TEXTGEN, _TEXTGEN_ELSEWHERE)
    if (dialect == "unsloth" and "prompt" in said) or (dialect is None and {"prompt", "guidance"} <= said.keys()):
        return "unsloth", _plain(said, _UNSLOTH, _UNSLOTH_ELSEWHERE)
    return None


def _swarmui(said: Mapping[str, Any]) -> Found:
    fields = {ours: said[name] for name, ours in _SWARMUI.items() if name in said}
    unknown = _unknown(said, {*_SWARMUI, *_SWARMUI_ELSEWHERE})
    fields |= _prompt_and_loras(fields.get("prompt"), _listed(said.get("loras")), _listed(said.get("loraweights")))
    named = _text(said.get("sampler", said.get("comfyuisampler")))
    if named:
        name, missing = sampler(named, _text(said.get("scheduler", said.get("comfyuischeduler"))))
        fields |= {"scheduler": name} if name else {}
        unknown += missing
    if (layer := number(said.get("clipstopatlayer"))) is not None:
        fields["clip_skip"] = max(-int(layer) - 1, 0)
    if (scale := number(said.get("refinerupscale"))) is not None and scale > 1:
        sides = {name: number(fields.get(name)) for name in ("width", "height")}
        fields |= {name: enlarged(side, scale) for name, side in sides.items() if side is not None}
        fields["hires_scale"] = scale
        if "refinercontrolpercentage" in said:
            fields["hires_strength"] = said["refinercontrolpercentage"]
    if not number(fields.get("variation")):  # it writes the seed even where nothing of it was used
        fields.pop("variation_seed", None)
    return Found(fields, _text(said.get("model")), tuple(unknown))


def _plain(said: Mapping[str, Any], names: Mapping[str, str], elsewhere: set[str]) -> Found:
    fields = {ours: said[name] for name, ours in names.items() if said.get(name) is not None}
    if isinstance(fields.get("loras"), list | str):
        fields["loras"] = [_lora(one) for one in _listed(fields["loras"])]
    model = _text(said.get("model")) or _text(said.get("repo_id"))
    return Found(fields, model, tuple(_unknown(said, {*names, *elsewhere})))


def _prompt_and_loras(prompt: object, names: list[Any], weights: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    loras = []
    if isinstance(prompt, str):
        found["prompt"], loras = without_loras(prompt)
    for place, name in enumerate(names):
        one = _lora({"name": name, "weight": weights[place] if place < len(weights) else 1.0})
        if one["name"] not in [known["name"] for known in loras]:  # named in the prompt and listed: it is one
            loras.append(one)
    return {**found, "loras": loras} if loras else found


def _lora(one: object) -> dict[str, Any]:
    said: Mapping[str, Any] = one if isinstance(one, dict) else {"name": one}
    name = next(filter(None, (_text(said.get(key)) for key in ("name", "id", "path", "repo_id"))), "")
    stem = re.split(r"[/\\]", name)[-1].removesuffix(".safetensors")
    weight = next((found for key in _WEIGHTS if (found := number(said.get(key))) is not None), 1.0)
    return {"name": stem, "weight": weight}


def _listed(value: object) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value if isinstance(value, list) else []


def _unknown(said: Mapping[str, Any], known: set[str]) -> list[str]:
    """Settings that we do not have, as "name: value"; what is empty or switched off decided nothing."""
    return [f"{name}: {_shown(value)}" for name, value in said.items() if name not in known and value not in _OFF]


_WEIGHTS = ("weight", "scale", "strength")
_OFF: tuple[Any, ...] = (None, "", False, [], {})


def _shown(value: object) -> str:
    return str(value)[:_MAX_SHOWN] if isinstance(value, str | int | float) else type(value).__name__


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
