"""A safetensors file written once more with its narrow numbers widened to float32, a little at a time.

Widening loses nothing.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from studio.store.safetensors import header, header_bytes

NARROW = ("F16", "BF16")
_NUMBERS = 1 << 22
"""How many are widened at once."""
_UNSAVED = 1 << 27
"""Bytes after which the disk is waited for. Waiting for all of them at the end could not be interrupted."""


def widened_bytes(entry: dict[str, Any]) -> int:
    """Bytes of a tensor once it is widened; `entry` is its line in the file's header."""
    start, end = entry["data_offsets"]
    return math.prod(entry["shape"]) * 4 if entry["dtype"] in NARROW else end - start


def widen(source: Path, target: Path, told: Callable[[int], None]) -> None:
    """Write a safetensors file with the same tensors in the same order, in float32 where they were narrower.

    Args:
        told: hears the bytes of each piece that was written, 16 MiB at most. What it raises ends the writing.

    Raises:
        ValueError: the source is cut short.
    """
    table = header(source, whole=True)
    meta = table.pop("__metadata__", None)
    order = sorted(table, key=lambda name: table[name]["data_offsets"])
    written: dict[str, Any] = {} if meta is None else {"__metadata__": meta}
    end = 0
    for name in order:
        start, end = end, end + widened_bytes(table[name])
        kind = "F32" if table[name]["dtype"] in NARROW else table[name]["dtype"]
        written[name] = {"dtype": kind, "shape": table[name]["shape"], "data_offsets": [start, end]}
    with source.open("rb") as here, target.open("wb") as there:
        there.write(header_bytes(written))
        begin = int.from_bytes(here.read(8), "little") + 8
        unsaved = 0
        for name in order:
            start, stop = table[name]["data_offsets"]
            here.seek(begin + start)
            while start < stop:
                data = _piece(here, stop - start)
                start += len(data)
                wide = _wide(data, table[name]["dtype"])
                there.write(wide)
                told(len(wide))
                unsaved += len(wide)
                if unsaved >= _UNSAVED:
                    _save(there)
                    unsaved = 0
        _save(there)
    with suppress(OSError):
        shutil.copymode(source, target)


def _piece(here: IO[bytes], left: int) -> bytes:
    data = here.read(min(left, _NUMBERS * 2))
    if not data:
        raise ValueError("a file is cut short")
    return data


def _wide(data: bytes, kind: str) -> bytes:
    import numpy as np

    if kind == "F16":
        return np.frombuffer(data, "<f2").astype("<f4").tobytes()
    if kind == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).tobytes()
    return data


def _save(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
