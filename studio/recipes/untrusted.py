"""Values that strangers wrote, as fields of an ImageRequest: of the right type, and cut to the limits of pictures.

Knows no metadata format and no model: studio.tasks.limits still judges the request that is made of them. Never raises.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from studio.request_parts import CONTROL_FITS, PREPROCESSORS, REFERENCE_USES, Control, Detail, Lora, Reference, Region
from studio.requests import RNGS, SEAMLESS
from studio.tasks.bounds import MAX_SEED, NAME, WORDS
from studio.tasks.image.limits import (
    CONTROL_NUMBERS,
    CONTROLS,
    DETAIL_NUMBERS,
    DETAILS,
    FILLED_PROMPT,
    LORA_NAME,
    LORA_WEIGHT,
    LORAS,
    NUMBERS,
    PICTURES,
    REFERENCE_NUMBERS,
    REFERENCES,
    REGION_WEIGHT,
    REGIONS,
    STYLES,
    TEXTS,
)
from studio.tasks.seeds import SEEDS

MAX_NAMES = 32
"""Of a list that is read at all."""
_MAX_DIGITS = 40
_DIGITS = re.compile(r"-?[0-9]+")

_NAMES = {"prompts": (NUMBERS["count"], FILLED_PROMPT), "styles": (STYLES, NAME)}


def image_fields(given: Mapping[str, Any], cut: bool = True) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of an ImageRequest in `given`, and the names of those whose value was unusable or had to be cut.

    Numbers may be written as text. A size or a number of steps that is too large is cut; a seed never is, since
    another seed is another picture: -1 (any seed) is left out, and one that is no seed of ours counts as unusable.

    Args:
        cut: move numbers and lists into the bounds that they have (studio.tasks.image.limits); without, only their type
            is judged.
    """
    found: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in given.items():
        if name in SEEDS:
            _take_seed(name, value, found, wrong)
        elif name in NUMBERS:
            _take_number(name, value, cut, found, wrong)
        elif name in TEXTS:
            _take_text(name, value, found, wrong)
        elif name in ("tiling", "masked_only"):
            if isinstance(value, bool):
                found[name] = value
            else:
                wrong.append(name)
        elif name in ("seamless", "rng"):
            if value in (SEAMLESS if name == "seamless" else RNGS):
                found[name] = value
            else:
                wrong.append(name)
        elif name in _NAMES:
            _take_names(name, value, cut, found, wrong)
        elif name == "loras":
            _take_loras(value, cut, found, wrong)
        elif name == "pictures":
            _take_pictures(value, cut, found, wrong)
        elif name == "controls":
            _take_controls(value, cut, found, wrong)
        elif name == "references":
            _take_references(value, cut, found, wrong)
        elif name == "regions":
            _take_regions(value, found, wrong)
        elif name == "details":
            _take_details(value, found, wrong)
    return found, tuple(wrong)


def clean(text: str, longest: int = WORDS.high) -> str:
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
    row = NUMBERS[name]
    if cut:
        if not row.low <= given <= row.high:
            wrong.append(name)
        given = min(max(given, row.low), row.high)
        if row.multiple > 1:
            given -= given % row.multiple
    found[name] = int(given) if row.whole else float(given)


def _take_text(name: str, value: object, found: dict[str, Any], wrong: list[str]) -> None:
    if not isinstance(value, str):
        wrong.append(name)
        return
    if len(value) > TEXTS[name].high:
        wrong.append(name)
    found[name] = clean(value, TEXTS[name].high)


def _take_names(name: str, value: object, cut: bool, found: dict[str, Any], wrong: list[str]) -> None:
    count, letters = _NAMES[name]
    if not isinstance(value, list | tuple) or len(value) > MAX_NAMES or not all(isinstance(one, str) for one in value):
        wrong.append(name)
        return
    if cut and len(value) > count.high:
        wrong.append(name)
        value = value[: int(count.high)]
    found[name] = tuple(clean(one, letters.high) for one in value)


def _take_loras(value: object, cut: bool, found: dict[str, Any], wrong: list[str]) -> None:
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
        loras.append(Lora(clean(name, LORA_NAME.high), min(max(float(weight), LORA_WEIGHT.low), LORA_WEIGHT.high)))
    if cut and len(loras) > LORAS.high:
        wrong.append("loras")
        del loras[int(LORAS.high) :]
    found["loras"] = tuple(loras)


def _take_pictures(value: object, cut: bool, found: dict[str, Any], wrong: list[str]) -> None:
    """Places of pictures to be edited, without the pictures, which a text can only name."""
    if not isinstance(value, list | tuple) or len(value) > MAX_NAMES:
        wrong.append("pictures")
        return
    if cut and len(value) > PICTURES.high:
        wrong.append("pictures")
        value = value[: int(PICTURES.high)]
    found["pictures"] = (b"",) * len(value)


def _take_controls(value: object, cut: bool, found: dict[str, Any], wrong: list[str]) -> None:
    """Controls without their pictures, which a text can only name: all, or none where one is wrong."""
    if not isinstance(value, list | tuple) or len(value) > MAX_NAMES:
        wrong.append("controls")
        return
    controls = []
    for one in value:
        given = one if isinstance(one, dict) else {}
        model, preprocessor, fit = given.get("model"), given.get("preprocessor", ""), given.get("fit", "crop")
        numbers = {
            name.removeprefix("control_"): number(given.get(name.removeprefix("control_"), row.default))
            for name, row in CONTROL_NUMBERS.items()
        }
        sound = preprocessor in PREPROCESSORS and fit in CONTROL_FITS
        if not isinstance(model, str) or not model.strip() or not sound or None in numbers.values():
            wrong.append("controls")  # of none then: their pictures are named by their places
            return
        held = {
            name: min(max(float(numbers[name] or 0.0), row.low), row.high)
            for name, row in ((name.removeprefix("control_"), row) for name, row in CONTROL_NUMBERS.items())
        }
        controls.append(Control(clean(model, NAME.high), b"", preprocessor, fit=fit, **held))
    if cut and len(controls) > CONTROLS.high:
        wrong.append("controls")
        del controls[int(CONTROLS.high) :]
    found["controls"] = tuple(controls)


def _take_references(value: object, cut: bool, found: dict[str, Any], wrong: list[str]) -> None:
    """Reference pictures, as controls: without the pictures themselves, all or none."""
    if not isinstance(value, list | tuple) or len(value) > MAX_NAMES:
        wrong.append("references")
        return
    references = []
    for one in value:
        given = one if isinstance(one, dict) else {}
        model, use = given.get("model"), given.get("use", "")
        held = {}
        for name, row in ((name.removeprefix("reference_"), row) for name, row in REFERENCE_NUMBERS.items()):
            told = number(given.get(name, row.default))
            held[name] = None if told is None else min(max(float(told), row.low), row.high)
        if not isinstance(model, str) or not model.strip() or use not in REFERENCE_USES or None in held.values():
            wrong.append("references")
            return
        references.append(Reference(clean(model, NAME.high), use=use, **held))
    if cut and len(references) > REFERENCES.high:
        wrong.append("references")
        del references[int(REFERENCES.high) :]
    found["references"] = tuple(references)


def _take_regions(value: object, found: dict[str, Any], wrong: list[str]) -> None:
    """Regions without their masks, which a text can only name: all, or none where one is wrong."""
    regions = []
    listed = value if isinstance(value, list | tuple) else [None]
    for one in listed[: MAX_NAMES + 1]:
        given = one if isinstance(one, dict) else {}
        prompt, weight = given.get("prompt"), number(given.get("weight", REGION_WEIGHT.default))
        if not isinstance(prompt, str) or weight is None:
            wrong.append("regions")  # of none then: their masks are named by their places
            return
        held = min(max(float(weight), REGION_WEIGHT.low), REGION_WEIGHT.high)
        regions.append(Region(clean(prompt), b"", held))
    if len(regions) > REGIONS.high:
        wrong.append("regions")
        return
    found["regions"] = tuple(regions)


def _take_details(value: object, found: dict[str, Any], wrong: list[str]) -> None:
    details = []
    for one in (value if isinstance(value, list | tuple) else [None])[: MAX_NAMES + 1]:
        given = one if isinstance(one, dict) else {}
        detector, prompt = given.get("detector"), given.get("prompt", "")
        numbers = {
            name: (number(given.get(name, row.default)), row)
            for name, row in ((name.removeprefix("detail_"), row) for name, row in DETAIL_NUMBERS.items())
        }
        if not isinstance(detector, str) or not detector or not isinstance(prompt, str):
            wrong.append("details")
            continue
        if any(held is None for held, _ in numbers.values()):
            wrong.append("details")
            continue
        kept = {name: min(max(float(held or 0.0), row.low), row.high) for name, (held, row) in numbers.items()}
        details.append(Detail(clean(detector, NAME.high), prompt=clean(prompt), **kept))
    if len(details) > DETAILS.high:
        wrong.append("details")
        del details[int(DETAILS.high) :]
    found["details"] = tuple(details)
