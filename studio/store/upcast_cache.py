"""Copies of models whose files hold narrower numbers than this machine computes with.

A processor computes pictures in float32, and their files often hold float16. Cast while they are read, such weights
take seconds and all of their size in memory, every time. From a copy that was widened once they are mapped: the system
reads them when they are wanted and drops them when room is needed. Widening loses nothing, so results are the same.

Copies lie in home/cache, one folder a model, and go with the model. Together they have a limit: the one that was used
longest ago makes room. Where one cannot be made the model is loaded from its own files. Knows nothing of how a model is
loaded; docs/decisions/015-parking.md has the figures and the reasons.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from studio.catalog.card import PICKLES, WEIGHTS, Card, base_of
from studio.errors import Cancelled, StudioError
from studio.paths import gigabytes, occupied, require_space
from studio.store.safetensors import header, tensor_files, variant
from studio.store.upcast import NARROW, widen, widened_bytes

log = logging.getLogger("studio")

LEAST = 500_000_000
"""Bytes of a copy below which none is made: a smaller model is cast in less than two seconds."""
VERSION = 1
"""Of how copies are made; those of another version are made again."""
FRESH = 3600.0
"""Seconds after its last use in which no copy makes room: models that take turns would be copied at every turn."""


@runtime_checkable
class CastsWeights(Protocol):
    """An engine that casts weights while it reads them."""

    def computes_in(self, card: Card, files: Path, kind: str) -> str:
        """The float type that they become on a kind of device; "" where the files do not tell."""
        ...


class Copies:
    """The copies in one folder.

    Args:
        keep_free: bytes of disk space that they leave.
        most: bytes of the largest copy; 0 for none at all.
        total: bytes of all copies together; 0 for none at all.
        in_use: ids of the models that are in memory or on the way there; their copies stay.
    """

    def __init__(
        self,
        place: Path,
        *,
        keep_free: int = 0,
        most: int = 0,
        total: int = 0,
        in_use: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._place, self._keep_free, self._most, self._total = place, keep_free, most, total
        self._in_use = in_use
        self._making: dict[str, int] = {}  # model -> bytes of its copy that is being made
        self._lock = threading.Lock()

    def folder(
        self,
        engine: object,
        card: Card,
        files: Path,
        kind: str,
        report: Callable[[float], None],
        wanted: Callable[[], bool] = lambda: True,
    ) -> Path:
        """What to load a model from on a device of this kind: its copy, made now where it pays, else `files`.

        Args:
            engine: only weights that it casts while it reads them are worth a copy.
            report: how much of the copy is made, 0..1.
            wanted: whether anybody still waits for the model. Asked all the time while a copy is made.

        Raises:
            Cancelled: nobody waits any more. Nothing is left of the copy.
        """
        pays = self._most and self._total and kind != "mps"  # unified memory: nothing stays mapped
        if not pays or not isinstance(engine, CastsWeights) or not files.is_dir():
            return files
        try:
            if engine.computes_in(card, files, kind) != "float32":
                return files
            return self._copy(card, files, report, wanted) or files
        except (OSError, ValueError, KeyError, TypeError, StudioError) as error:
            log.warning("%s is loaded from its own files, no copy could be made: %s", card.id, error)
            return files

    def used(self, card: Card) -> None:
        """A model is used now: of all copies its own is the last to make room."""
        with suppress(OSError):  # most have none
            os.utime(self._of(card))

    def nbytes(self, card: Card) -> int:
        """Bytes on disk of a model's copy."""
        return occupied(self._of(card))

    def delete(self, card: Card) -> int:
        """Delete a model's copy; returns the bytes freed."""
        return _remove(self._of(card))

    def clear(self) -> int:
        """Delete the copies that no model is mapped from now; returns the bytes freed."""
        return sum(_remove(folder) for folder, _ in self._idle())

    def trim(self) -> None:
        """Have the copies keep to their limit, which may have been a larger one when they were made."""
        over = sum(occupied(folder) for folder in self._folders()) - self._total
        for folder, _ in self._idle() if over > 0 else ():
            if over > 0:
                over -= _remove(folder)

    def _of(self, card: Card) -> Path:
        return self._place / card.base  # a variant of a model is made of the same files

    def _copy(
        self, card: Card, files: Path, report: Callable[[float], None], wanted: Callable[[], bool]
    ) -> Path | None:
        """The model's copy; None where its own files are as good, or no room is to be made for it."""
        read = {file.relative_to(files).as_posix(): file for file in tensor_files(files, variant(card, files))}
        tables = {name: header(file) for name, file in read.items()}
        narrow = any(entry["dtype"] in NARROW for table in tables.values() for entry in table.values())
        size = sum(widened_bytes(entry) for table in tables.values() for entry in table.values())
        if not narrow or not LEAST <= size <= self._most:
            return None
        small = {name: file for name, file in _others(files) if name not in read}
        target = self._of(card) / _key({**small, **read})
        if target.is_dir():
            self.used(card)
            return target
        done = 0

        def told(count: int) -> None:
            nonlocal done
            if not wanted():
                raise Cancelled
            done += count
            report(min(done / size, 1.0))

        told(0)
        needed = size + sum(file.stat().st_size for file in small.values())
        with self._claim(card, needed) as free:
            if not free or self._mapped_elsewhere(card):
                return None
            _remove(self._of(card))  # of an earlier revision, or cut short
            if not self._make_room(card, needed):
                return None
            self._write(target, small, read, told)
        log.info("%s: a copy in float32 was made", card.id)
        return target

    def _write(self, target: Path, small: dict[str, Path], read: dict[str, Path], told: Callable[[int], None]) -> None:
        """Make the folder `target`, whole or not at all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            half = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=target.parent))
            try:
                for name, file in small.items():
                    told(0)
                    (half / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, half / name)
                for name, file in read.items():
                    (half / name).parent.mkdir(parents=True, exist_ok=True)
                    widen(file, half / name, told)
                half.rename(target)
            finally:
                shutil.rmtree(half, ignore_errors=True)
        finally:
            with suppress(OSError):  # it holds the copy
                target.parent.rmdir()

    # ---- room

    @contextmanager
    def _claim(self, card: Card, needed: int) -> Iterator[bool]:
        """Have the model's folder alone; False where another device is at it already."""
        with self._lock:
            if taken := card.base in self._making:
                log.info("%s is loaded from its own files: its copy is being made", card.id)
            else:
                self._making[card.base] = needed
        try:
            yield not taken
        finally:
            if not taken:
                with self._lock:
                    del self._making[card.base]

    def _mapped_elsewhere(self, card: Card) -> bool:
        """An earlier copy is there, and a variant of the model may have it mapped."""
        sisters = (id for id in self._in_use() if id != card.id and base_of(id) == card.base)
        return self._of(card).is_dir() and any(sisters)

    def _make_room(self, card: Card, needed: int) -> bool:
        """Delete the copies that were used longest ago, as few as suffice; none, and False, where all would not.

        Raises:
            StudioError: the disk is too full.
        """
        self._place.mkdir(parents=True, exist_ok=True)
        with self._lock:
            making = {base: size for base, size in self._making.items() if base != card.base}
            sizes = {folder.name: occupied(folder) for folder in self._folders()} | making
            over = sum(sizes.values()) + needed - self._total
            short = needed + self._keep_free - shutil.disk_usage(self._place).free
            idle = [(folder, sizes.get(folder.name, 0)) for folder, when in self._idle() if when < time.time() - FRESH]
            spare = sum(size for _, size in idle)
            if over > spare:
                told = (card.id, gigabytes(needed), gigabytes(self._total))
                log.info("%s is loaded from its own files: a copy of %s has no room in the %s for copies", *told)
                return False
            missing = max(over, short)
            for folder, _ in idle if short <= spare else ():
                if missing > 0:
                    log.info("the copy of %s makes room for one of %s", folder.name, card.id)
                    missing -= _remove(folder)
        require_space(self._place, needed, self._keep_free)
        return missing <= 0

    def _folders(self) -> list[Path]:
        """Of the models that have a copy; and what could not be deleted at once."""
        try:
            return [folder for folder in self._place.iterdir() if folder.is_dir()]
        except OSError:
            return []

    def _idle(self) -> list[tuple[Path, float]]:
        """Copies that nobody has in use and when they were last used, in seconds since the epoch; oldest first."""
        busy = {base_of(id) for id in self._in_use()} | set(self._making)
        found: list[tuple[Path, float]] = []
        for folder in self._folders():
            with suppress(OSError):
                if folder.name not in busy:
                    found.append((folder, 0.0 if folder.name.startswith(".") else folder.stat().st_mtime))
        return sorted(found, key=lambda one: one[1])


def _remove(folder: Path) -> int:
    """Delete a folder, whole or not at all: half of a copy would be taken for one. Returns the bytes freed.

    Where the system holds on to a file in it, such as a mapped one on Windows, it stays.
    """
    gone = folder.with_name(f".{secrets.token_hex(8)}.part")
    try:
        folder.rename(gone)
    except OSError:
        return 0
    before = occupied(gone)
    shutil.rmtree(gone, ignore_errors=True)
    return before - occupied(gone)


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
