"""The pictures and sounds that outputs were made from, kept by their hash, so that their recipes can be run again.

home/inputs/<sha256>, the bytes as they came; home/inputs/<sha256>.uses, the outputs that were made from them. Bounded:
the ones that were used longest ago go first. Who deletes every output that was made from a picture has deleted that
too, at the next start.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterable
from pathlib import Path

from studio.paths import Home, require_space, write
from studio.requests import Request
from studio.tasks.table import rules

MAX_BYTES = 2_000_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Inputs:
    """The input files in one folder. Safe to use from several threads.

    Args:
        keep_free: bytes that keeping leaves free on the disk.
    """

    def __init__(self, folder: Path, keep_free: int = 0, most: int = MAX_BYTES) -> None:
        self._folder, self._keep_free, self._most = folder, keep_free, most
        self._lock = threading.Lock()

    def keep(self, data: bytes) -> str:
        """Keep a file; returns its hash. One that is there already becomes the newest.

        Raises:
            StudioError: the disk is full or refuses.
        """
        name = hashlib.sha256(data).hexdigest()
        path = self._folder / name
        with self._lock:
            if self.find(name) is not None:
                with contextlib.suppress(OSError):
                    os.utime(path)
                return name
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_space(self._folder, len(data), self._keep_free)
            write(path, data)
            self._make_room(path)
        return name

    def find(self, sha256: str) -> bytes | None:
        """The file with this hash; None where it is not here or no longer what it was."""
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            return None
        try:
            data = (self._folder / sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def note(self, data: bytes, outputs: Iterable[str]) -> None:
        """Remember what was made from a file that is kept: paths below the outputs folder, none where nothing was."""
        uses = self._folder / f"{hashlib.sha256(data).hexdigest()}.uses"
        with self._lock, contextlib.suppress(OSError):  # without it the file is only kept longer
            with uses.open("a", encoding="utf-8") as file:
                file.writelines(f"{output}\n" for output in outputs)

    def clear(self, outputs: Path) -> None:
        """Remove the files whose outputs are all gone. An output that was moved within its folder is still there."""
        names: set[str] | None = None
        for uses in sorted(self._folder.glob("*.uses")):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                made = uses.read_text(encoding="utf-8").splitlines()
                if any((outputs / path).exists() for path in made):
                    continue
                if names is None:
                    names = {name for _, _, files in os.walk(outputs) for name in files}
                if names.isdisjoint(path.rpartition("/")[2] for path in made) and _SHA256.fullmatch(uses.stem):
                    (self._folder / uses.stem).unlink(missing_ok=True)
                    uses.unlink()

    def _make_room(self, newest: Path) -> None:
        found = []
        for file in self._folder.iterdir():
            with contextlib.suppress(OSError):
                about = file.stat()
                if _SHA256.fullmatch(file.name):
                    found.append((about.st_mtime_ns, about.st_size, file))
        total = sum(size for _, size, _ in found)
        for _, size, file in sorted(found):
            if total <= self._most:
                return
            if file != newest:
                with contextlib.suppress(OSError):
                    file.unlink(missing_ok=True)
                    total -= size


class Sources:
    """The files that requests start from. On a public studio nothing is kept and nothing is found.

    Args:
        keep_free: bytes that keeping leaves free on the disk.
    """

    def __init__(self, home: Home, *, public: bool = False, keep_free: int = 0) -> None:
        self._outputs, self._public = home.outputs, public
        self._inputs = Inputs(home.inputs, keep_free)

    def find(self, sha256: str) -> bytes | None:
        """A picture or sound that was used before; None where it is not here any more."""
        return None if self._public else self._inputs.find(sha256)

    def keep(self, request: Request) -> None:
        """Keep the files of a request. Raises StudioError where the disk is full or refuses."""
        if not self._public:
            for data in rules(request).sources(request):
                self._inputs.keep(data)

    def note(self, request: Request, outputs: Iterable[str]) -> None:
        """Remember which outputs the kept files of a request became, so that they go with these."""
        if not self._public:
            for data in rules(request).sources(request):
                self._inputs.note(data, outputs)

    def clear(self) -> None:
        """Take away kept files whose outputs somebody has deleted. For a start: nothing may be running."""
        self._inputs.clear(self._outputs)
