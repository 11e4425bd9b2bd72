"""Folders that a person pointed at: which, and what lay there at the last look, so that a start need not look again."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from studio.catalog import own_toml
from studio.errors import StudioError
from studio.paths import Home, write
from studio.store.disk import places
from studio.store.disk.look import Found, Headers, look
from studio.store.disk.places import Place
from studio.store.disk.weights import Weights

log = logging.getLogger("studio")

_VERSION = 2


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found.

    Attributes:
        places: where it looked.
        found: by path.
    """

    places: tuple[Place, ...]
    found: tuple[Found, ...]


class Folders:
    """The folders of one studio. Safe to use from several threads.

    Args:
        home: its models.toml names the folders, its cache remembers what lay in them. Its own folder of upscalers is
            looked at as well, where there is something in it.
    """

    def __init__(self, home: Home) -> None:
        self._toml, self._kept, self._upscalers = home.own_models, home.cache / "found.json", home.upscalers
        self._lock = threading.Lock()
        self._headers: Headers | None = None

    def remembered(self) -> tuple[Path, ...]:
        """The folders that the person pointed at."""
        return own_toml.folders(self._toml)

    def watched(self) -> tuple[Path, ...]:
        """Those, and the home's own folder of upscalers where there is something in it."""
        known = self.remembered()
        try:
            filled = self._upscalers not in known and any(self._upscalers.iterdir())
        except OSError:
            filled = False
        return (*known, self._upscalers) if filled else known

    def remember(self, folders: Iterable[Path]) -> tuple[Path, ...]:
        """Point at these too. Returns all.

        Raises:
            StudioError: no_folder where one is none; bad_own_models, cannot_write.
        """
        known = list(self.remembered())
        for folder in map(absolute, folders):
            if folder not in map(absolute, known):
                known.append(folder)
        own_toml.set_folders(self._toml, known)
        return tuple(known)

    def forget(self, folder: Path) -> tuple[Path, ...]:
        """Point at this one no longer. Returns those that are left.

        Raises:
            StudioError: no_folder where nobody pointed at it; bad_own_models, cannot_write.
        """
        known = self.remembered()
        gone = Path(os.path.abspath(folder.expanduser()))
        left = tuple(one for one in known if Path(os.path.abspath(one)) != gone)
        if len(left) == len(known):
            raise StudioError("no_folder", path=str(folder))
        own_toml.set_folders(self._toml, left)
        return left

    def look(self, folders: Iterable[Path] = ()) -> Look:
        """What lies in these folders and files; in the usual places of other programs where none is named.

        Raises:
            StudioError: no_folder where one does not exist.
        """
        named = tuple(Place(absolute(folder)) for folder in folders)
        own = tuple(Place(folder) for folder in self.watched() if folder == self._upscalers)
        where = named or (*places.usual(os.environ, Path.home()), *own)
        return Look(where, self._look(where))

    def again(self) -> tuple[Found, ...]:
        """What lies in the folders that are remembered, looked up now and kept for the next start."""
        where = tuple(Place(folder) for folder in self.watched() if folder.is_dir())
        found = self._look(where)
        self._keep(found)
        return found

    def last(self) -> tuple[Found, ...]:
        """What lay there at the last look; nothing is opened but one list. Empty where nobody points at anything."""
        known = self.watched()
        if not known:
            return ()
        try:
            kept = json.loads(self._kept.read_text(encoding="utf-8"))
            if kept["version"] == _VERSION and kept["folders"] == [str(one) for one in known]:
                return tuple(_found(row) for row in kept["found"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        return self.again()

    def _look(self, where: tuple[Place, ...]) -> tuple[Found, ...]:
        with self._lock:
            if self._headers is None:
                self._headers = self._known()
            return look(where, self._headers)

    def _known(self) -> Headers:
        try:
            kept = json.loads(self._kept.read_text(encoding="utf-8"))
            return Headers.from_json(kept["headers"]) if kept["version"] == _VERSION else Headers()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return Headers()

    def _keep(self, found: tuple[Found, ...]) -> None:
        headers = self._headers or Headers()
        there = {str(one.path) for one in found}
        kept = Headers({path: row for path, row in headers.known.items() if path in there})
        document = {
            "version": _VERSION, "folders": [str(one) for one in self.watched()], "headers": kept.as_json(),
            "found": [_row(one) for one in found],
        }  # fmt: skip
        try:
            write(self._kept, json.dumps(document))
        except StudioError as error:
            log.warning("%s", error)


def absolute(folder: Path) -> Path:
    """A folder's or file's whole path. Raises StudioError where there is none."""
    try:
        whole = Path(os.path.abspath(folder.expanduser()))
        if whole.exists():
            return whole
    except (OSError, ValueError, RuntimeError):
        pass
    raise StudioError("no_folder", path=str(folder))


def _row(one: Found) -> dict[str, Any]:
    return {**asdict(one), "path": str(one.path)}


def _found(row: dict[str, Any]) -> Found:
    weights = Weights(**{**row["weights"], "holds": tuple(row["weights"]["holds"])})
    whole = Found(**{**row, "path": Path(row["path"]), "weights": weights})
    return replace(whole, tasks=tuple(whole.tasks), missing=tuple(whole.missing))
