"""ControlNet units in a `parameters` text, as the ControlNet extension of AUTOMATIC1111 and Forge writes them.

    ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 1, Resize Mode: Crop and Resize,
    Guidance Start: 0, Guidance End: 1, Control Mode: Balanced"

and, before 2023-09, `preprocessor: canny, model: …, weight: 1.0, starting/ending: (0.0, 1.0), resize mode: …`. Their
pictures are in no text. What is read is unchecked: studio.recipes.untrusted judges the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from studio.recipes import reference_text

UNIT = re.compile(r"controlnet \d{1,2}")
"""The name of a unit, in small letters."""
_PART = re.compile(r"([A-Za-z][\w /]{0,40}): ?(\([^()]{0,80}\)|[^,]{0,300})(?:,|$)")
_HASH = re.compile(r" ?\[[0-9a-f]{8}\]$")
MODULES = {
    "": "none", "canny": "canny", "lineart": "lineart_standard (from white bg & black line)",
    "scribble": "scribble_xdog", "tile": "tile_resample", "color_grid": "t2ia_color_grid",
    "luminance": "recolor_luminance", "invert": "invert (from white bg & black line)", "depth": "depth_anything_v2",
}  # fmt: skip
"""Our preprocessors, as they are called there."""
_OURS = {theirs.partition(" ")[0]: ours for ours, theirs in MODULES.items()}
_NEAR: Mapping[str, str] = dict.fromkeys(
    ("depth", "depth_midas", "depth_leres", "depth_leres++", "depth_zoe", "depth_anything"),
    "depth",
)
"""Theirs that ours comes near to: by another network for the same."""
_FITS = {"stretch": "Just Resize", "crop": "Crop and Resize", "fill": "Resize and Fill"}
_READ = {**{theirs.casefold(): ours for ours, theirs in _FITS.items()}, "0": "stretch", "1": "crop", "2": "fill"}


def write_units(controls: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Name -> value of each, from a recipe's controls."""
    return {f"ControlNet {number}": _unit(one) for number, one in enumerate(controls)}


def read_units(said: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Fields of each unit with a ControlNet, and what of them we do not have.

    Args:
        said: settings by their names in small letters.
    """
    controls: list[dict[str, Any]] = []
    unknown: list[str] = []
    for name in sorted(filter(UNIT.fullmatch, said), key=lambda name: int(name.split()[1])):
        parts = {key.strip().casefold(): value.strip() for key, value in _PART.findall(said[name])}
        model = _HASH.sub("", parts.get("model", ""))
        if model.casefold() in ("", "none"):
            continue
        if reference_text.shows_picture(parts):
            continue  # no ControlNet, and read there
        module = parts.get("module", parts.get("preprocessor", "none")) or "none"
        called = module.partition(" ")[0].casefold()
        ours = _OURS.get(called, _NEAR.get(called))
        if called not in _OURS:
            unknown.append(f"{name.title().replace('net', 'Net')}: {module}")
        start, end = _range(parts)
        controls.append({
            "model": model, "preprocessor": ours or "", "weight": parts.get("weight", "1"), "start": start, "end": end,
            "fit": _READ.get(parts.get("resize mode", "").casefold(), "crop"),
        })  # fmt: skip
    return controls, unknown


def _range(parts: Mapping[str, str]) -> tuple[str, str]:
    """From where to where in the painting: two numbers, or both in brackets."""
    both = parts.get("starting/ending", "").strip("()").split(",")
    if len(both) == 2:
        return both[0].strip(), both[1].strip()
    return parts.get("guidance start", "0"), parts.get("guidance end", "1")


def _unit(one: Mapping[str, Any]) -> str:
    parts = {
        "Module": MODULES.get(str(one.get("preprocessor", "")), "none"),
        "Model": one.get("model", ""),
        "Weight": f"{one.get('weight', 1):g}",
        "Resize Mode": _FITS.get(str(one.get("fit", "crop")), _FITS["crop"]),
        "Guidance Start": f"{one.get('start', 0):g}",
        "Guidance End": f"{one.get('end', 1):g}",
        "Pixel Perfect": "True",
        "Control Mode": "Balanced",
    }
    return ", ".join(f"{name}: {value}" for name, value in parts.items())
