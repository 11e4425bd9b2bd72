"""Disk use of the studio: what takes how much, what of it can go, and making room. Nothing goes without being told to.

Outputs that are made to go lie in the trash for a while (studio.library.trash); all other parts can be made or fetched
again, or are in nobody's way.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from studio.library.archive import Archive
from studio.library.index import Query
from studio.paths import Home, occupied

Part = Literal["outputs", "trash", "chats", "inputs", "captions", "thumbnails", "copies", "caches", "models"]
PARTS: tuple[Part, ...] = get_args(Part)
CLEARED: tuple[Part, ...] = ("trash", "thumbnails", "copies")
"""What `clear` may take away: it is not wanted any more, or made again when it is."""
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Taken:
    """What one part takes.

    Attributes:
        freed: bytes of it that `clear` would free.
    """

    part: Part
    nbytes: int
    freed: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """What all parts take, and what is free on the disk of the home."""

    parts: tuple[Taken, ...]
    free: int
    total: int


class DiskUse:
    """The parts of one home.

    Args:
        archive: None on a public studio, where nothing but models, copies and caches is looked at.
        copies: the folder of models that were converted for this machine.
        free_copies: makes room there, as far as none is in use; returns the bytes that it freed.
    """

    def __init__(self, home: Home, archive: Archive | None, copies: Path, free_copies: Callable[[], int]) -> None:
        self._home, self._archive = home, archive
        self._copies, self._free_copies = copies, free_copies
        self.thumbnails = home.cache / "library"

    def look(self) -> Use:
        """How everything stands."""
        home, trash = self._home, self._trashed()
        small, copies = occupied(self.thumbnails), occupied(self._copies)
        indexed = occupied(home.library)
        taken = {
            "outputs": Taken("outputs", occupied(home.outputs) - trash),
            "trash": Taken("trash", trash, trash),
            "chats": Taken("chats", occupied(home.chats)),
            "inputs": Taken("inputs", occupied(home.inputs)),
            "captions": Taken("captions", occupied(home.captions)),
            "thumbnails": Taken("thumbnails", small, small),
            "copies": Taken("copies", copies, copies),
            "caches": Taken("caches", max(occupied(home.cache) - small - copies, 0) + indexed),
            "models": Taken("models", occupied(home.models)),
        }
        disk = shutil.disk_usage(home.root)
        return Use(tuple(taken[part] for part in PARTS), disk.free, disk.total)

    def clear(self, parts: Sequence[Part]) -> int:
        """Take away what can be made again, or was deleted; returns the bytes that were freed.

        Raises:
            ValueError: a part that nobody may clear like that.
        """
        if strange := [part for part in parts if part not in CLEARED]:
            raise ValueError(strange[0])
        freed = 0
        if "trash" in parts:
            freed += self._trashed()
            if self._archive is not None:
                self._archive.trash.empty()
        if "thumbnails" in parts:
            freed += occupied(self.thumbnails)
            shutil.rmtree(self.thumbnails, ignore_errors=True)
        if "copies" in parts:
            freed += self._free_copies()
        return freed

    def over(self, limit: int) -> tuple[tuple[str, ...], int]:
        """What has to go so that all outputs take `limit` bytes at most: the oldest that nobody has marked.

        Returns their ids, the oldest first, and their bytes; `make_room` puts them into the trash.
        """
        if self._archive is None:
            return (), 0
        self._archive.sync()
        found: list[tuple[str, int]] = []
        total, after = 0, ""
        while True:
            page = self._archive.page(Query(), after, _PAGE)
            for item in page.items:
                if item.kind == "chat":
                    continue
                size = self._whole(item.id)
                total += size
                if not (item.star or item.tags or item.note or item.collections):
                    found.append((item.id, size))
            after = page.following
            if not after:
                break
        ids, freed = [], 0
        for id, size in reversed(found):
            if total - freed <= limit:
                break
            ids.append(id)
            freed += size
        return tuple(ids), freed

    def make_room(self, limit: int) -> tuple[str, int]:
        """Put into the trash what `over` names; returns what brings it back ("" where nothing had to go) and the bytes.

        The disk has them back when the trash is emptied. Raises StudioError where the disk refuses.
        """
        ids, freed = self.over(limit)
        return (self._archive.delete(ids) if self._archive is not None else ""), freed

    def _trashed(self) -> int:
        return sum(one.nbytes for one in self._archive.trash.all()) if self._archive is not None else 0

    def _whole(self, id: str) -> int:
        """Bytes of an output with what lies beside it."""
        file = self._home.outputs / id
        size = 0
        for one in (file, file.with_name(f"{file.name}.json"), file.with_suffix(".mid")):
            with suppress(OSError):
                size += os.stat(one).st_size
        return size
