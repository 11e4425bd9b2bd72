"""Parts of a model and axes of a grid in a `parameters` text, as AUTOMATIC1111 writes them.

    VAE hash: 63aeecb90f, VAE: sdxl_vae.safetensors
    Refiner: sd_xl_refiner_1.0 [7440042bbd], Refiner switch at: 0.8
    Script: X/Y/Z plot, X Type: Steps, X Values: "4,8", Y Type: Seed, Y Values: "1,2", Fixed Y Values: "1, 2"

The axes stand in the text of a sheet, not in those of its pictures.

What is read is unchecked: studio.recipes.untrusted judges the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from studio.request_parts import Axis
from studio.tasks.image import grid_axes, vae_files
from studio.tasks.image.lora_files import SUFFIX
from studio.tasks.seeds import SEEDS


def write_vae(recipe: Mapping[str, Any]) -> dict[str, str]:
    """Name -> value of what a recipe says of its decoder; nothing where it is the model's own."""
    name, files = recipe["parameters"].get("vae"), recipe.get("vaes")
    if not isinstance(name, str) or not name:
        return {}
    hash = str(files.get(name, "")) if isinstance(files, dict) else ""
    return {**({"VAE hash": hash[:10]} if hash else {}), "VAE": f"{name}{SUFFIX}"}


def write_refiner(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> value of what a recipe says of its refiner; nothing where there is none."""
    given, files = recipe["parameters"], recipe.get("refiners")
    name = given.get("refiner")
    if not isinstance(name, str) or not name:
        return {}
    hash = str(files.get(name, "")) if isinstance(files, dict) else ""
    short = f"{name} [{hash[:10]}]" if hash else name
    return {"Refiner": short, "Refiner switch at": given.get("refiner_at")}


_HASH = re.compile(r" ?\[[0-9a-f]{8,64}\]$")
_AXES = {
    "seed": "Seed", "variation_seed": "Var. seed", "variation": "Var. strength", "steps": "Steps",
    "guidance_scale": "CFG Scale", "replace": "Prompt S/R", "scheduler": "Sampler", "model": "Checkpoint name",
    "clip_skip": "Clip skip", "strength": "Denoising", "vae": "VAE", "styles": "Styles",
    "refiner": "Refiner checkpoint", "refiner_at": "Refiner switch at",
}  # fmt: skip
"""Fields by the names that the script has for them; others by their own."""


def write_axes(axes: Iterable[Axis]) -> dict[str, str]:
    """Name -> value of the axes of a grid, in the order of its columns, rows and blocks."""
    found: dict[str, str] = {}
    for side, axis in zip("XYZ", axes, strict=False):
        values = grid_axes.values(axis)
        found[f"{side} Type"] = _AXES.get(axis.field, axis.field)
        found[f"{side} Values"] = ",".join(_entry(value) for value in values)
        if axis.field in SEEDS:
            found[f"Fixed {side} Values"] = ", ".join(values)
    return {"Script": "X/Y/Z plot", **found} if found else {}


def _entry(value: str) -> str:
    """A value in a list that is read as CSV."""
    return '"' + value.replace('"', '""') + '"' if any(sign in value for sign in ',"\n') else value


def read_parts(said: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a request.

    Args:
        said: settings by their names in small letters.
    """
    decoder = vae_files.plain_name(said.get("vae", ""))
    found: dict[str, Any] = {"vae": decoder} if decoder else {}
    refiner = vae_files.plain_name(_HASH.sub("", said.get("refiner", "").strip()))
    if refiner:
        found |= {"refiner": refiner, "refiner_at": said.get("refiner switch at", "0.8")}
    return found
