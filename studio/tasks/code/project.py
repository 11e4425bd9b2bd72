"""Projects: a folder that a person opened, its files read and saved, and nothing outside of it.

A file is called by its path below the folder, with slashes. Where a link leads out of the folder, it is no part of it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.errors import StudioError
from studio.paths import gigabytes, inside, opened, put_file
from studio.tasks.code import text_file
from studio.tasks.code.limits import TEXTS

MAX_BYTES = 2_000_000
"""Of a file that is opened: what is larger nobody writes by hand, and no editor of a page bears it."""
MOST_ENTRIES, MOST_FOUND = 500, 100
"""Of one folder that are listed; hits of a search."""
LOOK_SECONDS = 2.0
"""That a search may take."""
_SKIPPED = frozenset(
    (".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".mypy_cache", ".pytest_cache",
     ".ruff_cache", ".tox", ".idea", ".DS_Store")
)  # fmt: skip
"""What programs keep for themselves."""
_LONGEST_LINE = 200
_FEWEST_LETTERS = 3
"""Letters from which on a search looks into files too."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder, by its path below the project."""

    path: str
    folder: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Hit:
    """A file that a search found: by its name, or by what stands in one of its lines, which count from 1."""

    path: str
    line: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Hits of a search. `more`: there may be others."""

    hits: tuple[Hit, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A file's text, with line feeds alone, and the stamp by which it is known to be unchanged."""

    text: str
    stamp: str


class Project:
    """A folder.

    Raises:
        StudioError: folder_not_found, where it is none.
    """

    def __init__(self, typed: str) -> None:
        try:
            place = Path(typed.strip()).expanduser()
            self.root = place.resolve(strict=True)
            good = bool(typed.strip()) and place.is_absolute() and self.root.is_dir()
        except (OSError, RuntimeError, ValueError):
            good = False
        if not good:
            raise StudioError("folder_not_found", path=typed.strip() or "?")

    def entries(self, folder: str = "") -> tuple[tuple[Entry, ...], bool]:
        """What is in a folder, folders first, by name; and whether there is more than is listed.

        Raises:
            StudioError: bad_path, folder_not_found.
        """
        place = self._inside(folder)
        try:
            found = sorted(self._below(place, folder), key=lambda one: (not one.folder, one.name.casefold()))
        except OSError:
            raise StudioError("folder_not_found", path=folder or str(self.root)) from None
        return tuple(found[:MOST_ENTRIES]), len(found) > MOST_ENTRIES

    def search(self, words: str) -> Found:
        """Files whose path has the words in it, and lines that have them, large letters like small ones."""
        sought = words.strip().casefold()
        if not sought:
            return Found((), False)
        until = time.monotonic() + LOOK_SECONDS
        names: list[Hit] = []
        lines: list[Hit] = []
        for entry in self._all():
            if time.monotonic() > until or len(names) + len(lines) >= MOST_FOUND:
                return Found((*names, *lines)[:MOST_FOUND], True)
            if sought in entry.path.casefold():
                names.append(Hit(entry.path))
            if len(sought) >= _FEWEST_LETTERS:
                lines += self._hits(entry.path, sought)
        return Found((*names, *lines)[:MOST_FOUND], len(names) + len(lines) > MOST_FOUND)

    def read(self, file: str) -> Opened:
        """A file for the editor.

        Raises:
            StudioError: bad_path, file_not_found, file_too_large, not_a_text_file.
        """
        data = self._bytes(file)
        text = text_file.read(data, file)
        if len(text) > (most := TEXTS["prefix"].high):
            raise StudioError("too_long", field=file, count=len(text), limit=most)
        return Opened(text, _stamp(data))

    def save(self, file: str, text: str, stamp: str) -> Opened | None:
        """Write what the editor has into a file; None where it is not what was opened any more.

        Args:
            text: with line feeds alone.
            stamp: of the file as it was opened; "" for a new file.

        Raises:
            StudioError: bad_path, as `read`, not_in_encoding; the disk is full or refuses.
        """
        place = self._inside(file)
        if place == self.root:
            raise StudioError("bad_path")
        if not stamp:
            data = text.encode()
            try:
                put_file(place, data, new=True)
            except FileExistsError:
                return None
            return Opened(text, _stamp(data))
        try:
            before = self._bytes(file)
        except StudioError as error:
            if error.code == "file_not_found":
                return None
            raise
        if _stamp(before) != stamp:
            return None
        data = text_file.written(before, text, file)
        if data != before:
            put_file(place, data)
        return Opened(text, _stamp(data))

    def _inside(self, path: str) -> Path:
        """Raises StudioError: bad_path, where it leads out of the folder."""
        if path.startswith(("/", "\\")) or ":" in path.partition("/")[0]:
            raise StudioError("bad_path")
        return inside(self.root, path)

    def _bytes(self, file: str) -> bytes:
        place = self._inside(file)
        try:
            with opened(place) as source:
                data = source.read(MAX_BYTES + 1)
        except (OSError, ValueError):
            raise StudioError("file_not_found", path=file) from None
        if len(data) > MAX_BYTES:
            raise StudioError("file_too_large", size=f"> {gigabytes(MAX_BYTES)}", limit=gigabytes(MAX_BYTES))
        return data

    def _below(self, place: Path, folder: str) -> Iterator[Entry]:
        with os.scandir(place) as found:
            for one in found:
                path = f"{folder}/{one.name}" if folder else one.name
                if one.name in _SKIPPED or not _speakable(one.name):
                    continue
                if one.is_symlink() and not Path(one.path).resolve().is_relative_to(self.root):
                    continue
                if one.is_dir():
                    yield Entry(path, True)
                elif one.is_file():
                    yield Entry(path, False)

    def _all(self) -> Iterator[Entry]:
        """Every file, what lies further up first. Links to folders are not followed: they would lead in circles."""
        waiting = [""]
        while waiting:
            folder = waiting.pop(0)
            place = self.root / folder
            if folder and place.is_symlink():
                continue
            try:
                found = sorted(self._below(place, folder), key=lambda one: one.name.casefold())
            except OSError:
                continue
            waiting += [one.path for one in found if one.folder]
            yield from (one for one in found if not one.folder)

    def _hits(self, file: str, sought: str) -> list[Hit]:
        try:
            text = text_file.read(self._bytes(file), file)
        except StudioError:
            return []
        lines = enumerate(text.split("\n"), 1) if sought in text.casefold() else ()
        return [Hit(file, at, line.strip()[:_LONGEST_LINE]) for at, line in lines if sought in line.casefold()][:5]


def _speakable(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _stamp(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
