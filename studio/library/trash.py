"""Trash of the library: outputs/.trash/<time>-<letters>/ holds what one press of Delete took away, at the same paths.

What is in it can be had back for TRASH_DAYS. Conversations have a trash of their own (studio.library.chats); an empty
file of the same name stands for one here. There is no list: what lies in a folder is what comes back.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from studio.errors import StudioError
from studio.library import scan
from studio.library.chats import TRASH_DAYS, Chats
from studio.library.items import CHATS
from studio.paths import disk_error, unused

NAME = ".trash"
_TOKEN = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
_FORM = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Deleted:
    """What one press of Delete took away.

    Attributes:
        token: what `Trash.restore` is given.
        nbytes: what its files take.
    """

    token: str
    when: datetime
    ids: tuple[str, ...]
    nbytes: int


class Trash:
    """The trash of one outputs folder."""

    def __init__(self, outputs: Path, chats: Chats) -> None:
        self._outputs, self._chats = outputs, chats
        self._root = outputs / NAME

    def put(self, ids: Iterable[str]) -> str:
        """Move items here, with what lies beside them; returns the token that brings all of them back.

        Raises:
            StudioError: the disk refuses; what was moved by then can be had back.
        """
        wanted = list(ids)
        if not wanted:
            return ""
        self.empty(TRASH_DAYS)
        token = f"{datetime.now(UTC).strftime(_FORM)}-{secrets.token_hex(4)}"
        for id in wanted:
            target = self._root / token / id
            try:
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if id.startswith(f"{CHATS}/"):
                    target.touch()  # before: a mark too many brings nothing back, one too few loses it
                    self._chats.delete(id.partition("/")[2])
                    continue
                (self._outputs / id).replace(target)  # before its recipe: a file is never left without one
                for file in _beside(self._outputs / id):
                    with suppress(FileNotFoundError):
                        file.replace(target.parent / file.name)
            except FileNotFoundError:  # somebody else was quicker
                continue
            except OSError as error:
                raise disk_error(error, self._outputs / id) from error
        return token

    def restore(self, token: str) -> tuple[str, ...]:
        """Bring back what was taken away together; returns the ids. A file whose name is taken by another one comes
        back under a name beside it.

        Raises:
            StudioError: unknown_item where it is gone for good; the disk refuses.
        """
        place = self._root / token
        if not _TOKEN.fullmatch(token) or not place.is_dir():
            raise StudioError("unknown_item")
        ids = []
        for file in _items(place):
            id = file.relative_to(place).as_posix()
            try:
                if id.startswith(f"{CHATS}/"):
                    self._chats.restore(id.partition("/")[2])
                    file.unlink()
                    ids.append(id)
                    continue
                target = unused(self._outputs / id)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                for one, other in zip(_beside(file), _beside(target), strict=True):
                    with suppress(FileNotFoundError):
                        one.replace(other)
                file.replace(target)
                ids.append(target.relative_to(self._outputs).as_posix())
            except FileNotFoundError:
                continue
            except OSError as error:
                raise disk_error(error, self._outputs / id) from error
        shutil.rmtree(place, ignore_errors=True)
        return tuple(ids)

    def all(self) -> tuple[Deleted, ...]:
        """What can be had back, the newest first."""
        found = []
        for place in sorted(self._places(), reverse=True):
            files = list(_items(place))
            size = sum(one.stat().st_size for file in files for one in (file, *_beside(file)) if one.exists())
            ids = tuple(file.relative_to(place).as_posix() for file in files)
            if ids:
                found.append(Deleted(place.name, _when(place.name), ids, size))
        return tuple(found)

    def empty(self, days: float = 0.0) -> int:
        """Delete for good what was taken away more than so many days ago; returns how many presses of Delete that was.

        What cannot be removed is left for the next time."""
        before = datetime.now(UTC) - timedelta(days=days)
        gone = [place for place in self._places() if _when(place.name) <= before]
        for place in gone:
            shutil.rmtree(place, ignore_errors=True)
        return len(gone)

    def _places(self) -> list[Path]:
        try:
            return [place for place in self._root.iterdir() if _TOKEN.fullmatch(place.name)]
        except OSError:
            return []


def _items(place: Path) -> Iterator[Path]:
    """The files of a place that are items themselves, without what lies beside them."""
    for folder, _, names in os.walk(place):
        there = set(names)
        for name in sorted(names):
            file = Path(folder, name)
            owned = name.endswith(".json") and name.removesuffix(".json") in there
            notes = file.suffix == ".mid" and f"{file.stem}.wav" in there
            if not owned and not notes:
                yield file


def _beside(file: Path) -> tuple[Path, ...]:
    return (scan.sidecar(file), scan.notes(file)) if file.suffix == ".wav" else (scan.sidecar(file),)


def _when(token: str) -> datetime:
    try:
        return datetime.strptime(token.partition("-")[0], _FORM).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(time.time(), UTC)
