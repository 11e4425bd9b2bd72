"""The `parameters` text that AUTOMATIC1111 made common: written for other web UIs to read, and read as they write it.

    a red house by a lake <lora:ink:0.8>
    Negative prompt: people
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Model: x, Version: y

Rules as in that project's modules/infotext_utils.py: the last line holds settings where it has at least three of
them, everything above is the prompt and, from its own line on, the negative prompt; a value with a comma, a colon
or a line break is a JSON string; Clip skip 1 means none; with `Hires upscale`, Size is that of the first painting,
where ours is that of the finished picture. `Wildcard prompt` is the name that its wildcards extension gives the text
before filling in. `VAE tiling`, `Tiling` being something else there, and `Hires denoising strength` are ours; other
programs pass over them.

Knows nothing of files. What is read is unchecked: studio.checked judges the values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.checked import number
from studio.schedulers import OWN, SCHEDULERS

MAX_TEXT = 200_000
_LEAST_SETTINGS = 3

# Without the original's leading \s*, and with a bound on names: those take quadratic time on a hostile line.
_SETTING = re.compile(r'(\w[\w \-/]{1,60}):\s{0,9}("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
_LORA = re.compile(r" ?<lora:([^:<>]{1,200})(?::([^:<>]{0,40}))?(?::[^<>]{0,40})?>", re.IGNORECASE)
_NEGATIVE = "Negative prompt:"

_FIELDS = {
    "Steps": "steps", "CFG scale": "guidance_scale", "Seed": "seed", "Variation seed": "variation_seed",
    "Variation seed strength": "variation", "Hires upscale": "hires_scale",
    "Hires denoising strength": "hires_strength",
}  # fmt: skip
_FACTS = {
    "Version", "User", "Model hash", "VAE hash", "Lora hashes", "TI hashes", "Hashes", "Batch size", "Batch pos",
    "Time taken", "Wildcard prompt", "Wildcard negative prompt", "Template", "Negative Template", "Hires upscaler",
    "Civitai resources", "Civitai metadata", "Size", "Model", "Sampler", "Schedule type", "Clip skip",
    "Denoising strength", "VAE tiling", "Distilled CFG Scale", "Hires resize", "App", "Pipeline", "Created Date",
}  # fmt: skip
"""Settings that are read elsewhere, or that say nothing about how to paint."""

_SAMPLERS = {
    "plms": "PNDM", "dpm++ 2s": "DPM++ 2S", "dpmpp 2m": "DPM++ 2M", "dpmpp 2m sde": "DPM++ 2M SDE",
    "dpmpp 2m sde gpu": "DPM++ 2M SDE", "dpmpp 2s": "DPM++ 2S", "euler ancestral": "Euler a", "euler a": "Euler a",
    "uni pc": "UniPC", "uni pc bh2": "UniPC", "ddim cfgpp": "DDIM", "k euler": "Euler", "k euler a": "Euler a",
    "k heun": "Heun", "k dpmpp 2m": "DPM++ 2M",
}  # fmt: skip
_SAMPLERS |= {name.casefold(): name for name in (*SCHEDULERS, OWN)}
_PLAIN = ("", "automatic", "normal", "uniform", "default", "none")
_AUTOMATIC = {"DPM++ 2M": "Karras", "DPM++ 2M SDE": "Exponential"}
"""What that program's "Automatic" means where it is not the sampler's plain schedule."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a text says.

    Attributes:
        fields: fields of ImageRequest, unchecked.
        model: its name, as written there.
        unknown: settings that we do not have, as "Name: value".
    """

    fields: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    unknown: tuple[str, ...] = ()


def write(recipe: Mapping[str, Any]) -> str:
    """The text for one picture's recipe. What decided nothing (no variation, no second painting) is left out."""
    given, model = recipe["parameters"], recipe["model"]
    painted = _painted(given)
    sampler, schedule = _split(str(given.get("scheduler") or OWN))
    hires, started = (given.get("hires_scale") or 1) > 1, bool(_size(given.get("image")))
    varied = bool(given.get("variation"))
    whole = f"{given['width']}x{given['height']}" if "width" in given and "height" in given else None
    strength = given.get("strength") if started else given.get("hires_strength") if hires else None
    settings = {
        "Steps": given.get("steps"),
        "Sampler": sampler,
        "Schedule type": schedule or None,
        "CFG scale": given.get("guidance_scale"),
        "Seed": recipe["seed"],
        "Size": _first_size(given, given.get("hires_scale") or 1) if hires else whole,
        "Model": model["title"] or model["id"],
        "Variation seed": given.get("variation_seed") if varied else None,
        "Variation seed strength": given.get("variation") if varied else None,
        "Denoising strength": strength,
        "Clip skip": given["clip_skip"] + 1 if given.get("clip_skip") else None,
        "Hires upscale": given.get("hires_scale") if hires else None,
        "Hires resize": whole if hires else None,
        "Hires upscaler": "Lanczos" if hires else None,
        "Hires denoising strength": given.get("hires_strength") if hires and started else None,
        "VAE tiling": "True" if given.get("tiling") else None,
        "Wildcard prompt": given.get("prompt") if painted != given.get("prompt", "") else None,
        "Version": f"Atelier {recipe['software'].get('studio', '')}".strip(),
    }
    lines = [_with_loras(painted, given.get("loras") or ())]
    if negative := given.get("negative_prompt"):
        lines.append(f"{_NEGATIVE} {negative}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in settings.items() if value is not None))
    return "\n".join(lines)


def parse(text: str) -> Found | None:
    """What a `parameters` text says; None where it has neither a settings line nor a negative prompt."""
    if len(text) > MAX_TEXT:
        return None
    *lines, last = text.strip().split("\n")
    settings = _SETTING.findall(last)
    if len(settings) < _LEAST_SETTINGS:
        lines, settings = [*lines, last], []
    prompt: list[str] = []
    negative: list[str] = []
    place = prompt
    for line in lines:
        rest = line.strip()
        if rest.startswith(_NEGATIVE):
            place, rest = negative, rest.removeprefix(_NEGATIVE).strip()
        place.append(rest)
    if not settings and place is prompt:
        return None
    return _understood("\n".join(prompt), "\n".join(negative), {key: _unquoted(value) for key, value in settings})


def sampler(name: str, schedule: str = "") -> tuple[str, tuple[str, ...]]:
    """Our name for a sampler and its noise schedule as other programs call them, and what of it we do not have.

    The name is empty where there is none; a schedule that we lack leaves the sampler's plain one.
    """
    words = " ".join(name.replace("_", " ").split()).casefold()
    kind = " ".join(schedule.replace("_", " ").split())
    for ending in ("karras", "exponential"):
        if words.endswith(f" {ending}") and words not in _SAMPLERS:
            words, kind = words.removesuffix(ending).strip(), kind or ending
    known = _SAMPLERS.get(words)
    if known is None:
        return "", (f"Sampler: {name}", *((f"Schedule type: {schedule}",) if kind.casefold() not in _PLAIN else ()))
    if kind.casefold() == "automatic":
        kind = _AUTOMATIC.get(known, "")
    if kind.casefold() == "karras" and f"{known} Karras" in SCHEDULERS:
        return f"{known} Karras", ()
    if kind.casefold() in _PLAIN or known.casefold().endswith(f" {kind.casefold()}"):
        return known, ()
    return known, (f"Schedule type: {kind}",)


def without_loras(prompt: str) -> tuple[str, list[dict[str, Any]]]:
    """The prompt without `<lora:name:weight>`, and those as {"name", "weight"}."""
    loras = []
    for name, weight in _LORA.findall(prompt):
        loras.append({"name": name.strip(), "weight": 1.0 if (value := number(weight)) is None else value})
    return _LORA.sub("", prompt).strip(" ") if loras else prompt, loras


def _understood(prompt: str, negative: str, said: Mapping[str, str]) -> Found:
    prompt, loras = without_loras(prompt)
    fields: dict[str, Any] = {"prompt": prompt, "negative_prompt": negative}
    fields |= {ours: said[name] for name, ours in _FIELDS.items() if name in said}
    unknown = [f"{name}: {value}" for name, value in said.items() if name not in _FIELDS and name not in _FACTS]
    if loras:
        fields["loras"] = loras
    if size := _SIZE.fullmatch(said.get("Size", "")):
        fields |= {"width": size[1], "height": size[2]} | _second_size(said, int(size[1]), int(size[2]))
    if "Sampler" in said:
        name, missing = sampler(said["Sampler"], said.get("Schedule type", ""))
        fields |= {"scheduler": name} if name else {}
        unknown += missing
    if "Denoising strength" in said:
        fields["hires_strength" if "hires_scale" in fields else "strength"] = said["Denoising strength"]
        if "Hires denoising strength" in said:
            fields |= {"strength": said["Denoising strength"], "hires_strength": said["Hires denoising strength"]}
    if (skip := number(said.get("Clip skip"))) is not None:
        fields["clip_skip"] = max(int(skip) - 1, 0)
    if said.get("VAE tiling") == "True":
        fields["tiling"] = True
    if "Distilled CFG Scale" in said and number(said.get("CFG scale")) == 1:
        fields["guidance_scale"] = said["Distilled CFG Scale"]  # models that were taught to follow one number
    return Found(fields, said.get("Model", ""), tuple(unknown))


def _first_size(given: Mapping[str, Any], scale: float) -> str | None:
    sides = [given[side] for side in ("width", "height") if side in given]
    return "x".join(str(max(8, round(side / scale / 8) * 8)) for side in sides) if len(sides) == 2 else None


def _second_size(said: Mapping[str, str], width: int, height: int) -> dict[str, Any]:
    """Size and scale of a picture that was painted twice; empty for others."""
    scale, resized = number(said.get("Hires upscale")), _SIZE.fullmatch(said.get("Hires resize", ""))
    if resized and int(resized[1]) and width:
        scale = scale or int(resized[1]) / width
        return {"width": resized[1], "height": resized[2], "hires_scale": scale}
    if not scale or scale <= 1:
        return {}
    return {"width": enlarged(width, scale), "height": enlarged(height, scale), "hires_scale": scale}


def enlarged(side: float, scale: float) -> int:
    """A side of the second painting, a multiple of 8."""
    return round(side * scale / 8) * 8


def _painted(given: Mapping[str, Any]) -> str:
    own = given.get("prompts")
    return str(own[0]) if isinstance(own, list | tuple) and own else str(given.get("prompt", ""))


def _with_loras(prompt: str, loras: Iterable[Mapping[str, Any]]) -> str:
    there = {lora["name"] for lora in without_loras(prompt)[1]}
    tags = [f"<lora:{one['name']}:{_number(one['weight'])}>" for one in loras if one["name"] not in there]
    return " ".join([prompt, *tags])


def _split(scheduler: str) -> tuple[str, str]:
    return (scheduler.removesuffix(" Karras"), "Karras") if scheduler.endswith(" Karras") else (scheduler, "")


def _size(value: object) -> int:
    """Bytes of the picture that a recipe names by its hash; 0 where it names none."""
    size = value.get("bytes") if isinstance(value, dict) else 0
    return size if isinstance(size, int) else 0


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _quoted(value: object) -> str:
    text = _number(value) if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if any(sign in text for sign in ',:\n"') else text


def _unquoted(value: str) -> str:
    if not value.startswith('"') or not value.endswith('"'):
        return value.strip()
    try:
        return str(json.loads(value))
    except (ValueError, RecursionError):
        return value
