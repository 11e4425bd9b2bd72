"""The `parameters` text that AUTOMATIC1111 made common: written for other web UIs to read, and read as they write it.

    a red house by a lake <lora:ink:0.8>
    Negative prompt: people
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 512x512, Model: x, Version: y

Rules as in that project's modules/infotext_utils.py: a value with a comma, a colon or a line break is a JSON string;
Clip skip 1 means none; with `Hires upscale`, Size is that of the first painting, where ours is that of the finished
picture. Where the passages stand: studio.recipes.infotext_passages. Names are compared without case and hyphens, since
SD.Next writes `CLiP-skip`, and by its own words for the second painting. `Wildcard prompt` is the name that the
wildcards extension gives the text before filling in. `Tiling` is edges that fit together, `Tile X` and `Tile Y` the
same one way alone, as the asymmetric-tiling extension has it. `VAE tiling`, `Hires denoising strength` and `Edit
pictures` (by the beginnings of their SHA-256) are ours; other programs pass over them.

What is read is unchecked: studio.recipes.untrusted judges the values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.recipes import control_text, detail_text, infotext_passages, parts_text, reference_text, sampler_names
from studio.recipes.prompt_tags import lora, without_hypernets, without_loras
from studio.recipes.sampler_names import sampler
from studio.recipes.untrusted import number
from studio.request_parts import Axis
from studio.tasks.image.schedulers import OWN

MAX_TEXT = 200_000
_MOST_RESOURCES = 32
_SIZE = re.compile(r"(\d{1,6})\s?[x×*]\s?(\d{1,6})")

_ENLARGED = re.compile(r"\s*Postprocess (?:upscale|upscaler|crop)[\w ]{0,20}:")

_FIELDS = {
    "steps": "steps", "cfg scale": "guidance_scale", "guidance scale": "guidance_scale", "seed": "seed",
    "variation seed": "variation_seed", "variation seed strength": "variation", "variation strength": "variation",
}  # fmt: skip
_ELSEWHERE = {
    "hires upscale", "hires scale", "hires resize", "hires size", "hires fixed", "hires denoising strength",
    "hires strength", "size", "model", "sampler", "scheduler", "schedule type", "clip skip", "denoising strength",
    "vae tiling", "distilled cfg scale", "lora hashes", "lora weights", "sampler sigma",
    "edit pictures", "mask blur", "inpaint area", "masked area padding", "tiling", "tile x", "tile y", "ti hashes",
    "vae", "refiner", "refiner switch at", "rng",
}  # fmt: skip
"""Settings that are read by `_understood`, which tells those of them that it could not use."""
_FACTS = {
    "version", "user", "model hash", "vae hash", "hashes", "batch size", "batch pos", "time taken", "wildcard prompt",
    "wildcard negative prompt", "template", "negative template", "hires upscaler", "civitai resources",
    "civitai metadata", "app", "pipeline", "created date", "operations", "refine", "hires mode", "hires force", "index",
    "batch", "parser", "raw prompt", "raw negative prompt", "performance", "refiner hash", "module 1", "module 2",
    "start tiling from step", "stop tiling after step",
}  # fmt: skip
"""What says nothing about how to paint."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a text says.

    Attributes:
        fields: fields of ImageRequest, unchecked.
        model: its name, as written there.
        model_hash: the first digits of its file's SHA-256.
        unknown: settings that we do not have, as "Name: value".
    """

    fields: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    unknown: tuple[str, ...] = ()
    model_hash: str = ""


def write(recipe: Mapping[str, Any], version: str = "", axes: Iterable[Axis] = ()) -> str:
    """The text for one picture's recipe. What decided nothing (no variation, no second painting) is left out.

    Args:
        version: of the program that painted it; ours by default.
        axes: of a grid, whose sheet the text is for.
    """
    given, model = recipe["parameters"], recipe["model"]
    painted = _painted(given)
    name, schedule = _split(str(given.get("scheduler") or OWN))
    hires, started = (given.get("hires_scale") or 1) > 1, bool(_size(given.get("image")))
    varied, masked = bool(given.get("variation")), bool(_size(given.get("mask")))
    whole = f"{given['width']}x{given['height']}" if "width" in given and "height" in given else None
    strength = given.get("strength") if started else given.get("hires_strength") if hires else None
    settings = {
        "Steps": given.get("steps"),
        "Sampler": name if "scheduler" in given else None,
        "Schedule type": schedule or None,
        "CFG scale": given.get("guidance_scale"),
        "Seed": recipe["seed"],
        "Size": _first_size(given, given.get("hires_scale") or 1) if hires else whole,
        "Model hash": model.get("hash") or None,
        "Model": model["title"] or model["id"] or None,
        **parts_text.write_vae(recipe),
        "Variation seed": given.get("variation_seed") if varied else None,
        "Variation seed strength": given.get("variation") if varied else None,
        "Denoising strength": strength,
        "RNG": ("NV" if given["rng"] == "nv" else "CPU") if "rng" in given else None,
        "Clip skip": given["clip_skip"] + 1 if given.get("clip_skip") else None,
        "Hires upscale": given.get("hires_scale") if hires else None,
        "Hires resize": whole if hires else None,
        "Hires upscaler": "Lanczos" if hires else None,
        "Hires denoising strength": given.get("hires_strength") if hires and started else None,
        "Mask blur": given.get("mask_blur") if masked else None,
        "Inpaint area": "Only masked" if masked and given.get("masked_only") else None,
        "Masked area padding": given.get("mask_padding") if masked and given.get("masked_only") else None,
        "TI hashes": ", ".join(f"{name}: {hash[:12]}" for name, hash in _inversions(recipe)) or None,
        "VAE tiling": "True" if given.get("tiling") else None,
        "Edit pictures": _named(given.get("pictures")),
        **control_text.write_units(given.get("controls") or ()),
        **reference_text.write_units(given.get("references") or (), behind=len(given.get("controls") or ())),
        **_TILES.get(str(given.get("seamless")), {}),
        "Wildcard prompt": given.get("prompt") if painted != given.get("prompt", "") else None,
        **parts_text.write_refiner(recipe),
        **detail_text.write_details(recipe),
        **parts_text.write_axes(axes),
        "Version": version or _version(recipe),
    }
    lines = [_with_loras(painted, given.get("loras") or ())]
    if negative := given.get("negative_prompt"):
        lines.append(f"{infotext_passages.NEGATIVE} {negative}")
    lines.append(_line(settings))
    return "\n".join(lines)


def write_enlarged(recipe: Mapping[str, Any], before: str, scale: float) -> str:
    """The text for an enlarged picture: that of the picture before, with the enlargement as other web UIs add it.

    Args:
        recipe: of the enlargement.
        before: the text that the picture had; empty where nothing is known of it.
        scale: of all enlargements together.
    """
    model = recipe["model"]
    added = {"Postprocess upscale by": scale, "Postprocess upscaler": model["title"] or model["id"]}
    if not before.strip():
        return _line({**added, "Version": _version(recipe)})
    text = infotext_passages.normal(before)
    found = infotext_passages.split(text)
    if not found.settings:
        return f"{text}\n{_line({**added, 'Version': _version(recipe)})}"
    settings = text[found.start : found.end].rstrip(" ,")
    return f"{text[: found.start]}{settings}, {_line(added)}{text[found.end :]}"


def parse(text: str) -> Found | None:
    """What a `parameters` text says; None where it has neither settings nor a negative prompt."""
    if len(text) > MAX_TEXT:
        return None
    found = infotext_passages.split(text)
    if not found.settings and not found.negative:
        return None
    return _understood(found.prompt, found.negative, found.settings)


def only_enlarged(text: str) -> bool:
    """Whether a text names an enlargement and nothing else: no prompt, though some programs read one into it."""
    return bool(_ENLARGED.match(text)) and "\n" not in text.strip()


def enlarged(side: float, scale: float) -> int:
    """A side of the second painting, a multiple of 8."""
    return round(side * scale / 8) * 8


def _understood(prompt: str, negative: str, settings: Iterable[tuple[str, str]]) -> Found:
    said = {_plain(name): (name, value) for name, value in settings}
    values = {name: value for name, (_, value) in said.items()}
    known = {*_FIELDS, *_FACTS, *_ELSEWHERE}
    unknown = [
        f"{name}: {value}"
        for plain, (name, value) in said.items()
        if plain not in known and not control_text.UNIT.fullmatch(plain) and not detail_text.KNOWN.fullmatch(plain)
    ]
    prompt, loras = without_loras(prompt)
    prompt, nets = without_hypernets(prompt)
    fields: dict[str, Any] = {"prompt": prompt, "negative_prompt": negative}
    fields |= {ours: values[name] for name, ours in _FIELDS.items() if name in values}
    unknown += nets if "hypernet" not in values else []
    loras += _weights(values, {one["name"] for one in loras})
    model, named = _resources(values.get("civitai resources", ""))
    loras = loras or named
    if loras:
        fields["loras"] = loras
    unknown += _second(values, fields)
    unknown += _sampler(values, fields)
    if edited := values.get("edit pictures", "").strip():
        fields["pictures"] = edited.split(",")
    controls, missing = control_text.read_units(values)
    unknown += missing
    if controls:
        fields["controls"] = controls
    if references := reference_text.read_units(values):
        fields["references"] = references
    fields |= parts_text.read_parts(values)
    painted_again, missing = detail_text.read_details(values)
    fields |= painted_again
    unknown += missing
    if (skip := number(values.get("clip skip"))) is not None:
        fields["clip_skip"] = max(int(skip) - 1, 0)
    if values.get("vae tiling") == "True":
        fields["tiling"] = True
    if _as_a_card(values):
        fields["rng"] = "nv"
    if way := _tiled(values):
        fields["seamless"] = way
    unknown += _painted_in(values, fields)
    if "distilled cfg scale" in values and number(values.get("cfg scale", 1)) == 1:
        fields["guidance_scale"] = values["distilled cfg scale"]  # models that were taught to follow one number
    return Found(fields, values.get("model", "") or model, tuple(unknown), _hash(values))


def _named(pictures: object) -> str | None:
    """The pictures that were edited, each by the beginning of its SHA-256; None where there were none."""
    given = pictures if isinstance(pictures, list) else []
    return ", ".join(str(one.get("sha256", ""))[:12] for one in given if isinstance(one, dict)) or None


def _inversions(recipe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Name and hash of each embedding; which ones are read is for the prompt to say, where their names stand."""
    found = recipe.get("embeddings")
    return [(str(name), str(hash)) for name, hash in found.items()] if isinstance(found, dict) else []


def _as_a_card(said: Mapping[str, str]) -> bool:
    """Whether the noise is an NVIDIA card's.

    The two programs that draw it there unless told otherwise say nothing then; they are known by their version
    (AUTOMATIC1111's `v1.10.1`, Forge's `f2.0.1v1.10.1`).
    """
    named = said.get("rng", "").strip().upper()
    return named in ("NV", "GPU") if named else bool(_DRAW_THERE.match(said.get("version", "").strip()))


_DRAW_THERE = re.compile(r"v1\.\d|f[012]\.\d")


def _tiled(said: Mapping[str, str]) -> str:
    """In which way a picture's edges fit together; one way alone is what the extension for that writes."""
    if said.get("tiling") == "True":
        return "both"
    across, down = (said.get(f"tile {way}") == "True" for way in "xy")
    return "both" if across and down else "x" if across else "y" if down else ""


_TILES: Mapping[str, Mapping[str, str]] = {
    "both": {"Tiling": "True"},
    "x": {"Tile X": "True", "Tile Y": "False"},
    "y": {"Tile X": "False", "Tile Y": "True"},
}


def _painted_in(said: Mapping[str, str], fields: dict[str, Any]) -> list[str]:
    """What is painted of a masked picture, put into `fields`; an area that is none of ours."""
    fields |= {ours: said[name] for name, ours in _MASKED.items() if name in said}
    area = said.get("inpaint area", "Whole picture")
    if area == "Only masked":
        fields["masked_only"] = True
    return [] if area in ("Only masked", "Whole picture") else [f"Inpaint area: {area}"]


_MASKED = {"mask blur": "mask_blur", "masked area padding": "mask_padding"}


def _hash(values: Mapping[str, str]) -> str:
    """The hash of the model; "" where none is written, or one of the old kind that names no contents."""
    found = values.get("model hash", "").strip().lower()
    return found[:64] if re.fullmatch(r"[0-9a-f]{10,64}", found) else ""


def _resources(text: str) -> tuple[str, list[dict[str, Any]]]:
    """The model and the adaptations that Civitai's generator used: it names them outside of the prompt."""
    try:
        given = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return "", []
    model, loras = "", []
    for one in given[:_MOST_RESOURCES] if isinstance(given, list) else ():
        if not isinstance(one, dict) or not isinstance(name := one.get("modelName"), str):
            continue
        if one.get("type") == "checkpoint":
            model = model or name
        elif one.get("type") in ("lora", "lycoris", "locon", "dora"):
            loras.append({"name": name, "weight": one.get("weight", 1.0)})
    return model, loras


def _second(said: Mapping[str, str], fields: dict[str, Any]) -> list[str]:
    """Sizes, and the second painting, put into `fields`; what of it cannot be done here."""
    given = next((said[name] for name in ("hires upscale", "hires scale") if name in said), None)
    scale, size = number(given), _SIZE.fullmatch(said.get("size", "").strip())
    resized = next(filter(None, (_SIZE.fullmatch(said.get(f"hires {name}", "")) for name in _RESIZED)), None)
    told = [f"Hires upscale: {given}"] if given is not None and (scale is None or (scale <= 1 and scale != 1)) else []
    if "size" in said and not size:
        told.append(f"Size: {said['size']}")
    if size:
        width, height = int(size[1]), int(size[2])
        fields |= {"width": width, "height": height}
        if resized and int(resized[1]) and width:
            scale = scale if scale and scale > 1 else int(resized[1]) / width
            fields |= {"width": int(resized[1]), "height": int(resized[2])}
        elif scale and scale > 1:
            fields |= {"width": enlarged(width, scale), "height": enlarged(height, scale)}
    if scale and scale > 1 and not told:
        fields["hires_scale"] = scale
    strength = said.get("denoising strength")
    second = said.get("hires denoising strength", said.get("hires strength"))
    if "hires_scale" in fields and (second or strength) is not None:
        fields["hires_strength"] = second or strength
    if strength is not None and (second is not None or "hires_scale" not in fields):
        fields["strength"] = strength
    return told


_RESIZED = ("resize", "size", "fixed")


def _sampler(said: Mapping[str, str], fields: dict[str, Any]) -> tuple[str, ...]:
    """The sampler, put into `fields`; what of it we do not have. `Scheduler` is a schedule for some, or a class."""
    schedule, scheduler = said.get("schedule type") or said.get("sampler sigma", ""), said.get("scheduler", "")
    if scheduler and sampler_names.is_schedule(scheduler):
        schedule, scheduler = schedule or scheduler, ""
    if not (said.get("sampler") or scheduler):
        return ()
    name, missing = sampler(said.get("sampler") or scheduler, schedule)
    fields |= {"scheduler": name} if name else {}
    return missing


def _weights(said: Mapping[str, str], there: set[str]) -> list[dict[str, Any]]:
    """Adaptations that stand beside the prompt: "name: weight" as Fooocus writes it, or "name: hash: weight"."""
    found = []
    for part in said.get("lora weights", said.get("lora hashes", "")).split(","):
        names = [each.strip() for each in part.split(":")]
        weight = names[-1] if len(names) == (2 if "lora weights" in said else 3) else ""
        if number(weight) is not None and names[0] and lora(names[0])["name"] not in there:
            found.append(lora(names[0], weight))
    return found[:32]


def _plain(name: str) -> str:
    return " ".join(name.replace("-", " ").split()).casefold()


def _first_size(given: Mapping[str, Any], scale: float) -> str | None:
    sides = [given[side] for side in ("width", "height") if side in given]
    return "x".join(str(max(8, round(side / scale / 8) * 8)) for side in sides) if len(sides) == 2 else None


def _painted(given: Mapping[str, Any]) -> str:
    own = given.get("prompts")
    return str(own[0]) if isinstance(own, list | tuple) and own else str(given.get("prompt", ""))


def _with_loras(prompt: str, loras: Iterable[Mapping[str, Any]]) -> str:
    there = {one["name"] for one in without_loras(prompt)[1]}
    called = [(str(one["name"]).rpartition("/")[2], one["weight"]) for one in loras]  # they know no folders
    tags = [f"<lora:{name}:{_number(weight)}>" for name, weight in called if name not in there]
    return " ".join([prompt, *tags])


def _split(scheduler: str) -> tuple[str, str]:
    return (scheduler.removesuffix(" Karras"), "Karras") if scheduler.endswith(" Karras") else (scheduler, "")


def _version(recipe: Mapping[str, Any]) -> str:
    return f"Atelier {recipe['software'].get('studio', '')}".strip()


def _line(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {_quoted(value)}" for key, value in settings.items() if value is not None)


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
