"""Copies of models whose files hold narrower numbers than this machine computes with.

A processor computes pictures in float32, and their files often hold float16. Cast while they are read, such weights
take seconds and all of their size in memory, every time. From a copy that was widened once they are mapped: the system
reads them when they are wanted and drops them when room is needed. Widening loses nothing, so results are the same.

Copies lie in home/cache, one folder a model, and go with the model. Where one cannot be made the model is loaded from
its own files. Knows nothing of how a model is loaded; docs/decisions/015-parking.md has the figures.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from studio.cards import PICKLES, WEIGHTS, Card
from studio.engines._headers import header, header_bytes, tensor_files, variant
from studio.errors import StudioError
from studio.paths import occupied, require_space

log = logging.getLogger("studio")

LEAST = 500_000_000
"""Bytes of a copy below which none is made: a smaller model is cast in less than two seconds."""
VERSION = 1
"""Of how copies are made; those of another version are made again."""
_NARROW = ("F16", "BF16")
_NUMBERS = 1 << 22
"""How many are widened at once."""


class Copies:
    """The copies in one folder.

    Args:
        keep_free: bytes of disk space that they leave.
        most: bytes of the largest copy; 0 for none at all.
    """

    def __init__(self, place: Path, *, keep_free: int = 0, most: int = 0) -> None:
        self._place, self._keep_free, self._most = place, keep_free, most

    def folder(self, engine: object, card: Card, files: Path, kind: str, report: Callable[[float], None]) -> Path:
        """What to load a model from on a device of this kind: its copy, made now where it pays, else `files`.

        Args:
            engine: one that casts weights while they are read says with `computes_in(card, files, kind)` to what.
            report: how much of the copy is made, 0..1.
        """
        computes_in = getattr(engine, "computes_in", None)
        if not self._most or computes_in is None or kind == "mps" or not files.is_dir():
            return files  # unified memory holds what is on the device: nothing stays mapped
        try:
            if computes_in(card, files, kind) != "float32":
                return files
            return self._copy(card, files, report) or files
        except (OSError, ValueError, KeyError, TypeError, StudioError) as error:
            log.warning("%s is loaded from its own files, no copy could be made: %s", card.id, error)
            return files

    def nbytes(self, card: Card) -> int:
        """Bytes on disk of a model's copy."""
        return occupied(self._of(card))

    def delete(self, card: Card) -> int:
        """Delete a model's copy; returns the bytes freed."""
        before = self.nbytes(card)
        shutil.rmtree(self._of(card), ignore_errors=True)
        return before - self.nbytes(card)

    def _of(self, card: Card) -> Path:
        return self._place / card.base  # a variant of a model is made of the same files

    def _copy(self, card: Card, files: Path, report: Callable[[float], None]) -> Path | None:
        """The model's copy; None where its own files are as good."""
        read = {file.relative_to(files).as_posix(): file for file in tensor_files(files, variant(card, files))}
        tables = {name: header(file) for name, file in read.items()}
        narrow = any(entry["dtype"] in _NARROW for table in tables.values() for entry in table.values())
        size = sum(_bytes(entry) for table in tables.values() for entry in table.values())
        if not narrow or not LEAST <= size <= self._most:
            return None
        small = {name: file for name, file in _others(files) if name not in read}
        target = self._of(card) / _key({**small, **read})
        if target.is_dir():
            return target
        shutil.rmtree(self._of(card), ignore_errors=True)  # of an earlier revision, or cut short
        self._of(card).mkdir(parents=True)
        require_space(self._of(card), size + sum(file.stat().st_size for file in small.values()), self._keep_free)
        half = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=self._of(card)))
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            report(min(done / size, 1.0))

        try:
            for name, file in small.items():
                (half / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, half / name)
            for name, file in read.items():
                (half / name).parent.mkdir(parents=True, exist_ok=True)
                _widen(file, half / name, told)
            half.rename(target)
        finally:
            shutil.rmtree(half, ignore_errors=True)
        log.info("%s: a copy in float32 was made", card.id)
        return target


def _others(files: Path) -> Iterator[tuple[str, Path]]:
    """The files of a model beside its weights, by their names in its folder."""
    for file in sorted(files.rglob("*")):
        name = file.relative_to(files)
        hidden = any(part.startswith(".") for part in name.parts)
        if file.is_file() and not hidden and file.suffix.lower() not in (*PICKLES, *WEIGHTS):
            yield name.as_posix(), file


def _key(files: dict[str, Path]) -> str:
    """What names a copy: these very files, and how it is made."""
    stamps = [(name, (state := file.stat()).st_size, state.st_mtime_ns) for name, file in sorted(files.items())]
    return hashlib.sha256(json.dumps([VERSION, "float32", stamps]).encode()).hexdigest()[:16]


def _bytes(entry: dict[str, Any]) -> int:
    """Bytes of a tensor in the copy."""
    start, end = entry["data_offsets"]
    return math.prod(entry["shape"]) * 4 if entry["dtype"] in _NARROW else end - start


def _widen(source: Path, target: Path, told: Callable[[int], None]) -> None:
    """Write a safetensors file with the same tensors in the same order, in float32 where they were narrower.

    Raises:
        ValueError: the source is cut short.
    """
    table = header(source, whole=True)
    meta = table.pop("__metadata__", None)
    order = sorted(table, key=lambda name: table[name]["data_offsets"])
    written: dict[str, Any] = {} if meta is None else {"__metadata__": meta}
    end = 0
    for name in order:
        start, end = end, end + _bytes(table[name])
        kind = "F32" if table[name]["dtype"] in _NARROW else table[name]["dtype"]
        written[name] = {"dtype": kind, "shape": table[name]["shape"], "data_offsets": [start, end]}
    with source.open("rb") as here, target.open("wb") as there:
        there.write(header_bytes(written))
        begin = int.from_bytes(here.read(8), "little") + 8
        for name in order:
            start, stop = table[name]["data_offsets"]
            here.seek(begin + start)
            _tensor(here, there, table[name]["dtype"], stop - start, told)
        there.flush()
        os.fsync(there.fileno())
    with suppress(OSError):
        shutil.copymode(source, target)


def _tensor(here: IO[bytes], there: IO[bytes], kind: str, left: int, told: Callable[[int], None]) -> None:
    import numpy as np

    while left:
        data = here.read(min(left, _NUMBERS * 2))
        if not data:
            raise ValueError("a file is cut short")
        left -= len(data)
        if kind == "F16":
            data = np.frombuffer(data, "<f2").astype("<f4").tobytes()
        elif kind == "BF16":  # the upper half of a float32
            data = (np.frombuffer(data, "<u2").astype("<u4") << 16).tobytes()
        there.write(data)
        told(len(data))
