"""Anything made again from its recipe: the request for it, and whether it came out the same.

Pictures: studio.recipes.reproduce. Pieces and captions are asked for by their fields, each judged by its type here and
by studio.tasks.limits when it is asked for. The caller runs the request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from studio.errors import StudioError
from studio.media import midi
from studio.media.audio import decode_audio
from studio.recipes import recipe, reproduce
from studio.recipes.reproduce import Comparison, differences
from studio.recipes.restore_code import code_request
from studio.requests import CaptionRequest, MusicRequest, Request

_ALONE = ("count",)
"""Fields that speak of other outputs: each has a recipe of its own."""


def request(made: Mapping[str, Any], source: Callable[[str], bytes | None]) -> Request:
    """The request that makes an output again.

    Args:
        made: its recipe.
        source: gives a file that it was made from, by its SHA-256.

    Raises:
        StudioError: no_recipe where nothing can be asked from it; no_source where something that went in is not here.
    """
    match made["task"]:
        case "image" | "upscale":
            return reproduce.request(made, source)
        case "code":
            found = code_request(made)
            if found is None:
                raise StudioError("no_recipe")
            if found[1]:
                raise StudioError("no_source")
            return found[0]
        case "music":
            return _asked(MusicRequest, made, source)
        case "caption":
            return _asked(CaptionRequest, made, source)
        case _:
            raise StudioError("no_recipe")


def compare(file: bytes, before: Mapping[str, Any], again: bytes, now: Mapping[str, Any]) -> Comparison:
    """Two files of one format, and their recipes: pixels, samples, notes or words.

    Raises:
        StudioError: bad_image, image_too_large, bad_audio.
    """
    if before["task"] in ("image", "upscale"):
        return reproduce.compare(file, before, again, now)
    told = tuple(differences(before, now))
    if file.startswith(midi.HEAD):
        return _whole(midi.put_text(file, "") == midi.put_text(again, ""), "notes", told)
    if before["task"] != "music":
        return _whole(_words(file) == _words(again), "text", told)
    import numpy as np

    old, new = (decode_audio(one) for one in (file, again))
    sizes = (old.samples.shape[1], old.rate), (new.samples.shape[1], new.rate)
    if old.samples.shape != new.samples.shape or old.rate != new.rate:
        return Comparison(sizes, 1.0, 255, told, "sound")
    apart = np.abs(old.samples - new.samples).max(axis=0)
    largest = round(float(apart.max(initial=0.0)) * 127.5)
    return Comparison(sizes, float((apart > 0).mean()) if apart.size else 0.0, largest, told, "sound")


def _whole(same: bool, kind: reproduce.Compared, told: tuple[reproduce.Difference, ...]) -> Comparison:
    return Comparison(((0, 0), (0, 0)), 0.0 if same else 1.0, 0 if same else 255, told, kind)


def _words(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n").strip("\n")


def _asked(kind: type[Any], made: Mapping[str, Any], source: Callable[[str], bytes | None]) -> Any:
    """A request of a kind with the fields of a recipe that are of the right type."""
    given, hashes = made["parameters"], recipe.sources(made)
    hints, found = get_type_hints(kind), dict[str, Any]()
    for part in fields(kind):
        name, hint, value = part.name, str(hints[part.name]), given.get(part.name)
        if name in hashes and "bytes" in hint:
            data = source(hashes[name])
            if data is None:
                raise StudioError("no_source")
            found[name] = data
        elif name not in _ALONE and part.init and fits(value, hint):
            found[name] = tuple(value) if isinstance(value, list) else value
    return kind(**{**found, "model": made["model"]["id"], "seed": made["seed"]})


def fits(value: object, hint: str) -> bool:
    """Whether a value of JSON may be a field's, by how its type is written."""
    if isinstance(value, bool):
        return "bool" in hint
    if isinstance(value, str):
        return "str" in hint or "Literal" in hint
    if isinstance(value, int | float):
        return "float" in hint or ("int" in hint and isinstance(value, int))
    return isinstance(value, list) and "tuple[str" in hint and all(isinstance(one, str) for one in value)
