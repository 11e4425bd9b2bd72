"""Text files by name in folders that stand behind one another: the user's own first, then ours.

A name is the path below the folder without `.txt`: `cats` or `animals/cats`.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from studio.errors import StudioError
from studio.paths import inside

MAX_BYTES = 4_000_000
MAX_FILES = 5_000
_SUFFIX = ".txt"
_NAME = re.compile(r"[^\W_](?:[\w .-]|/(?=\w)){0,99}")


class Wordlists:
    """The text files in `folders`; of two with one name that of the first folder counts."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._read: dict[Path, tuple[tuple[int, int], str]] = {}

    def names(self) -> tuple[str, ...]:
        """All names, in the order of the alphabet."""
        found: set[str] = set()
        for folder in self._folders:
            for file in sorted(folder.rglob("*" + _SUFFIX))[:MAX_FILES]:
                name = file.relative_to(folder).as_posix().removesuffix(_SUFFIX)
                if _NAME.fullmatch(name):
                    found.add(name)
        return tuple(sorted(found, key=str.casefold))

    def text(self, name: str) -> str | None:
        """The text called `name`, or None. Bytes that are not UTF-8 become a replacement sign."""
        if not _NAME.fullmatch(name):
            return None
        for folder in self._folders:
            try:
                file = inside(folder, name + _SUFFIX)
                about = file.stat()
                stamp = (about.st_mtime_ns, about.st_size)
                if file not in self._read or self._read[file][0] != stamp:
                    with file.open("rb") as stream:
                        self._read[file] = (stamp, stream.read(MAX_BYTES).decode("utf-8-sig", "replace"))
                return self._read[file][1]
            except (OSError, StudioError):
                continue
        return None

    def near(self, name: str, most: int = 6) -> str:
        """Names that somebody who wrote `name` may have meant, for a sentence; the first ones where none is near."""
        names = self.names()
        close = difflib.get_close_matches(name, names, most, 0.5)
        return ", ".join(close or names[:most]) or "–"
