"""Reference pictures in a `parameters` text: the ControlNet extension of AUTOMATIC1111 and Forge writes them as units.

    ControlNet 0: "Module: ip-adapter_clip_sd15, Model: ip-adapter_sd15 [6a3f6166], Weight: 1, Resize Mode: Crop and
    Resize, Processor Res: 512, Guidance Start: 0, Guidance End: 1, Pixel Perfect: False, Control Mode: Balanced"

Forge calls the module `CLIP-ViT-H (IPAdapter)`. Neither text names masks, nor that only style or composition counts:
these are in our recipes alone. Faces told apart by a network of their own (FaceID) are none of ours. What is read is
unchecked: studio.recipes.untrusted judges the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_MODULE = re.compile(r"ip-adapter|.*\(ipadapter\)")
_NONE = ("", "none")
_UNIT = re.compile(r"controlnet \d{1,2}")
_PART = re.compile(r"([A-Za-z][\w /]{0,40}): ?([^,]{0,300})(?:,|$)")
_HASH = re.compile(r" ?\[[0-9a-f]{8}\]$")


def write_units(references: Iterable[Mapping[str, Any]], behind: int = 0) -> dict[str, str]:
    """Name -> value of each, from a recipe's references.

    Args:
        behind: units that ControlNets have already.
    """
    return {f"ControlNet {number}": _unit(one) for number, one in enumerate(references, behind)}


def read_units(said: Mapping[str, str]) -> list[dict[str, Any]]:
    """Fields of each unit that shows a picture.

    Args:
        said: settings by their names in small letters.
    """
    found = []
    for name in sorted(filter(_UNIT.fullmatch, said), key=lambda name: int(name.split()[1])):
        parts = {key.strip().casefold(): value.strip() for key, value in _PART.findall(said[name])}
        model = _HASH.sub("", parts.get("model", ""))
        if model.casefold() not in _NONE and shows_picture(parts):
            found.append({
                "model": model, "weight": parts.get("weight", "1"), "start": parts.get("guidance start", "0"),
                "end": parts.get("guidance end", "1"),
            })  # fmt: skip
    return found


def shows_picture(parts: Mapping[str, str]) -> bool:
    """Whether a unit is no ControlNet but an IP-Adapter: by its module, and without one by the name of its model.

    Args:
        parts: by their names in small letters.
    """
    module = parts.get("module", parts.get("preprocessor", "")).casefold()
    if "face_id" in module or "faceid" in module:
        return False
    model = parts.get("model", "").casefold()
    return bool(_MODULE.match(module)) or (module in _NONE and re.match(r"ip[-_]?adapter", model) is not None)


def _unit(one: Mapping[str, Any]) -> str:
    parts = {
        "Module": "ip-adapter-auto",
        "Model": one.get("model", ""),
        "Weight": f"{one.get('weight', 1):g}",
        "Resize Mode": "Crop and Resize",
        "Guidance Start": f"{one.get('start', 0):g}",
        "Guidance End": f"{one.get('end', 1):g}",
        "Pixel Perfect": "True",
        "Control Mode": "Balanced",
    }
    return ", ".join(f"{name}: {value}" for name, value in parts.items())
