"""The settings that Fooocus, InvokeAI, NovelAI, Easy Diffusion, Draw Things and Tensor.Art write into pictures.

Each takes decoded JSON, or a picture's texts by their keys, and gives a Found, or None where it is not that program's.
Their sources or files were read: Fooocus' modules/meta_parser.py (and Ruined Fooocus' names), InvokeAI's
`sd-metadata` of version 2 and `invokeai_metadata` since, NovelAI's Comment, Easy Diffusion's TASK_TEXT_MAPPING, whose
keys stand in a PNG's texts one by one or in one JSON. What forks add counts as unknown.

What is read is unchecked: studio.recipes.untrusted judges the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from studio.recipes.infotext import Found
from studio.recipes.prompt_tags import lora, without_loras
from studio.recipes.sampler_names import sampler
from studio.recipes.untrusted import number

_MAX_SHOWN = 80
_MAX_LORAS = 32
_WEIGHTS = ("weight", "scale", "strength", "alpha")
_OFF: tuple[Any, ...] = (None, "", False, [], {}, "None", "none", "[]", "False")

_FOOOCUS = {
    "prompt": "prompt", "negative_prompt": "negative_prompt", "seed": "seed", "steps": "steps",
    "guidance_scale": "guidance_scale", "negative": "negative_prompt", "cfg": "guidance_scale", "width": "width",
    "height": "height",
}  # fmt: skip
_FOOOCUS_FACTS = {
    "base_model", "base_model_hash", "base_model_name", "full_prompt", "full_negative_prompt", "loras", "resolution",
    "sampler", "scheduler", "sampler_name", "clip_skip", "metadata_scheme", "version", "created_by", "performance",
    "prompt_expansion", "refiner_model_hash", "refiner_switch", "software", "vae", "base_model_hash_fast", "denoise",
    "start_step",
}  # fmt: skip
_INVOKE = {
    "positive_prompt": "prompt", "negative_prompt": "negative_prompt", "seed": "seed", "steps": "steps",
    "cfg_scale": "guidance_scale", "guidance": "guidance_scale", "width": "width", "height": "height",
    "clip_skip": "clip_skip", "strength": "strength", "denoising_strength": "strength",
}  # fmt: skip
_INVOKE_FACTS = {
    "app_version", "generation_mode", "rand_device", "model", "scheduler", "sampler", "loras", "metadata_version",
    "prompt", "init_image", "type", "height", "variations", "canvas_v2_metadata", "seamless_x", "seamless_y",
    "cfg_rescale_multiplier", "use_cpu",
}  # fmt: skip
_NOVELAI = {
    "seed": "seed", "steps": "steps", "scale": "guidance_scale", "uc": "negative_prompt", "prompt": "prompt",
    "width": "width", "height": "height", "strength": "strength",
}  # fmt: skip
_NOVELAI_FACTS = {
    "sampler", "noise_schedule", "n_samples", "request_type", "signed_hash", "version", "v4_prompt", "noise",
    "v4_negative_prompt", "hide_debug_overlay", "legacy", "legacy_v3_extend", "lora_unet_weights", "lora_clip_weights",
    "extra_passthrough_testing", "stream", "skip_cfg_below_sigma", "uncond_per_vibe", "wonky_vibe_correlation",
    "prefer_brownian", "cfg_sched_eligibility", "cfg_rescale", "uncond_scale", "dynamic_thresholding_percentile",
    "dynamic_thresholding_mimic_scale", "controlnet_strength", "deliberate_euler_ancestral_bug",
}  # fmt: skip
_EASY = {
    "prompt": "prompt", "negative prompt": "negative_prompt", "seed": "seed", "steps": "steps",
    "num inference steps": "steps", "guidance scale": "guidance_scale", "width": "width", "height": "height",
    "prompt strength": "strength",
}  # fmt: skip
_EASY_FACTS = {
    "sampler", "sampler name", "stable diffusion model", "use stable diffusion model", "clip skip", "lora model",
    "use lora model", "lora strength", "lora alpha", "software", "tiling", "seamless tiling", "upscale by",
    "upscale amount",
}  # fmt: skip
_EASY_SIGNS = {"stable diffusion model", "use stable diffusion model", "num inference steps"}
_DRAW = {
    "c": "prompt", "uc": "negative_prompt", "seed": "seed", "steps": "steps", "scale": "guidance_scale",
    "strength": "strength",
}  # fmt: skip
_DRAW_FACTS = {"size", "sampler", "model", "lora", "v2", "seed_mode", "profile", "aesthetic_score"}
_TENSOR = {
    "prompt": "prompt", "negativePrompt": "negative_prompt", "seed": "seed", "steps": "steps",
    "cfgScale": "guidance_scale", "width": "width", "height": "height",
}  # fmt: skip
_TENSOR_FACTS = {"models", "baseModel", "samplerName", "clipSkip", "imageCount", "etaNoiseSeedDelta", "workEngine"}


def fooocus(said: Mapping[str, Any]) -> Found | None:
    """Fooocus' JSON scheme, and Ruined Fooocus' names."""
    said = {_underscored(name): value for name, value in said.items()}
    told = str(said.get("metadata_scheme", "")) == "fooocus" or "fooocus" in str(said.get("software", "")).casefold()
    if not told and not {"prompt", "base_model", "performance"} <= said.keys():
        return None
    found = _named(said, _FOOOCUS)
    if sides := _pair(said.get("resolution")):
        found |= {"width": sides[0], "height": sides[1]}
    loras = [_lora(one) for one in _listed(said.get("loras"))]
    for place in range(1, _MAX_LORAS):
        told = said.get(f"lora_combined_{place}", said.get(f"lora_{place}", ""))
        parts = [part.strip() for part in str(told).split(" : ")]
        if len(parts) >= 2 and parts[0] != "False" and parts[-2] != "None":
            loras.append(lora(parts[-2], parts[-1]))
    unknown = _others(said, {*_FOOOCUS, *_FOOOCUS_FACTS}, "lora_")
    if str(said.get("vae", "")) not in ("", "Default (model)", "None"):
        unknown.append(f"vae: {said['vae']}"[:_MAX_SHOWN])
    skip = number(said.get("clip_skip"))
    model = said.get("base_model") or said.get("base_model_name")
    return _whole(
        found, said.get("sampler") or said.get("sampler_name"), said.get("scheduler"), skip, loras, model, unknown
    )


def invokeai(said: Mapping[str, Any]) -> Found | None:
    """InvokeAI's metadata since version 3, or the `sd-metadata` before."""
    old = said.get("image")
    if isinstance(old, dict) and "prompt" in old:
        found = _named(old, _INVOKE)
        prompt = old["prompt"]
        texts = [one.get("prompt", "") if isinstance(one, dict) else one for one in _listed(prompt)] or [prompt]
        words = ", ".join(one for one in texts if isinstance(one, str))
        found["prompt"], found["negative_prompt"] = _bracketed(words)
        unknown = _others(old, {*_INVOKE, *_INVOKE_FACTS})
        return _whole(found, old.get("sampler"), "", None, [], said.get("model_weights"), unknown)
    if "positive_prompt" not in said and not {"generation_mode", "app_version"} & said.keys():
        return None
    model: Any = said.get("model")
    named = next((model[key] for key in ("name", "model_name") if isinstance(model, dict) and model.get(key)), model)
    loras = []
    for one in _listed(said.get("loras")):
        inner = one.get("model") or one.get("lora") if isinstance(one, dict) else None
        if isinstance(one, dict) and isinstance(inner, dict):
            loras.append(lora(str(inner.get("name") or inner.get("model_name") or ""), one.get("weight", 1.0)))
        else:
            loras.append(_lora(one))
    unknown = _others(said, {*_INVOKE, *_INVOKE_FACTS})
    return _whole(_named(said, _INVOKE), said.get("scheduler"), "", None, loras, named, unknown)


def novelai(texts: Mapping[str, Any], said: Mapping[str, Any]) -> Found | None:
    """NovelAI's texts and the JSON in its Comment. Its own weights in braces stay as they are, and are told."""
    if not {"uc", "sampler"} & said.keys() and not str(texts.get("Software", "")).startswith("NovelAI"):
        return None
    found = {"prompt": texts.get("Description", "")} | _named(said, _NOVELAI)
    captions = (said.get("v4_prompt"), said.get("v4_negative_prompt"))
    unknown = _others(said, {*_NOVELAI, *_NOVELAI_FACTS})
    for name, caption in zip(("prompt", "negative_prompt"), captions, strict=True):
        inner = caption.get("caption") if isinstance(caption, dict) else None
        if isinstance(inner, dict):
            found[name] = found.get(name) or inner.get("base_caption", "")
            characters = [
                one.get("char_caption") for one in _listed(inner.get("char_captions")) if isinstance(one, dict)
            ]
            if words := [one for one in characters if isinstance(one, str) and one]:
                unknown.append(f"characters ({name}): {' | '.join(words)}"[:200])
    if "{" in str(found.get("prompt")):
        unknown.append("{…} as weights")
    return _whole(found, said.get("sampler"), said.get("noise_schedule"), None, [], texts.get("Source"), unknown)


def easy_diffusion(said: Mapping[str, Any]) -> Found | None:
    """Easy Diffusion's settings, by the names of its requests or by those that people read."""
    said = {_spaced(name): value for name, value in said.items()}
    if "prompt" not in said or not _EASY_SIGNS & said.keys():
        return None
    names = _listed(said.get("lora model") or said.get("use lora model"))
    weights = _listed(said.get("lora strength", said.get("lora alpha")))
    loras = [lora(str(name), weights[at] if at < len(weights) else 1.0) for at, name in enumerate(names) if name]
    skip = 2 if said.get("clip skip") in (True, "True", "true") else None
    model = said.get("stable diffusion model") or said.get("use stable diffusion model")
    unknown = _others(said, {*_EASY, *_EASY_FACTS})
    return _whole(_named(said, _EASY), said.get("sampler") or said.get("sampler name"), "", skip, loras, model, unknown)


def draw_things(said: Mapping[str, Any]) -> Found | None:
    """What Draw Things writes into XMP."""
    if not {"c", "uc"} & said.keys() or not {"sampler", "model", "size", "steps"} & said.keys():
        return None
    found = _named(said, _DRAW)
    if sides := _pair(said.get("size")):
        found |= {"width": sides[0], "height": sides[1]}
    loras = [_lora({"name": one.get("model"), **one}) for one in _listed(said.get("lora")) if isinstance(one, dict)]
    unknown = _others(said, {*_DRAW, *_DRAW_FACTS})
    return _whole(found, said.get("sampler"), "", None, loras, said.get("model"), unknown)


def tensor_art(said: Mapping[str, Any]) -> Found | None:
    """Tensor.Art's `generation_data`."""
    if "prompt" not in said or not {"baseModel", "models", "samplerName"} & said.keys():
        return None
    base: Any = said.get("baseModel")
    files = [one for one in _listed(said.get("models")) if isinstance(one, dict)]
    loras = [_lora({"name": one.get("modelFileName"), **one}) for one in files if one.get("type") == "LORA"]
    model = base.get("modelFileName") if isinstance(base, dict) else None
    skip, unknown = number(said.get("clipSkip")), _others(said, {*_TENSOR, *_TENSOR_FACTS})
    return _whole(_named(said, _TENSOR), said.get("samplerName"), "", skip, loras, model, unknown)


def _whole(
    found: dict[str, Any],
    name: object,
    schedule: object,
    skip: float | None,
    loras: Iterable[dict[str, Any]],
    model: object,
    unknown: list[str],
) -> Found:
    """All of it together. `skip` counts from 1, as CLIP's layers do everywhere but here."""
    if isinstance(found.get("prompt"), str):
        found["prompt"], tagged = without_loras(found["prompt"])
        loras = [*tagged, *loras]
    if kept := [one for one in loras if one["name"] not in ("", "None")][:_MAX_LORAS]:
        found["loras"] = kept
    if isinstance(name, str) and name:
        ours, missing = sampler(name, schedule if isinstance(schedule, str) else "")
        found |= {"scheduler": ours} if ours else {}
        unknown += missing
    if skip is not None:
        found["clip_skip"] = max(int(skip) - 1, 0)
    return Found(found, model if isinstance(model, str) else "", tuple(unknown))


def _named(said: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: said[name] for name, ours in names.items() if said.get(name) is not None}


def _others(said: Mapping[str, Any], known: set[str], prefix: str = "\0") -> list[str]:
    """What we do not have, as "name: value"; what is empty or switched off decided nothing."""
    left = ((name, value) for name, value in said.items() if name not in known and not name.startswith(prefix))
    return [f"{name}: {_shown(value)}" for name, value in left if value not in _OFF]


def _shown(value: object) -> str:
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        value = ", ".join(str(one) for one in value)
    return str(value)[:_MAX_SHOWN] if isinstance(value, str | int | float) else type(value).__name__


def _lora(one: object) -> dict[str, Any]:
    if isinstance(one, list | tuple):
        return lora(str(one[0]), one[1] if len(one) > 1 else 1.0) if one else {"name": ""}
    if not isinstance(one, dict):
        return lora(one) if isinstance(one, str) else {"name": ""}
    name = next((one[key] for key in ("name", "file", "path") if isinstance(one.get(key), str)), "")
    return lora(name, next((one[key] for key in _WEIGHTS if number(one.get(key)) is not None), 1.0))


def _listed(value: object) -> list[Any]:
    """A list, or the text that one was written as: words with commas, perhaps in brackets and quotes."""
    if isinstance(value, str):
        parts = (part.strip().strip("'\"") for part in value.strip("[]()").split(",")) if value not in _OFF else ()
        return [part for part in parts if part]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [value]
    return list(value)[:200] if isinstance(value, list | tuple) else []


def _pair(value: object) -> tuple[float, float] | None:
    """Width and height, as a list, "(896, 1152)" or "512x512"."""
    found = re.findall(r"\d{1,6}", value[:60]) if isinstance(value, str) else _listed(value)
    sides = [number(one) for one in found]
    return (sides[0], sides[1]) if len(sides) == 2 and sides[0] and sides[1] else None


def _bracketed(prompt: str) -> tuple[str, str]:
    """Prompt and negative prompt, which InvokeAI 2 wrote in square brackets."""
    negative = re.findall(r"\[([^\[\]]{1,5000})\]", prompt)
    return re.sub(r" ?\[[^\[\]]{1,5000}\]", "", prompt).strip(" ,"), ", ".join(negative)


def _underscored(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


def _spaced(name: str) -> str:
    return name.strip().casefold().replace("_", " ")
