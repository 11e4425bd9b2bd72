"""Presets of the caption tab: how its fields become one and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from studio.library import preset_values
from studio.requests import CaptionLength, CaptionStyle
from tabs.caption.fields import COUNTS, LANGUAGES, NONE, TASK, Fields, wanted_request
from tabs.shared import preset_row
from tabs.shared.context import Page

NAMES = (
    "style", "length", "language", "opening", "require", "forbid", "count", "max_tokens", "temperature",
)  # fmt: skip
"""The fields that a preset fills. Left alone: pictures and folders and what is done to the captions in them, the
question, the second model, and the seed."""
_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "style": get_args(CaptionStyle), "length": get_args(CaptionLength), "language": LANGUAGES, "count": COUNTS,
}  # fmt: skip
_USUAL: Mapping[str, Any] = {"style": "plain", "length": "normal", "language": NONE, "count": 1}


def preset_form(page: Page, fields: Fields) -> preset_row.Form:
    """The fields' values as a preset's, and back. The language is the page's own field: a request has none."""
    named = ("model", *NAMES)

    def read(values: Sequence[Any]) -> Mapping[str, Any]:
        given = dict(zip(named, values, strict=True))
        asked = preset_values.held(wanted_request({**given, "prompt": "", "seed": ""}))
        return {**asked, "language": given["language"]} if given["language"] in LANGUAGES[1:] else asked

    def fill(values: Mapping[str, Any], spoken: str) -> tuple[dict[Any, Any], str]:
        found = preset_values.settings(TASK, values) | {"language": values.get("language")}
        changes, line = preset_row.model(page, fields.picker, found.get("model"), spoken)
        filled: dict[str, Any] = {name: preset_row.typed(found.get(name)) for name in NAMES}
        for name, choices in _CHOICES.items():
            filled[name] = found.get(name) if found.get(name) in choices else _USUAL[name]
        return {**{fields.of[name]: filled[name] for name in NAMES}, **changes}, line

    parts = [fields.of[name] for name in named]
    return preset_row.Form(parts, parts, read, fill)
