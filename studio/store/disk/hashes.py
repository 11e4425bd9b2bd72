"""Hashes of checkpoints, as AUTOMATIC1111 made them common: the first ten digits of a file's SHA-256.

A checkpoint is gigabytes, so each is read once, in the background, and remembered for as long as it keeps its size and
time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from studio.errors import StudioError
from studio.paths import write

log = logging.getLogger("studio")

SHORT = 10
"""Digits of the hash that people write down."""
_PIECE = 1 << 22


class ModelHashes:
    """The hashes of one studio. Safe to use from several threads.

    Args:
        kept: where they are remembered. A file that cannot be read or written is done without.
    """

    def __init__(self, kept: Path) -> None:
        self._kept, self._lock = kept, threading.Lock()
        self._known: dict[str, tuple[int, int, str]] | None = None
        self._wanted: list[Path] = []
        self._worker: threading.Thread | None = None
        self._closed = False

    def short(self, file: Path) -> str:
        """The short hash of a file; "" where nobody has read it yet, or it cannot be read."""
        return self._remembered(file)[:SHORT]

    def ask(self, files: Iterable[Path]) -> None:
        """Have these read in the background, one after the other; those that are known are not read again."""
        with self._lock:
            waiting = {str(one) for one in self._wanted}
        new = [file for file in files if str(file) not in waiting and file.is_file() and not self._remembered(file)]
        with self._lock:
            if self._closed or not new:
                return
            self._wanted += new
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._work, name="model-hashes", daemon=True)
                self._worker.start()

    def now(self, file: Path) -> str:
        """The short hash, read now where nobody did before; "" where the file cannot be read."""
        return self.short(file) or self._read(file)[:SHORT]

    def named(self, short: str) -> Path | None:
        """The file that has this hash, given in six or more of its first digits; None where none is known."""
        wanted = short.strip().lower()
        if len(wanted) < 6:
            return None
        for path, (_, _, digits) in list(self._table().items()):
            if digits.startswith(wanted) and self._remembered(Path(path)):
                return Path(path)
        return None

    def close(self) -> None:
        """Read no more."""
        with self._lock:
            self._closed = True
            self._wanted.clear()
            worker = self._worker
        if worker is not None:
            worker.join(timeout=5.0)

    def _remembered(self, file: Path) -> str:
        try:
            state = file.stat()
        except OSError:
            return ""
        size, written, digits = self._table().get(str(file), (0, 0, ""))
        return digits if (size, written) == (state.st_size, state.st_mtime_ns) else ""

    def _table(self) -> dict[str, tuple[int, int, str]]:
        with self._lock:
            if self._known is None:
                self._known = _load(self._kept)
            return self._known

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._closed or not self._wanted:
                    self._worker = None
                    return
                file = self._wanted.pop(0)
            self._read(file, gently=True)  # half of the time is left to whoever works meanwhile

    def _read(self, file: Path, gently: bool = False) -> str:
        total = hashlib.sha256()
        try:
            state = file.stat()
            with file.open("rb") as stream:
                while True:
                    began = time.monotonic()
                    if self._closed or not (data := stream.read(_PIECE)):
                        break
                    total.update(data)
                    if gently:
                        time.sleep(time.monotonic() - began)
            if self._closed:
                return ""
        except OSError:
            return ""
        table = self._table()
        with self._lock:
            table[str(file)] = state.st_size, state.st_mtime_ns, total.hexdigest()
            document = json.dumps({path: list(row) for path, row in table.items()})
        try:
            write(self._kept, document)
        except StudioError as error:
            log.warning("%s", error)
        return total.hexdigest()


def _load(file: Path) -> dict[str, tuple[int, int, str]]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return {str(path): (int(size), int(written), str(digits)) for path, (size, written, digits) in rows.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
