"""Extensions of AUTOMATIC1111 that come as `alwayson_scripts`: ControlNet and ADetailer, by what their texts in
pictures are read with (studio.recipes.control_text, detail_text)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.recipes import control_text, detail_text
from studio.recipes.untrusted import image_fields
from studio.request_parts import Control

_KNOWN = ("controlnet", "adetailer")
_MOST = 16
_UNIT = {
    "Module": "module", "Model": "model", "Weight": "weight", "Resize Mode": "resize_mode",
    "Guidance Start": "guidance_start", "Guidance End": "guidance_end",
}  # fmt: skip
_DETAIL = {
    "model": "ad_model", "prompt": "ad_prompt", "confidence": "ad_confidence",
    "denoising strength": "ad_denoising_strength", "mask blur": "ad_mask_blur",
    "inpaint padding": "ad_inpaint_only_masked_padding",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unit:
    """One ControlNet and its picture, as it was sent."""

    control: Control
    picture: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """What the extensions ask for: ControlNets, fields of the request, and what of it we do not have."""

    units: tuple[Unit, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def read(scripts: Mapping[str, Any]) -> Read:
    """What is switched on. Never raises."""
    units: list[Unit] = []
    fields: dict[str, Any] = {}
    ignored: list[str] = []
    for name, given in scripts.items():
        args = given.get("args") if isinstance(given, dict) else None
        args = args if isinstance(args, list) else []
        if name.casefold() == "controlnet":
            found, missing = _units(args)
            units += found
            ignored += missing
        elif name.casefold() == "adetailer":
            fields, missing = _details(args)
            ignored += missing
        elif any(one not in (None, False, "", 0) for one in args):
            ignored.append(name)
    return Read(tuple(units), fields, tuple(f"alwayson_scripts.{_short(one)}" for one in ignored))


def _units(args: list[Any]) -> tuple[list[Unit], list[str]]:
    units: list[Unit] = []
    ignored: list[str] = []
    for number, arg in enumerate(args[:_MOST]):
        if not isinstance(arg, dict) or arg.get("enabled") is False:
            continue
        parts = {ours: arg[theirs] for ours, theirs in _UNIT.items() if arg.get(theirs) is not None}
        text = ", ".join(f"{name}: {_flat(value)}" for name, value in parts.items())
        read_, missing = control_text.read_units({f"controlnet {number}": text})
        found, wrong = image_fields({"controls": read_}, cut=False)
        ignored += [f"ControlNet.{number}"] if missing or wrong else []
        units += [Unit(one, _picture(arg)) for one in found.get("controls", ())]
    return units, ignored


def _details(args: list[Any]) -> tuple[dict[str, Any], list[str]]:
    if not args or args[0] is False:
        return {}, []
    said: dict[str, str] = {}
    suffixes = ("", " 2nd", " 3rd", " 4th")
    given = [arg for arg in args if isinstance(arg, dict)]
    for suffix, arg in zip(suffixes, given, strict=False):
        for name, theirs in _DETAIL.items():
            if arg.get(theirs) is not None:
                said[f"adetailer {name}{suffix}"] = _flat(arg[theirs])
    found, foreign = detail_text.read_details(said)
    fields, wrong = image_fields(found, cut=False)
    return fields, ["ADetailer"] if foreign or wrong else []


def _picture(arg: Mapping[str, Any]) -> str:
    """The picture of a unit: under one of the names that its versions gave it."""
    value = arg.get("image") or arg.get("input_image") or ""
    value = value.get("image", "") if isinstance(value, dict) else value
    return value if isinstance(value, str) else ""


def _flat(value: Any) -> str:
    return str(value)[:200].replace(",", " ") if isinstance(value, str | int | float) else ""


def _short(name: str) -> str:
    return "".join(sign if " " < sign < "\x7f" and sign != "," else "?" for sign in name[:60])
