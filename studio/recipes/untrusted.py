"""Values that strangers wrote, as fields of an ImageRequest: of the right type, and perhaps cut to what can be painted.

Knows no metadata format and no model: studio.tasks.limits still judges the request that is made of them. Never raises.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from studio.requests import Lora
from studio.tasks.bounds import MAX_SEED

MAX_LETTERS = 10_000
MAX_NAMES = 32
_MAX_DIGITS = 40
_DIGITS = re.compile(r"-?[0-9]+")

_WHOLE = {"width": (64, 4096), "height": (64, 4096), "steps": (1, 150), "count": (1, 16), "clip_skip": (0, 12)}
_SIDES = ("width", "height")
_SHARES = {
    "guidance_scale": (0.0, 30.0), "strength": (0.0, 1.0), "variation": (0.0, 1.0),
    "hires_scale": (1.0, 4.0), "hires_strength": (0.0, 1.0),
}  # fmt: skip
_SEEDS = ("seed", "variation_seed")
_TEXTS = ("prompt", "negative_prompt", "scheduler")
_NAMES = ("prompts", "styles")


def image_fields(given: Mapping[str, Any], cut: bool = True) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of an ImageRequest in `given`, and the names of those whose value was unusable or had to be cut.

    Numbers may be written as text. A size or a number of steps that is too large is cut; a seed never is, since
    another seed is another picture: -1 (any seed) is left out, and one that is no seed of ours counts as unusable.

    Args:
        cut: move numbers into the range that they have; without, only their type is judged.
    """
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in given.items():
        if name in _SEEDS:
            _take_seed(name, value, found, wrong)
        elif name in _WHOLE or name in _SHARES:
            _take_number(name, value, cut, found, wrong)
        elif name in _TEXTS:
            _take_text(name, value, found, wrong)
        elif name == "tiling":
            if isinstance(value, bool):
                found[name] = value
            else:
                wrong.append(name)
        elif name in _NAMES:
            _take_names(name, value, found, wrong)
        elif name == "loras":
            _take_loras(value, found, wrong)
    return found, tuple(wrong)


def clean(text: str, longest: int = MAX_LETTERS) -> str:
    """`text` without control characters and halves of surrogate pairs, and no longer than `longest`."""
    kept = (sign for sign in text[:longest] if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs"))
    return "".join(kept)


def number(value: object) -> float | None:
    """A finite number, also one written as text; None for everything else."""
    if isinstance(value, str):
        try:
            value = float(value) if len(value) <= _MAX_DIGITS else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**64 or math.isnan(value):
        return None
    return value


def whole(value: object) -> int | None:
    """A whole number with all of its digits, also one written as text; None for everything else."""
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and _DIGITS.fullmatch(value.strip()):
        return int(value)
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def _take_seed(name: str, value: object, found: dict[str, Any], wrong: list[str]) -> None:
    seed = whole(value)
    if seed is not None and 0 <= seed <= MAX_SEED:
        found[name] = seed
    elif seed != -1:
        wrong.append(name)


def _take_number(name: str, value: object, cut: bool, found: dict[str, Any], wrong: list[str]) -> None:
    given = number(value)
    if given is None:
        wrong.append(name)
        return
    if cut:
        low, high = _WHOLE[name] if name in _WHOLE else _SHARES[name]
        if not low <= given <= high:
            wrong.append(name)
        given = min(max(given, low), high)
        if name in _SIDES:
            given -= given % 8
    found[name] = int(given) if name in _WHOLE else float(given)


def _take_text(name: str, value: object, found: dict[str, Any], wrong: list[str]) -> None:
    if not isinstance(value, str):
        wrong.append(name)
        return
    if len(value) > MAX_LETTERS:
        wrong.append(name)
    found[name] = clean(value)


def _take_names(name: str, value: object, found: dict[str, Any], wrong: list[str]) -> None:
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value) and len(value) <= MAX_NAMES:
        found[name] = tuple(clean(one) for one in value)
    else:
        wrong.append(name)


def _take_loras(value: object, found: dict[str, Any], wrong: list[str]) -> None:
    if not isinstance(value, list | tuple) or len(value) > MAX_NAMES:
        wrong.append("loras")
        return
    loras = []
    for one in value:
        if isinstance(one, Lora):
            name, weight = one.name, number(one.weight)
        elif isinstance(one, dict) and isinstance(one.get("name"), str):
            name, weight = one["name"], number(one.get("weight", 1.0))
        else:
            name, weight = "", None
        if not name or weight is None:
            wrong.append("loras")
            continue
        loras.append(Lora(clean(name, 200), min(max(float(weight), -4.0), 4.0)))
    found["loras"] = tuple(loras)
