"""Expiry of what strangers leave on a public studio: outputs, conversations, pictures to be captioned.

Nobody comes back for them after a while, and nobody else may see them. Knows folders and times, nothing of what is in
them. Only for a public studio: at home everything made is kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from studio.paths import Home

OUTPUTS_SECONDS, OUTPUTS_BYTES = 6 * 3600.0, 2_000_000_000
"""How long outputs are kept, and how many bytes of them; the oldest go first."""
SESSION_SECONDS = 2 * 3600.0
"""How long somebody's conversations are kept after their page was last there; their browser has them for longer."""


def tidy(home: Home, sessions: Path) -> None:
    """Remove what has been kept long enough. What cannot be removed is left for the next time.

    Args:
        sessions: what each of them said and sent, a folder for each.
    """
    _outputs(home.outputs, time.time())
    _sessions(sessions, time.time())


def _outputs(root: Path, now: float) -> None:
    found = sorted(_files(root))
    total = sum(size for _, size, _ in found)
    for when, size, file in found:
        if now - when <= OUTPUTS_SECONDS and total <= OUTPUTS_BYTES:
            break
        with contextlib.suppress(OSError):
            file.unlink()
            total -= size
    for place, _, _ in os.walk(root, topdown=False):  # days that nothing is left of
        if Path(place) != root:
            with contextlib.suppress(OSError):
                Path(place).rmdir()


def _sessions(root: Path, now: float) -> None:
    if not root.is_dir():
        return
    for place in root.iterdir():
        newest = max((when for when, _, _ in _files(place)), default=0.0)
        with contextlib.suppress(OSError):
            if now - max(newest, place.stat().st_mtime) > SESSION_SECONDS:
                shutil.rmtree(place, ignore_errors=True)


def _files(root: Path) -> list[tuple[float, int, Path]]:
    """(when written, bytes, file) of all below a folder."""
    found: list[tuple[float, int, Path]] = []
    for place, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):
                file = Path(place, name)
                state = file.lstat()
                found.append((state.st_mtime, state.st_size, file))
    return found
