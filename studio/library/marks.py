"""Marks of a person's on items of the library: tags, a note, collections. Kept beside the outputs, not in the index.

outputs/.marks.jsonl is a journal: a line holds all marks of one item, and the last line about an item counts. A line is
added in one step, so neither a killed process nor two at once can lose another's; half a line is passed over.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.errors import StudioError
from studio.paths import disk_error
from studio.tasks.bounds import label

NAME = ".marks.jsonl"
MOST, LONGEST, LONGEST_NOTE = 40, 60, 4000
"""Tags or collections of one item; letters of one of them; of a note."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What one item is marked with. Without anything it is false."""

    tags: tuple[str, ...] = ()
    note: str = ""
    collections: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tags or self.note or self.collections)


class Marks:
    """The journal below the outputs folder. Safe to use from several threads and several processes."""

    def __init__(self, outputs: Path) -> None:
        self._file = outputs / NAME
        self._lock = threading.Lock()

    @property
    def file(self) -> str:
        """Which file the journal is now: another one, put in its place, has another mark."""
        try:
            state = self._file.stat()
        except OSError:
            return ""
        return str(state.st_ino)

    def since(self, place: int) -> tuple[dict[str, Mark], int]:
        """The marks in all lines from byte `place` on, and where the next are to be read from; less than `place`
        where the journal has become shorter, and has to be read from its beginning."""
        try:
            with self._file.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < place:
                    return {}, size
                file.seek(place)
                data = file.read()
        except OSError:
            return {}, 0
        whole = data[: data.rfind(b"\n") + 1]  # a line that is being written has no end yet
        return dict(filter(None, map(_read, whole.splitlines()))), place + len(whole)

    def put(self, marks: Mapping[str, Mark]) -> None:
        """Mark items, in place of what they were marked with.

        Raises:
            StudioError: too_long, out_of_range; the disk is full or refuses.
        """
        for mark in marks.values():
            _check(mark)
        lines = [
            {"id": id, "tags": mark.tags, "note": mark.note, "collections": mark.collections}
            for id, mark in marks.items()
        ]
        data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode("utf-8", "replace")
        with self._lock:
            try:
                self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
                try:
                    size = os.fstat(handle).st_size
                    torn = size and os.pread(handle, 1, size - 1) != b"\n" if hasattr(os, "pread") else size
                    os.write(handle, (b"\n" if torn else b"") + data)
                    os.fsync(handle)
                finally:
                    os.close(handle)
            except OSError as error:
                raise disk_error(error, self._file) from error


def named(names: Iterable[str]) -> tuple[str, ...]:
    """Tags or collections as they are kept: each once, in order, without needless blanks."""
    return tuple(dict.fromkeys(name for each in names if (name := " ".join(str(each).split()))))


def _check(mark: Mark) -> None:
    for names, field in ((mark.tags, "tags"), (mark.collections, "collections")):
        if len(names) > MOST:
            raise StudioError("out_of_range", field=label(field), value=len(names), low=0, high=MOST)
        for name in names:
            if len(name) > LONGEST:
                raise StudioError("too_long", field=label(field), count=len(name), limit=LONGEST)
    if len(mark.note) > LONGEST_NOTE:
        raise StudioError("too_long", field=label("note"), count=len(mark.note), limit=LONGEST_NOTE)


def _read(line: bytes) -> tuple[str, Mark] | None:
    try:
        found = json.loads(line)
        tags, collections = found.get("tags", ()), found.get("collections", ())
        note = found.get("note", "")
        if not isinstance(found["id"], str) or not isinstance(note, str):
            return None
        return found["id"], Mark(named(tags), note, named(collections))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
