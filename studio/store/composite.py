"""A model put together of several sources: its own files and its parts, in one ordinary folder.

A part is fetched once, into a place of its own, and linked into every folder that uses it; where the file system has no
hard links it is copied. A bundled model with parts is copied beside them, into a folder that is named after all that it
holds: it is made under another name and renamed, so it is whole or not there, and an update of the studio makes a new
one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from studio.catalog.card import Card, Part
from studio.paths import Home, disk_error, occupied, writing
from studio.store import local
from studio.store.manifest import PART_OF_A_MODEL

_NAME_LENGTH = 16


def as_card(card: Card, part: Part) -> Card:
    """The part as a model of its own, so that the sources fetch it like one. Errors name the whole model."""
    options = {PART_OF_A_MODEL: True}
    return replace(card, source=part.source, parts=(), disk_bytes=part.disk_bytes, options=options, gated=False)


def bundled_files(card: Card) -> dict[str, Path]:
    """The files of a bundled model: name inside its folder -> where it is in assets. Those of others stay apart."""
    top = local.place(card)
    if card.source.kind != "bundled" or not top.is_dir():
        return {}
    found = (path for path in sorted(top.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(top).as_posix(): path for path in found}


class Fingerprints:
    """What names the contents of bundled files. Read once for each size and time that a file has."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], str] = {}

    def of(self, files: Mapping[str, Path]) -> str:
        """16 hexadecimal digits; the same on every machine for the same names and contents."""
        total = hashlib.sha256()
        for name, path in files.items():
            state = path.stat()
            key = (str(path), state.st_size, state.st_mtime_ns)
            if key not in self._known:
                with path.open("rb") as file:
                    self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{name}\0{self._known[key]}\n".encode())
        return total.hexdigest()[:_NAME_LENGTH]


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_NAME_LENGTH]


def home_of(home: Home, card: Card) -> Path:
    """The folder that holds what a model with parts takes, where its own files are bundled or the person's."""
    return home.models / card.source.kind / card.base


def layout(part: Part, files: Mapping[str, Path]) -> dict[str, Path]:
    """The part's fetched files (name in the source -> path) by their names in the model's folder."""
    return {f"{part.folder}/{part.target(name)}": path for name, path in files.items()}


def missing(folder: Path, wanted: Mapping[str, Path]) -> dict[str, Path]:
    """Which of `wanted` (name -> original) are not in `folder` with the size of the original."""
    return {name: path for name, path in wanted.items() if _size(folder / name) != path.stat().st_size}


def link(folder: Path, wanted: Mapping[str, Path]) -> None:
    """Put `wanted` (name -> original) into `folder`. Raises StudioError where the disk refuses."""
    for name, original in wanted.items():
        _put(original, folder / name)


def assemble(folder: Path, own: Mapping[str, Path], linked: Mapping[str, Path]) -> None:
    """Make `folder` of copies of `own` and links to `linked`, whole or not at all; older ones beside it go.

    The caller holds the model's lock.

    Raises:
        StudioError: the disk is full or refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for leftover in folder.parent.glob(".*.part"):
            shutil.rmtree(leftover, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=folder.parent))
        for name, original in own.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, made / name)
        link(made, linked)
        if folder.exists():  # something of it was deleted by hand
            shutil.rmtree(folder)
        os.replace(made, folder)
    except OSError as error:
        raise disk_error(error, folder) from error
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)  # on Windows a model that is in use stays until next time


def _put(original: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with writing(target) as temporary:
        temporary.unlink()
        try:
            os.link(original.resolve(), temporary)
        except OSError:  # other file systems: FAT, some network drives
            shutil.copyfile(original, temporary)


def shared(paths: Iterable[Path]) -> bool:
    """Some other folder holds one of these files too."""
    return any(_links(path) > 1 for path in paths)


def alone(top: Path) -> int:
    """Bytes that the files below `top` occupy for themselves, without those that other folders hold too."""
    return occupied(top, shared=False)


def _links(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_nlink
    return 0


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return -1
