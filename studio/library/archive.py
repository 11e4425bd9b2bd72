"""Archive: everything that was made, in every tab, found again; what a person does with it.

Files first, rows after: the outputs, the conversations, and what a person marked them with are files, and the index
only knows them faster. `sync` brings it up to date by the times of folders, so that a file may also be moved, copied or
deleted by hand; `rebuild` makes it anew from the files' own recipes.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.library import items, scan
from studio.library.chats import Chats
from studio.library.favourites import Stars
from studio.library.index import PAGE, Found, Index, Query
from studio.library.items import CHATS, IMPORTED, Item
from studio.library.marks import Mark, Marks, named
from studio.library.trash import Trash
from studio.paths import Home, inside
from studio.requests import TASKS

_SETTLED = 2_000_000_000
"""Nanoseconds after which the time of a folder tells of every file in it: clocks of file systems are coarse."""
_BATCH = 50
_CHAT_ID = 16
_log = logging.getLogger(__name__)


class Archive:
    """The library of one home. Safe to use from several threads; several processes may have one each.

    Args:
        chats: the conversations.
        stars: the outputs that have a star.

    Attributes:
        outputs: the folder of what was made.
        trash: what was deleted and can be had back.
    """

    def __init__(self, home: Home, chats: Chats, stars: Stars) -> None:
        self.outputs, self._chat_folder = home.outputs, home.chats
        self._chats, self._stars, self._marks = chats, stars, Marks(home.outputs)
        self._index = Index(home.library / "index.sqlite")
        self.trash = Trash(home.outputs, chats)
        self._syncing = threading.Lock()

    # ---- finding

    def page(self, query: Query, after: str = "", limit: int = PAGE, *, count: bool = False) -> Found:
        """A page of what fits a query, newest first (Index.page). `sync` comes before it, where it is to be up to
        date. Raises StudioError: library_busy, library_damaged, cannot_write."""
        return self._index.page(query, after, limit, count=count)

    def item(self, id: str) -> Item:
        """The item with an id. Raises StudioError: unknown_item."""
        found = self._index.find(id)
        if found is None:
            raise StudioError("unknown_item")
        return found

    def file(self, id: str) -> Path:
        """Where an item lies. Raises StudioError: unknown_item where it is gone, or is none."""
        task, _, rest = id.partition("/")
        path = inside(self._chat_folder, f"{rest}.json") if task == CHATS else inside(self.outputs, id)
        if not path.is_file() or path.name.startswith(".") or task not in {*_folders(), CHATS}:
            raise StudioError("unknown_item")
        return path

    def twin(self, data: bytes) -> Item | None:
        """The item whose file has these bytes, the newest of several; None where there is none."""
        for id in self._index.sized(len(data)):
            with suppress(OSError, StudioError):  # it may have gone meanwhile
                if self.file(id).read_bytes() == data:
                    return self._index.find(id)
        return None

    def recipe(self, id: str) -> dict[str, Any] | None:
        """How an item was made; None of a conversation, whose answers have one each, and of what does not say it."""
        return None if id.startswith(f"{CHATS}/") else scan.recipe_of(self.file(id), id.partition("/")[0])

    def models(self) -> tuple[tuple[str, str, int], ...]:
        """(id, title, how many items) of each model, the busiest first."""
        return self._index.models()

    def tasks(self) -> dict[str, int]:
        """Task -> how many items."""
        return self._index.tasks()

    def labels(self) -> tuple[dict[str, int], dict[str, int]]:
        """Tags and collections -> how many items."""
        return self._index.labels()

    # ---- marking

    def star(self, ids: Iterable[str], on: bool) -> None:
        """Give items a star, or take it away. Raises StudioError: the disk is full or refuses."""
        self._stars.put(ids, on)
        self._sync_stars()

    def mark(self, ids: Iterable[str], how: Callable[[Mark], Mark]) -> None:
        """Change what items are marked with.

        Raises:
            StudioError: unknown_item, too_long, out_of_range; the disk is full or refuses.
        """
        found = [self.item(id) for id in ids]
        self._marks.put({one.id: how(Mark(one.tags, one.note, one.collections)) for one in found})
        self._sync_marks()

    def tag(self, ids: Iterable[str], add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add tags to items and take others away. Raises StudioError as `mark`."""
        self.mark(ids, lambda one: replace(one, tags=_changed(one.tags, add, remove)))

    def collect(self, ids: Iterable[str], add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Put items into collections and take them out of others. Raises StudioError as `mark`."""
        self.mark(ids, lambda one: replace(one, collections=_changed(one.collections, add, remove)))

    def note(self, id: str, text: str) -> None:
        """Write a note on an item; an empty one takes it away. Raises StudioError as `mark`."""
        self.mark([id], lambda one: replace(one, note=text.strip()))

    # ---- deleting

    def delete(self, ids: Iterable[str]) -> str:
        """Put items into the trash; returns by what `restore` brings all of them back, "" where none was here.

        Raises:
            StudioError: the disk refuses.
        """
        wanted = list(dict.fromkeys(ids))
        token = self.trash.put([id for id in wanted if self._is_here(id)])
        self._index.forget(wanted)
        self.sync()
        return token

    def restore(self, token: str) -> tuple[str, ...]:
        """Bring back what one `delete` took away; returns the ids. Raises StudioError: unknown_item where it is gone
        for good."""
        ids = self.trash.restore(token)
        self.sync()
        return ids

    def _is_here(self, id: str) -> bool:
        try:
            return bool(self.file(id))
        except StudioError:
            return False

    # ---- keeping the index true

    def noted(self, files: Sequence[Path]) -> None:
        """Outputs were written: they are found from now on. What the index refuses is found at the next `sync`."""
        try:
            self._index.put(self._read_outputs([(file, _stamp(file)) for file in files if file]))
        except StudioError as error:
            _log.warning("The library hears of new outputs later: %s", error)

    def sync(self, seconds: float | None = None) -> bool:
        """Bring the index up to date; whether it is.

        Args:
            seconds: how long it may take; the rest is done at the next call. None for as long as it takes.

        Raises:
            StudioError: library_busy, library_damaged, cannot_write.
        """
        until = time.monotonic() + seconds if seconds is not None else None
        with self._syncing:
            self._sync_stars()
            self._sync_marks()
            return self._sync_folders(until)

    def rebuild(self) -> int:
        """Make the index anew from the files; returns how many items there are. Raises StudioError as `sync`."""
        with self._syncing:
            self._index.clear()
            self._sync_stars()
            self._sync_marks()
            self._sync_folders(None)
        return sum(self._index.tasks().values())

    def dump(self) -> list[tuple[object, ...]]:
        """The rows of the index, in order."""
        return self._index.dump()

    def close(self) -> None:
        """Let go of the index's file."""
        self._index.close()

    # ---- inside

    def _sync_stars(self) -> None:
        stamp = self._stars.stamp
        if self._index.state("stars") != (stamp or "none"):
            self._index.star(self._stars.all(), ("stars", stamp or "none"))

    def _sync_marks(self) -> None:
        file, _, place = self._index.state("marks").partition(" ")
        now = self._marks.file
        anew = file != now
        told, end = self._marks.since(0 if anew else int(place or 0))
        if end < int(place or 0) and not anew:
            anew = True
            told, end = self._marks.since(0)
        if anew or told or end != int(place or 0):
            self._index.mark(told, ("marks", f"{now} {end}"), anew=anew)

    def _sync_folders(self, until: float | None) -> bool:
        """Read the folders that have changed; whether there was time for all of them, some of it there always is."""
        known = self._index.folders()
        children: dict[str, list[str]] = {}
        for path, (parent, _) in known.items():
            children.setdefault(parent, []).append(path)
        waiting = [str(self._chat_folder), *(str(self.outputs / name) for name in _folders())]
        begun = False
        while waiting:
            folder = waiting.pop()
            stamp, settled = _folder_stamp(folder)
            if not stamp:
                if folder in known:
                    self._index.lose(folder)
                continue
            if folder in known and known[folder][1] == stamp:
                waiting += sorted(children.get(folder, ()))
                continue
            before = self._index.stamps(folder)  # ahead of the look: what is written meanwhile is new, and never gone
            inner, files = _entries(folder, Path(folder) == self._chat_folder, self.outputs)
            ids = {self._id(path): (path, told) for path, told in files}
            if gone := [id for id in before if id not in ids]:
                self._index.forget(gone)
            changed = sorted(((path, told) for id, (path, told) in ids.items() if before.get(id) != told), reverse=True)
            for at in range(0, len(changed), _BATCH):
                if until is not None and begun and time.monotonic() > until:
                    return False
                begun = True
                self._index.put(self._read_outputs(changed[at : at + _BATCH]))
            for gone_folder in set(children.get(folder, ())) - set(inner):
                self._index.lose(gone_folder)
            waiting += sorted(inner)  # days: the newest is taken first
            self._index.read(folder, str(Path(folder).parent), stamp if settled else "")
        return True

    def _read_outputs(self, files: Sequence[tuple[Path, str]]) -> list[tuple[str, Item]]:
        """Rows of files, those that are none of ours left out."""
        found = []
        for path, stamp in files:
            chat = path.parent == self._chat_folder
            item = items.of_chat(path, stamp) if chat else items.of_output(path, self.outputs, stamp)
            if item is not None:
                found.append((str(path.parent), item))
        return found

    def _id(self, path: Path) -> str:
        return f"{CHATS}/{path.stem}" if path.parent == self._chat_folder else path.relative_to(self.outputs).as_posix()


def _folders() -> Iterator[str]:
    yield IMPORTED
    yield from (task for task in TASKS if task != CHATS)


def _folder_stamp(folder: str) -> tuple[str, bool]:
    """The time of a folder, "" where it is gone, and whether that tells of every change that is still to come."""
    try:
        at = os.stat(folder).st_mtime_ns
    except OSError:
        return "", False
    return str(at), time.time_ns() - at > _SETTLED


def _entries(folder: str, chats: bool, outputs: Path) -> tuple[list[str], list[tuple[Path, str]]]:
    """The folders in a folder, and the files that may be items, each with its stamp."""
    inner: list[str] = []
    files: dict[str, os.stat_result] = {}
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.name.startswith(".") or entry.is_symlink():
                    continue
                if entry.is_dir():
                    if not chats and len(Path(folder).relative_to(outputs).parts) <= scan.MAX_DEPTH:
                        inner.append(entry.path)
                else:
                    try:
                        files[entry.name] = entry.stat()
                    except OSError:
                        continue
    except OSError:
        return [], []
    if chats:
        return [], [
            (Path(folder, name), _told(state)) for name, state in files.items()
            if name.endswith(".json") and len(name) == _CHAT_ID + 5
        ]  # fmt: skip
    return inner, [
        (Path(folder, name), _told(state, files.get(f"{name}.json")))
        for name, state in files.items()
        if not name.endswith((".json", ".part", ".mid"))
    ]


def _told(state: os.stat_result, beside: os.stat_result | None = None) -> str:
    return f"{state.st_mtime_ns} {state.st_size} {beside.st_mtime_ns if beside else 0}"


def _stamp(file: Path) -> str:
    """As `_entries` tells it, of one file."""
    try:
        state = file.stat()
        own = scan.sidecar(file)
        return _told(state, own.stat() if own.exists() else None)
    except OSError:
        return ""


def _changed(names: Iterable[str], add: Iterable[str], remove: Iterable[str]) -> tuple[str, ...]:
    out = set(named(remove))
    return named([*(name for name in names if name not in out), *add])
