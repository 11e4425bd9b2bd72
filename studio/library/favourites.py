"""Favourites: the names of marked outputs in one plain text file, a line each, below the outputs folder."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from studio.paths import write

NAME = ".stars.txt"
_MOST = 100_000


class Stars:
    """Safe to use from several threads; of two processes that write at once the later one wins."""

    def __init__(self, outputs: Path) -> None:
        self._file = outputs / NAME
        self._lock = threading.Lock()

    def all(self) -> frozenset[str]:
        """The ids that have a star; none where the file is missing or cannot be read."""
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return frozenset()
        return frozenset(line for line in lines[:_MOST] if line)

    def turn(self, id: str) -> bool:
        """Give a star, or take it away. Returns whether it has one now.

        Raises:
            StudioError: the disk is full or refuses.
        """
        with self._lock:
            known = self.all()
            changed = known - {id} if id in known else known | {id}
            self._write(changed)
            return id in changed

    def put(self, ids: Iterable[str], on: bool) -> None:
        """Give several a star, or take it away. Raises StudioError: the disk is full or refuses."""
        with self._lock:
            known = self.all()
            changed = known | set(ids) if on else known - set(ids)
            if changed != known:
                self._write(changed)

    @property
    def stamp(self) -> str:
        """Changes when the file does; empty where there is none."""
        try:
            state = self._file.stat()
        except OSError:
            return ""
        return f"{state.st_ino} {state.st_mtime_ns} {state.st_size}"

    def _write(self, ids: Iterable[str]) -> None:
        write(self._file, "".join(f"{one}\n" for one in sorted(ids)))
