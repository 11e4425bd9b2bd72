"""The strict reading of a card's advice: with which settings its model paints well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from studio.catalog.toml_reader import suggestion

_RANGES = ("steps", "guidance_scale", "side")
_KNOWN = (*_RANGES, "sizes", "schedulers", "avoid", "clip_skip")


def advice_flaws(advice: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with the advice of a card, as the field and what it must be."""
    for name, value in advice.items():
        if name in _RANGES:
            if not (isinstance(value, list) and len(value) == 2 and all(map(_number, value)) and value[0] <= value[1]):
                yield name, "must be two numbers, the lower first, like [20, 40]"
        elif name == "sizes":
            pairs = isinstance(value, list) and all(isinstance(one, list) and len(one) == 2 for one in value)
            if not pairs or not all(isinstance(side, int) and side > 0 for one in value for side in one):
                yield name, "must be widths and heights, like [[512, 768]]"
        elif name in ("schedulers", "avoid"):
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                yield name, "must be a list of samplers"
        elif name == "clip_skip":
            if isinstance(value, bool) or not isinstance(value, int):
                yield name, "must be a whole number"
        else:
            yield name, "unknown advice" + suggestion(name, _KNOWN)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
