"""One worker a run: a lock on a file, which the system opens again when its holder dies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from studio.errors import StudioError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock. Raises StudioError caption_run_busy where another process, or this one, holds it."""
    with path.open("ab") as handle:
        try:
            if sys.platform == "win32":
                import msvcrt

                handle.seek(0)
                msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StudioError("caption_run_busy") from None
        yield
