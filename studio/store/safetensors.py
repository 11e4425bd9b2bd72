"""Headers of the safetensors files in a model's folder: which files, tensors and float types, without reading more."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from studio.catalog.card import Card

FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""Float types by their names in a header."""
_LIMIT = 100 << 20


def header(file: Path, whole: bool = False) -> dict[str, Any]:
    """The tensor table of a safetensors file; with `whole`, its metadata too. ValueError where it is none."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(_LIMIT, size - 8):
            raise ValueError(f"{file.name} is not a safetensors file")
        try:
            table = json.loads(stream.read(length))
        except RecursionError:
            raise ValueError(f"{file.name} is nested too deeply") from None
    if not whole:
        table.pop("__metadata__", None)
    return table


def header_bytes(table: dict[str, Any]) -> bytes:
    """What a safetensors file begins with; its tensors follow at a multiple of eight bytes."""
    text = json.dumps(table).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def tensor_files(files: Path, marked: str = "") -> list[Path]:
    """The safetensors files that a load of this folder reads, in transformers' and in diffusers' layout.

    A diffusers folder (one with model_index.json) holds them in sub-folders, in two precisions at times: those with
    the variant `marked` in their names are taken where there are any. Of another folder only the top counts, and
    `model*` there before anything else.
    """
    if not (files / "model_index.json").is_file():
        found = sorted(files.glob("*.safetensors"))
        return [file for file in found if file.name.startswith("model")] or found
    chosen: list[Path] = []
    for folder in sorted(path for path in files.iterdir() if path.is_dir()):
        found = sorted(folder.glob("*.safetensors"))
        special = [file for file in found if marked and _variant_of(file) == marked]
        chosen += special or [file for file in found if not _variant_of(file)]
    return chosen


def variant(card: Card, files: Path) -> str:
    """The variant to load: the card's, else one that all weights of the denoiser are stored in, else none."""
    if named := card.options.get("variant"):
        return named
    for part in ("unet", "transformer"):
        names = {_variant_of(file) for file in (files / part).glob("*.safetensors")}
        if names and "" not in names:
            return sorted(names)[0]
    return ""


def _variant_of(file: Path) -> str:
    """``fp16`` of model.fp16.safetensors and of model.fp16-00001-of-00002.safetensors."""
    middle = file.name.removesuffix(".safetensors").partition(".")[2]
    return middle.partition("-")[0]


def stored_dtype(tables: list[dict[str, Any]]) -> str:
    """The float type in which most of the weights are stored; "float32" where there are none."""
    counts: dict[str, int] = {}
    for table in tables:
        for entry in table.values():
            name = FLOATS.get(entry["dtype"])
            if name:
                counts[name] = counts.get(name, 0) + math.prod(entry["shape"])
    return max(counts, key=lambda name: counts[name]) if counts else "float32"
