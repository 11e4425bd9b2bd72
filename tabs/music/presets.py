"""Presets of the music tab: how its fields become one and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.library import preset_values
from tabs.music.fields import TASK, Fields, fields_of, wanted_request
from tabs.shared import preset_row
from tabs.shared.context import Page

NAMES = (
    "negative_prompt", "duration", "bars", "tempo", "key", "metre", "players", "loop", "guidance_scale", "steps",
    "temperature", "top_k", "count",
)  # fmt: skip
"""The fields that a preset fills. Left alone: prompt, lyrics and melody, the seed, and a sound to start from."""


def preset_form(page: Page, fields: Fields) -> preset_row.Form:
    """The fields' values as a preset's, and back."""
    named = ("model", *NAMES)

    def read(values: Sequence[Any]) -> Mapping[str, Any]:
        return preset_values.held(wanted_request(dict(zip(named, values, strict=True))))

    def fill(values: Mapping[str, Any], spoken: str) -> tuple[dict[Any, Any], str]:
        found = preset_values.settings(TASK, values)
        changes, line = preset_row.model(page, fields.picker, found.get("model"), spoken)
        filled = fields_of({"parameters": found, "seed": ""}) | {"count": preset_row.typed(found.get("count"))}
        return {**{fields.of[name]: filled[name] for name in NAMES}, **changes}, line

    parts = [fields.of[name] for name in named]
    return preset_row.Form(parts, parts, read, fill)
