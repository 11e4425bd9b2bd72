"""Presets of the code tab: how its fields become one and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.library import preset_values
from tabs.code.fields import EMPTY, TASK, Fields, request
from tabs.shared import preset_row
from tabs.shared.context import Page

NAMES = ("fill_in_middle", "count", "max_tokens", "temperature", "top_p")
"""The fields that a preset fills. Left alone: the text, its language and the files beside it, and the seed."""


def preset_form(page: Page, fields: Fields) -> preset_row.Form:
    """The fields' values as a preset's, and back."""
    named = ("model", *NAMES)

    def read(values: Sequence[Any]) -> Mapping[str, Any]:
        return preset_values.held(request(dict(zip(named, values, strict=True)), "", "", ""))

    def fill(values: Mapping[str, Any], spoken: str) -> tuple[dict[Any, Any], str]:
        found = preset_values.settings(TASK, values)
        changes, line = preset_row.model(page, fields.picker, found.get("model"), spoken)
        filled = {name: preset_row.typed(found.get(name)) for name in NAMES}
        filled["fill_in_middle"] = found.get("fill_in_middle", EMPTY["fill_in_middle"])
        return {**{fields.of[name]: filled[name] for name in NAMES}, **changes}, line

    parts = [fields.of[name] for name in named]
    return preset_row.Form(parts, parts, read, fill)
