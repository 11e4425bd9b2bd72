"""Faces and hands painted again, in the text that web UIs share."""

from __future__ import annotations

from typing import Any

from studio.recipes import infotext, inspect
from studio.request_parts import Detail

RECIPE: dict[str, Any] = {
    "task": "image", "seed": 7, "model": {"id": "x", "title": "X"}, "software": {"studio": "1"},
    "parameters": {
        "prompt": "a cat", "steps": 20, "mask_blur": 6, "mask_padding": 48,
        "details": [
            {"detector": "faces", "strength": 0.45, "prompt": "smiling, green eyes", "confidence": 0.6},
            {"detector": "hands", "strength": 0.3, "prompt": "", "confidence": 0.5},
        ],
    },
}  # fmt: skip
FOREIGN = (
    "a woman\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, ADetailer model: face_yolov8n.pt, "
    "ADetailer confidence: 0.3, ADetailer dilate erode: 4, ADetailer mask blur: 4, ADetailer denoising strength: 0.4, "
    "ADetailer inpaint only masked: True, ADetailer inpaint padding: 32, ADetailer model 2nd: mediapipe_face_full, "
    "ADetailer confidence 2nd: 0.3, ADetailer version: 24.5.1, Version: v1.9.4"
)
"""As the extension writes them."""


def test_they_come_back_as_they_were() -> None:
    text = infotext.write(RECIPE)
    assert 'ADetailer model: faces, ADetailer prompt: "smiling, green eyes", ADetailer confidence: 0.6' in text
    assert "ADetailer model 2nd: hands, ADetailer confidence 2nd: 0.5" in text
    found = inspect.from_text(text)
    assert found is not None
    assert found.fields["details"] == (
        Detail("faces", 0.45, "smiling, green eyes", 0.6),
        Detail("hands", 0.3, "", 0.5),
    )
    assert (found.fields["mask_blur"], found.fields["mask_padding"], found.unknown) == (6, 48, ())


def test_the_extensions_own_detectors_are_named_and_not_guessed_at() -> None:
    found = inspect.from_text(FOREIGN)
    assert found is not None
    assert "details" not in found.fields
    assert found.unknown == ("ADetailer model: face_yolov8n.pt", "ADetailer model 2nd: mediapipe_face_full")


def test_without_any_nothing_is_said() -> None:
    assert "ADetailer" not in infotext.write({**RECIPE, "parameters": {"prompt": "a cat", "mask_blur": 6}})
