"""A file or folder that was dropped onto the page: a browser says what it is called and how large, never where it lies.

It is used where it lies, so it is looked for: gigabytes that are on this disk need not be sent to a program on it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from studio.errors import StudioError

_DEEP = 5
_MOST = 200_000
_SECONDS = 8.0
_LEFT_OUT = frozenset({"node_modules", "site-packages", "__pycache__", "proc", "sys", "dev"})


def usual(home: Path) -> tuple[Path, ...]:
    """Where what a person drags may lie: what was fetched, what lies open, their own folder, other disks."""
    near = [home / name for name in ("Downloads", "Desktop", "Documents", "下载", "桌面", "文档")]
    disks = [Path(one) for one in ("/mnt", "/media", "/run/media", "/Volumes")]
    return tuple(one for one in (*near, home, *disks) if one.is_dir())


def find(name: str, nbytes: int | None, roots: Iterable[Path], seconds: float = _SECONDS) -> Path:
    """Where what was dropped lies.

    Args:
        name: its name. nbytes: its size; None for a folder.
        roots: folders to look through, the likeliest first.
        seconds: for how long at most.

    Raises:
        StudioError: dropped_unfound where it does not lie there.
    """
    until, seen, left = time.monotonic() + seconds, set[str](), _MOST
    for root in roots:
        for one in _walk(root, seen):
            left -= 1
            if left < 0 or time.monotonic() > until:
                raise StudioError("dropped_unfound", name=name)
            if one.name == name and _is(one, nbytes):
                return Path(one.path)
    raise StudioError("dropped_unfound", name=name)


def _is(entry: os.DirEntry[str], nbytes: int | None) -> bool:
    try:
        return entry.is_dir() if nbytes is None else entry.is_file() and entry.stat().st_size == nbytes
    except OSError:
        return False


def _walk(root: Path, seen: set[str]) -> Iterator[os.DirEntry[str]]:
    """What lies below a folder, the nearest first; no folder twice, and none that is hidden."""
    layer = [str(root)]
    for _ in range(_DEEP):
        below: list[str] = []
        for folder in layer:
            real = os.path.realpath(folder)
            if real in seen:
                continue
            seen.add(real)
            try:
                with os.scandir(folder) as entries:
                    inside = sorted(entries, key=lambda one: one.name)
            except OSError:
                continue
            for one in inside:
                yield one
                if one.is_dir(follow_symlinks=False) and not one.name.startswith(".") and one.name not in _LEFT_OUT:
                    below.append(one.path)
        layer = below
