"""A picture made again from its recipe: the request for it, and whether the pixels came out the same.

The same files, software, device and settings give the same pixels. Where they do not, the recipes say what is not the
same. The caller runs the request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from studio.errors import StudioError
from studio.media.image import check_image, decode_image
from studio.recipes import recipe
from studio.recipes.untrusted import number
from studio.request_parts import Control, Reference, Region
from studio.requests import PICTURE_FORMATS, ImageRequest, PictureFormat, UpscaleRequest

Compared = Literal["picture", "sound", "notes", "text"]
_FORMATS: dict[str, PictureFormat] = {name.upper(): name for name in PICTURE_FORMATS}


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was not the same the second time.

    Attributes:
        what: "device", "hardware", "revision", "model", "lora NAME", "ControlNet NAME", "IP-Adapter NAME" and
            "VAE NAME" (hashes), the name of a package, or a field of the request.
    """

    what: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two outputs and what made them.

    Attributes:
        sizes: width and height of both; of sounds their frames and their frames a second.
        share: of the pixels or frames that differ, 0..1; 1 where the sizes do, and of words or notes that do.
        largest: the greatest difference of one channel, 0..255, of the whole range.
        differences: what else was not the same. Empty where nothing is known to be.
    """

    sizes: tuple[tuple[int, int], tuple[int, int]]
    share: float
    largest: int
    differences: tuple[Difference, ...]
    kind: Compared = "picture"

    @property
    def same(self) -> bool:
        """Every pixel, sample, note or letter is."""
        return self.share == 0


def request(made: Mapping[str, Any], source: Callable[[str], bytes | None]) -> ImageRequest | UpscaleRequest:
    """The request that makes a picture again.

    Args:
        made: its recipe.
        source: gives a picture that it was made from, by its SHA-256.

    Raises:
        StudioError: no_recipe where it is no picture's, no_source where such a picture is not here any more.
    """
    kinds = ("image", "mask", "pictures.", "controls.", "references.", "regions.")
    named = {name: hash for name, hash in recipe.sources(made).items() if name.startswith(kinds)}
    files = {name: data for name, hash in named.items() if (data := source(hash)) is not None}
    if len(files) < len(named):
        raise StudioError("no_source")
    pictures = {name: data for name, data in files.items() if name in ("image", "mask")}
    if made["task"] == "upscale" and "image" in pictures:
        scale, tile = (int(number(made["parameters"].get(name)) or 0) for name in ("scale", "tile"))
        return UpscaleRequest(image=pictures["image"], model=made["model"]["id"], scale=scale, tile=tile)
    wanted = recipe.to_request(made)
    if wanted is None:
        raise StudioError("no_recipe")
    edited = tuple(files.get(f"pictures.{number}", b"") for number in range(len(wanted.pictures)))
    controls, shown = with_pictures(wanted.controls, files), with_references(wanted.references, files)
    regions = with_masks(wanted.regions, files)
    return replace(wanted, **pictures, pictures=edited, controls=controls, references=shown, regions=regions)


_FILES = (
    ("controlnets", "ControlNet"), ("ipadapters", "IP-Adapter"), ("embeddings", "embedding"), ("vaes", "VAE"),
    ("refiners", "refiner"), ("detectors", "detector"),
)  # fmt: skip
"""What of a recipe names files by their hashes, and what they are called."""


def with_pictures(controls: tuple[Control, ...], files: Mapping[str, bytes]) -> tuple[Control, ...]:
    """Controls of a recipe with their pictures, which are named as in `recipe.sources`."""
    return tuple(replace(one, image=files.get(f"controls.{number}", one.image)) for number, one in enumerate(controls))


def with_references(references: tuple[Reference, ...], files: Mapping[str, bytes]) -> tuple[Reference, ...]:
    """The same of reference pictures and of their masks."""
    named = ((one, f"references.{number}") for number, one in enumerate(references))
    return tuple(
        replace(one, image=files.get(name, one.image), mask=files.get(f"{name}.mask", one.mask)) for one, name in named
    )


def with_masks(regions: tuple[Region, ...], files: Mapping[str, bytes]) -> tuple[Region, ...]:
    """Regions of a recipe with their masks, which are named as in `recipe.sources`."""
    return tuple(replace(one, mask=files.get(f"regions.{number}", one.mask)) for number, one in enumerate(regions))


def picture_format(data: bytes) -> PictureFormat:
    """The format in which the second picture has to be written, so that a lossy one is lossy in the same way."""
    return _FORMATS.get(check_image(data)[0], "png")


def compare(data: bytes, before: Mapping[str, Any], again: bytes, now: Mapping[str, Any]) -> Comparison:
    """Two picture files and their recipes.

    Raises:
        StudioError: bad_image, image_too_large.
    """
    import numpy as np

    old, new = (decode_image(file) for file in (data, again))
    told = tuple(differences(before, now))
    if old.size != new.size:
        return Comparison((old.size, new.size), 1.0, 255, told)
    apart = np.abs(np.asarray(old, np.int16) - np.asarray(new, np.int16)).max(axis=2)
    return Comparison((old.size, new.size), float((apart > 0).mean()), int(apart.max()), told)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """Only what both recipes speak of: one says nothing of a package that its run did not load."""
    pairs = [("model", before["model"]["id"], now["model"]["id"])]
    pairs += [("revision", before["model"]["revision"], now["model"]["revision"])]
    pairs += [(name, before.get(name), now.get(name)) for name in ("device", "hardware")]
    pairs += [(name, version, now["software"].get(name)) for name, version in before["software"].items()]
    files = now.get("adapters", {})
    pairs += [(f"lora {name}", hash, files.get(name)) for name, hash in before.get("adapters", {}).items()]
    for kind, called in _FILES:
        files = now.get(kind, {})
        pairs += [(f"{called} {name}", hash, files.get(name)) for name, hash in before.get(kind, {}).items()]
    given = {**before["parameters"], "seed": before["seed"]}
    pairs += [(name, value, {**now["parameters"], "seed": now["seed"]}.get(name)) for name, value in given.items()]
    for what, old, new in pairs:
        if old not in ("", None) and new is not None and old != new:
            yield Difference(what, _shown(old), _shown(new))


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
