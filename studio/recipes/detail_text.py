"""What is painted again in a finished picture, in a `parameters` text: as the extension ADetailer writes it.

    ADetailer model: faces, ADetailer prompt: smiling, ADetailer confidence: 0.5, ADetailer denoising strength: 0.4,
    ADetailer mask blur: 4, ADetailer inpaint only masked: True, ADetailer inpaint padding: 32, ADetailer model 2nd: x

Its detectors are other files (YOLO's, MediaPipe's) than our folders; one that is named like none of them is not guessed
at. What is read is unchecked: studio.recipes.untrusted judges the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

KNOWN = re.compile(
    r"adetailer (model|prompt|confidence|denoising strength|mask blur|inpaint only masked|inpaint padding|dilate erode|"
    r"version)( \d(nd|rd|th))?"
)
"""Names, in small letters, of which `read_details` makes something, or that change nothing here."""
_FOREIGN = re.compile(r"(?i)mediapipe.*|.*\.(pt|pth|onnx|torchscript)")
_ORDINALS = ("", " 2nd", " 3rd", *(f" {number}th" for number in range(4, 10)))


def write_details(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> value of what a recipe says of each; nothing where there is none."""
    given, found = recipe["parameters"], {}
    for suffix, one in zip(_ORDINALS, given.get("details") or (), strict=False):
        found |= {
            f"ADetailer model{suffix}": one.get("detector"),
            f"ADetailer prompt{suffix}": one.get("prompt") or None,
            f"ADetailer confidence{suffix}": one.get("confidence"),
            f"ADetailer mask blur{suffix}": given.get("mask_blur"),
            f"ADetailer denoising strength{suffix}": one.get("strength"),
            f"ADetailer inpaint only masked{suffix}": "True",
            f"ADetailer inpaint padding{suffix}": given.get("mask_padding"),
        }
    return found


def read_details(said: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Fields of a request, and what is there of detectors that are none of ours, as "Name: value".

    Args:
        said: settings by their names in small letters.
    """
    details, foreign, shared = [], [], dict[str, Any]()
    for suffix, model in _models(said):
        if _FOREIGN.fullmatch(model):
            foreign.append(f"ADetailer model{suffix}: {model}")
            continue
        given = lambda name, otherwise, suffix=suffix: said.get(f"adetailer {name}{suffix}", otherwise)  # noqa: E731
        details.append({
            "detector": model, "prompt": given("prompt", ""), "confidence": given("confidence", "0.3"),
            "strength": given("denoising strength", "0.4"),
        })  # fmt: skip
        shared = shared or {"mask_blur": given("mask blur", "4"), "mask_padding": given("inpaint padding", "32")}
    return {"details": details, **shared} if details else {}, foreign


def _models(said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for suffix in _ORDINALS:
        model = said.get(f"adetailer model{suffix}", "").strip()
        if model and model.casefold() != "none":
            yield suffix, model
