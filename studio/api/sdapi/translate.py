"""Translation of AUTOMATIC1111's bodies to requests, and back: names, defaults, and what of it we do not have.

Pure: no studio and no model is asked. The words for a model are found elsewhere (`Words.model`). A client sends every
field it knows, most of them as they always are; only what would have changed the picture is named as ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from studio.api.sdapi import extensions
from studio.api.sdapi.bodies import Painting, Repainting
from studio.recipes import infotext, sampler_names
from studio.recipes.infotext import enlarged
from studio.requests import ImageRequest
from studio.results import Artifact
from studio.tasks.image.schedulers import OWN, SCHEDULERS

_SAME: Mapping[str, tuple[Any, ...]] = {
    "eta": (1, 1.0, 0), "s_noise": (1, 1.0), "s_tmax": (math.inf,), "save_images": (True,),
    "override_settings_restore_afterwards": (True,), "do_not_save_grid": (True,), "inpainting_fill": (1,),
    "initial_noise_multiplier": (1, 1.0), "seed_resize_from_w": (-1,), "seed_resize_from_h": (-1,),
    "image_cfg_scale": (1.5,), "hr_upscaler": ("Lanczos",), "hr_checkpoint_name": ("Use same checkpoint",),
    "hr_sampler_name": ("Use same sampler",), "hr_scheduler": ("Use same scheduler",), "script_name": ("None", "none"),
    "restore_faces": (False,), "resize_mode": (1,), "force_task_id": (),
}  # fmt: skip
"""Values of further fields that change nothing here."""
_SECOND = ("hr_second_pass_steps", "hr_upscaler", "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler", "hr_prompt",
           "hr_negative_prompt", "hr_additional_modules", "hr_cfg", "hr_distilled_cfg")  # fmt: skip
"""Fields that mean something together with `enable_hr` alone."""
_BEGUN = ("inpainting_fill", "initial_noise_multiplier", "image_cfg_scale", "resize_mode")
"""The same of pictures that begin with one."""
_SETTINGS = ("sd_model_checkpoint", "sd_vae", "CLIP_stop_at_last_layers", "randn_source")
_NO_VAE = ("", "automatic", "none")


@dataclass(frozen=True, slots=True)
class Words:
    """A body in our words.

    Attributes:
        request: what is painted, without its pictures.
        model: what the model is called there; "" for whichever is chosen.
        pictures, mask: those that it begins with, as they were sent.
        invert: the mask marks what is kept.
        stretched: a picture of another shape is pulled to the size that is painted.
        ignored: fields that would have changed the picture.
    """

    request: ImageRequest
    model: str = ""
    pictures: tuple[str, ...] = ()
    mask: str = ""
    invert: bool = False
    stretched: bool = False
    ignored: tuple[str, ...] = ()
    units: tuple[extensions.Unit, ...] = field(default=(), repr=False)


def words(body: Painting, options: Mapping[str, Any] | None = None) -> Words:
    """What a body asks for.

    Args:
        options: what was set before for all that follow; the body's own settings come first.
    """
    settings = {**(options or {}), **(body.override_settings or {})}
    scheduler, ignored = _scheduler(body)
    ignored += _ignored(body)
    scripts = extensions.read(body.alwayson_scripts or {})
    given: dict[str, Any] = {
        "prompt": body.prompt, "negative_prompt": body.negative_prompt or "", "styles": tuple(body.styles or ()),
        "steps": body.steps, "guidance_scale": body.cfg_scale, "scheduler": scheduler, "seed": _seed(body.seed),
        "count": (body.batch_size or 1) * (body.n_iter or 1), "seamless": "both" if body.tiling else "",
        "clip_skip": _clip_skip(body.clip_skip, settings.get("CLIP_stop_at_last_layers", 1)),
        "vae": _vae(settings), **_sides(body), **_refiner(body), **scripts.fields,
        "rng": "nv" if str(settings.get("randn_source", "")).upper() == "NV" else "",
    }  # fmt: skip
    if body.subseed_strength:
        given |= {"variation": body.subseed_strength, "variation_seed": _seed(body.subseed)}
    begun = isinstance(body, Repainting)
    if begun:
        given |= _painted_over(body)
    return Words(
        ImageRequest(**given), str(settings.get("sd_model_checkpoint") or ""),
        tuple(body.init_images or ()) if begun else (), (body.mask or "") if begun else "",
        begun and bool(body.inpainting_mask_invert), begun and not body.resize_mode,
        (*ignored, *scripts.ignored), scripts.units,
    )  # fmt: skip


def echo(body: Painting) -> dict[str, Any]:
    """The body as A1111 sends it back: without the pictures that came with it, unless they are wanted."""
    told = body.model_dump()
    if isinstance(body, Repainting) and not body.include_init_images:
        told |= {"init_images": None, "mask": None}
    return _plain(told)


def info(made: Sequence[Artifact], version: str) -> str:
    """What A1111 tells of finished pictures, as JSON in a text."""
    recipes = [one for artifact in made for one in artifact.recipes]
    first = recipes[0]
    given, model = first["parameters"], first["model"]
    told = {
        "prompt": given.get("prompt", ""), "all_prompts": [_painted(one) for one in recipes],
        "negative_prompt": given.get("negative_prompt", ""),
        "all_negative_prompts": [one["parameters"].get("negative_prompt", "") for one in recipes],
        "seed": first["seed"], "all_seeds": [one["seed"] for one in recipes],
        "subseed": given.get("variation_seed", -1),
        "all_subseeds": [one["parameters"].get("variation_seed", -1) for one in recipes],
        "subseed_strength": given.get("variation", 0.0), "width": given.get("width"), "height": given.get("height"),
        "sampler_name": given.get("scheduler", ""), "cfg_scale": given.get("guidance_scale"),
        "steps": given.get("steps"), "batch_size": len(recipes), "restore_faces": False, "face_restoration_model": None,
        "sd_model_name": model["id"], "sd_model_hash": model.get("hash", ""), "sd_vae_name": given.get("vae") or None,
        "sd_vae_hash": None, "seed_resize_from_w": -1, "seed_resize_from_h": -1,
        "denoising_strength": _strength(given), "extra_generation_params": {},
        "index_of_first_image": 0, "infotexts": [infotext.write(one) for one in recipes],
        "styles": list(given.get("styles", ())), "job_timestamp": f"{datetime.now():%Y%m%d%H%M%S}",
        "clip_skip": given.get("clip_skip", 0) + 1, "is_using_inpainting_conditioning": False, "version": version,
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False)


def samplers() -> list[dict[str, Any]]:
    """Ours, the model's own first, as A1111 lists them: without their schedules, which it lists apart."""
    names = [OWN, *(name for name in SCHEDULERS if not name.endswith(" Karras"))]
    return [{"name": name, "aliases": [name.casefold().replace(" ", "_")], "options": {}} for name in names]


def schedulers() -> list[dict[str, Any]]:
    """The noise schedules that some samplers can be told."""
    return [
        {"name": name, "label": label, "aliases": None, "default_rho": rho, "need_inner_model": False}
        for name, label, rho in (("automatic", "Automatic", -1.0), ("karras", "Karras", 7.0))
    ]


def _scheduler(body: Painting) -> tuple[str, list[str]]:
    name = body.sampler_name or (body.sampler_index if isinstance(body.sampler_index, str) else "")
    if not name:
        return "", []
    found, missing = sampler_names.sampler(name, body.scheduler or "")
    return found, [_ascii(one.replace("Sampler: ", "sampler_name=").replace("Schedule type: ", "scheduler="))
                   for one in missing]  # fmt: skip


def _sides(body: Painting) -> dict[str, Any]:
    """The finished picture's sides and the second painting: A1111's are those of the first."""
    width, height = body.width or None, body.height or None
    if not body.enable_hr or isinstance(body, Repainting):
        return {"width": width, "height": height}
    scale = 2.0 if body.hr_scale is None else body.hr_scale
    wide, high = body.hr_resize_x or 0, body.hr_resize_y or 0
    if width and height and (wide > 0 or high > 0):
        scale = max(wide / width, high / height)
    if not 1 < scale <= 100:
        return {"width": width, "height": height}
    sides = {"width": width and enlarged(width, scale), "height": height and enlarged(height, scale)}
    return {**sides, "hires_scale": scale, "hires_strength": body.denoising_strength}


def _painted_over(body: Repainting) -> dict[str, Any]:
    strength = 0.75 if body.denoising_strength is None else body.denoising_strength
    if not body.mask:
        return {"strength": strength}
    blur = next((one for one in (body.mask_blur, body.mask_blur_x, body.mask_blur_y) if one is not None), 4)
    return {
        "strength": strength, "mask_blur": round(blur) if math.isfinite(blur) else blur,
        "masked_only": body.inpaint_full_res is not False, "mask_padding": body.inpaint_full_res_padding or 0,
    }  # fmt: skip


def _refiner(body: Painting) -> dict[str, Any]:
    name = body.refiner_checkpoint or ""
    if name.casefold() in ("", "none"):
        return {}
    at = body.refiner_switch_at
    return {"refiner": name, "refiner_at": 0.8 if at is None else at}


def _seed(seed: int | None) -> int | None:
    return None if seed is None or seed == -1 else seed


def _clip_skip(own: int | None, set_: Any) -> int:
    """Layers that are left out: there 1 means none."""
    value = set_ if own is None else own
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return max(int(value) - 1, 0) if known else 0


def _vae(settings: Mapping[str, Any]) -> str:
    name = str(settings.get("sd_vae") or "")
    return "" if name.casefold() in _NO_VAE else name.rpartition("/")[2].removesuffix(".safetensors")


def _ignored(body: Painting) -> list[str]:
    """Further fields that would have done something."""
    begun = isinstance(body, Repainting) and bool(body.init_images)
    mute = {*(() if body.enable_hr else _SECOND), *(() if begun else _BEGUN)}
    extra = {**(body.model_extra or {}), "resize_mode": getattr(body, "resize_mode", None)}
    found = [name for name, value in extra.items() if name not in mute and _counts(name, value)]
    told = [f"override_settings.{name}" for name in body.override_settings or () if name not in _SETTINGS]
    return [_ascii(name) for name in (*found, *told)]


def _counts(name: str, value: Any) -> bool:
    if value in (None, "", 0, False, -1) or value in ([], {}):
        return False
    return name != "force_task_id" and not any(value == one for one in _SAME.get(name, ()))


def _ascii(text: str) -> str:
    """A name for a header."""
    return "".join(sign if " " < sign < "\x7f" and sign != "," else "?" for sign in text[:60])


def _painted(recipe: Mapping[str, Any]) -> str:
    given = recipe["parameters"]
    return str(next(iter(given.get("prompts") or ()), given.get("prompt", "")))


def _strength(given: Mapping[str, Any]) -> float | None:
    """How far it went from the picture that it began with; None where it began with none."""
    if given.get("hires_scale", 1) > 1:
        return given.get("hires_strength")
    begun = given.get("image")
    return given.get("strength") if isinstance(begun, dict) and begun.get("bytes") else None


def _plain(value: Any) -> Any:
    """A value as JSON can say it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value
