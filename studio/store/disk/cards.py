"""Cards of models that were found on the disk, with what their family is painted with."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from studio.catalog import editing
from studio.catalog.card import Card, Source
from studio.catalog.engines import ENGINES
from studio.catalog.licence import UNKNOWN
from studio.i18n import LANGUAGES
from studio.store.disk.look import Found
from studio.store.disk.parts import Completed, complete

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "sd1": {"width": 512, "height": 512, "steps": 25, "guidance_scale": 7.0},
    "sd2": {"width": 768, "height": 768, "steps": 25, "guidance_scale": 7.0},
    "sdxl": {"width": 1024, "height": 1024, "steps": 30, "guidance_scale": 6.0},
    "sd3": {"width": 1024, "height": 1024, "steps": 28, "guidance_scale": 4.5},
    "flux1": {"width": 1024, "height": 1024, "steps": 28, "guidance_scale": 3.5},
    "flux1 schnell": {"width": 1024, "height": 1024, "steps": 4, "guidance_scale": 0.0},
    "flux2": {"width": 1024, "height": 1024, "steps": 4, "guidance_scale": 1.0},
    "z-image": {"width": 1024, "height": 1024, "steps": 8, "guidance_scale": 0.0},
    "qwen-image": {"width": 1024, "height": 1024, "steps": 30, "guidance_scale": 4.0},
}  # fmt: skip
"""What the publishers recommend. By family, or by family and variant."""
_QUICK = re.compile(r"turbo|lightning|hyper|lcm|dmd", re.I)
_MULTIPLE = {"sd1": 8, "sd2": 8, "sdxl": 8}
_NAMES = {
    "sd1": "Stable Diffusion 1", "sd2": "Stable Diffusion 2", "sdxl": "Stable Diffusion XL",
    "sd3": "Stable Diffusion 3", "flux1": "FLUX.1", "flux2": "FLUX.2", "z-image": "Z-Image", "qwen-image": "Qwen-Image",
    "sdxl-refiner": "Stable Diffusion XL refiner",
}  # fmt: skip


def family_name(family: str, variant: str = "") -> str:
    """What people call a family, and the kind of it."""
    return " ".join(filter(None, (_NAMES.get(family, family), "" if variant == "folder" else variant)))


def defaults(found: Found) -> dict[str, Any]:
    """The fields of a request that suit a picture model."""
    family, variant = found.weights.family, found.weights.variant
    known = _DEFAULTS.get(f"{family} {variant}") or _DEFAULTS.get(family, {})
    if family in ("sd1", "sdxl") and _QUICK.search(found.path.stem):  # taught to need few steps
        return {**known, "steps": 8, "guidance_scale": 1.5}
    if family == "sd2" and found.weights.prediction == "epsilon":
        return {**known, "width": 512, "height": 512}
    return dict(known)


def limits(found: Found) -> dict[str, int]:
    """The largest picture that suits a model; of an upscaler its scale, and less by making its result smaller."""
    weights = found.weights
    if found.engine == "diffusion":
        known = {"max_width": 2048, "max_height": 2048, "multiple": _MULTIPLE.get(weights.family, 16)}
        if weights.variant == "folder":
            return known | editing.limits_of(found.path)
        return {**known, **(editing.EDITORS["Flux2KleinPipeline"] if weights.family == "flux2" else {})}
    if found.engine == "upscale_network":
        most = int(weights.variant.removeprefix("×"))
        return {"min_scale": min(2, most), "max_scale": most}
    return {}


def completed(found: Iterable[Found]) -> dict[str, Completed]:
    """Path -> what the picture models among these lack, and where it comes from."""
    everything = tuple(found)
    return {str(one.path): complete(one, everything) for one in everything if one.usable and one.missing}


def cards(found: Iterable[Found], taken: Collection[str]) -> dict[str, Card]:
    """A card for each that a tab can work with, by an id that is the same at the next start.

    Args:
        taken: ids that others have.
    """
    everything = tuple(found)
    lacking = completed(everything)
    made: dict[str, Card] = {}
    for one in everything:
        what = lacking.get(str(one.path), Completed({}))
        if not one.usable or what.lacking:
            continue
        id = card_id(one, {*taken, *made})
        made[id] = card(id, one, what)
    return made


def card_id(one: Found, taken: Collection[str]) -> str:
    """An id of a model's name; with a few signs of its path where another has it."""
    name = _plain(one.title)
    mark = hashlib.sha256(str(one.path).encode()).hexdigest()
    return (
        name if name not in taken else f"{name}-{mark[:4]}" if f"{name}-{mark[:4]}" not in taken else f"{name}-{mark}"
    )


def plain_id(title: str, taken: Collection[str]) -> str:
    """An id of a model's name; with a number where another has it."""
    name = _plain(title)
    return next(id for number in itertools.count(1) if (id := name if number == 1 else f"{name}-{number}") not in taken)


def _plain(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "model"


def card(id: str, one: Found, what: Completed) -> Card:
    """The card of a model that was found."""
    weights = one.weights
    size = weights.nbytes + sum(part.disk_bytes for part in what.parts)
    memory = int(size * (2.0 if weights.dtype.startswith("F8_") else 1.1 if one.engine == "llama" else 1.2))
    image = one.engine == "diffusion"
    return Card(
        id=id, title=one.title, tasks=one.tasks, engine=one.engine,
        source=Source("local", path=str(one.path)), licence=UNKNOWN, licence_url="", commercial=None,
        parameters=weights.parameters, disk_bytes=size, memory_bytes=memory, least_memory=memory,
        languages=(), summary=_summary(one), defaults=defaults(one) if image else {},
        limits=limits(one),
        options=dict(what.options), own=True, parts=what.parts, isolate=ENGINES[one.engine].native,
    )  # fmt: skip


def _summary(one: Found) -> Mapping[str, str]:
    kind = family_name(one.weights.family, one.weights.variant)
    place = str(one.path.parent)
    where = f" · {one.program}" if one.program else ""
    return dict.fromkeys(LANGUAGES, f"{kind}{where} · {place}")
