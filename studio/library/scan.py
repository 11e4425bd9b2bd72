"""Scan of the outputs: every file below outputs/<task>, newest first, whatever it is called.

Days that are folders (2026-01-31) are opened one after another, as far as somebody reads; in them a name that begins
with a time (120000-…) tells it, and everything else goes by when it was written.
"""

from __future__ import annotations

import heapq
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.recipes import recipe
from studio.requests import Task

MAX_READ = 200_000_000
MAX_DEPTH = 6
_RECIPE_SUFFIX = ".json"
_WITH_SIDECAR = ("code", "caption")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"(\d{6})-.+")

_When = tuple[str, str, int, str]


def newest(root: Path, tasks: Iterable[Task]) -> Iterator[Path]:
    """Every file that may be an output, newest first. Hidden and unfinished files, links and recipes are left out."""
    days: dict[str, list[Path]] = {}
    others: list[Path] = []
    for task in tasks:
        for entry in _listed(root / task):
            if _DAY.fullmatch(entry.name) and entry.is_dir():
                days.setdefault(entry.name, []).append(Path(entry))
            else:
                others += _below(entry)
    loose = sorted(((_written(path), path) for path in others), reverse=True)
    for _, path in heapq.merge(_by_day(days), loose, reverse=True):
        yield path


def notes(path: Path) -> Path:
    """Where the notes of a piece of music lie, if its model writes any: a MIDI file."""
    return path.with_suffix(".mid")


def sidecar(path: Path) -> Path:
    """Where the recipe of a file lies that does not hold it."""
    return path.with_name(path.name + _RECIPE_SUFFIX)


def recipe_of(path: Path, task: str) -> dict[str, Any] | None:
    """The recipe of an output, inside it or beside it; None where it has none or is too large to look at."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_READ:
            return None
        made = recipe.read_recipe(path.read_bytes()) if task not in _WITH_SIDECAR else None
    except OSError:
        return None
    return made or beside(path)


def beside(path: Path) -> dict[str, Any] | None:
    """The recipe that lies beside a file that was kept without one inside; None where there is none."""
    try:
        own = sidecar(path)
        return recipe.read_recipe(own.read_bytes()) if own.is_file() and own.stat().st_size <= MAX_READ else None
    except (OSError, ValueError):
        return None


def _by_day(days: dict[str, list[Path]]) -> Iterator[tuple[_When, Path]]:
    for day in sorted(days, reverse=True):
        files = [file for folder in days[day] for entry in _listed(folder) for file in _below(entry)]
        yield from sorted(((_in_day(day, file), file) for file in files), reverse=True)


def _in_day(day: str, path: Path) -> _When:
    """The folder names the day, the name perhaps the time."""
    written = _written(path)
    if named := _TIME.match(path.name):
        return day, named[1], *written[2:]
    return day, written[1] if written[0] == day else "", *written[2:]


def _written(path: Path) -> _When:
    try:
        at = path.stat().st_mtime_ns
    except OSError:
        at = 0
    local = time.localtime(at // 10**9)
    return time.strftime("%Y-%m-%d", local), time.strftime("%H%M%S", local), at, path.name


def _below(entry: os.DirEntry[str], depth: int = 1) -> Iterator[Path]:
    if entry.name.startswith(".") or entry.is_symlink() or depth > MAX_DEPTH:
        return
    if entry.is_dir():
        for inner in _listed(Path(entry)):
            yield from _below(inner, depth + 1)
    elif entry.is_file() and not entry.name.endswith((_RECIPE_SUFFIX, ".part")):
        yield Path(entry)


def _listed(folder: Path) -> Sequence[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
