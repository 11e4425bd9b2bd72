"""Figures that are learned while the studio runs, kept in a small file.

It is written seldom, and done without where it cannot be read.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Generic, TypeVar

from studio.errors import StudioError
from studio.paths import write

N = TypeVar("N", int, float)


class Figures(Generic[N]):
    """Numbers by name, those that were set last at the end. Its owner lets one thread in at a time.

    Args:
        file: where they are kept; None keeps them for this process only. One that cannot be read or written is done
            without.
        most: how many are remembered; the oldest are forgotten first.
        noticed: the share of a number by which it has to change to be written.
        kind: what they are; others in the file are passed over, as are negative ones and those of `limit` or more.
        log: where it is said that the disk refuses.
    """

    def __init__(
        self, file: Path | None, kind: type[N], *, most: int, noticed: float, log: logging.Logger,
        limit: float = float("inf"),
    ) -> None:  # fmt: skip
        self._file, self._most, self._noticed, self._log = file, most, noticed, log
        self.known = _read(file, kind, limit)
        self._kept = dict(self.known)  # as they stand in the file

    def put(self, name: str, value: N) -> None:
        """Remember a number, and write all of them where it is new or another."""
        self.known.pop(name, None)
        self.known[name] = value
        while len(self.known) > self._most:
            del self.known[next(iter(self.known))]
        before = self._kept.get(name)
        if self._file is None or (before is not None and abs(value - before) <= before * self._noticed):
            return
        try:
            write(self._file, json.dumps(self.known, indent=0))
            self._kept = dict(self.known)
        except StudioError as error:  # a full disk costs a guess, not a picture
            self._log.warning("what was learned could not be kept in %s: %s", self._file.name, error)


def _read(file: Path | None, kind: type[N], limit: float) -> dict[str, N]:
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    fits = int if kind is int else (int, float)
    return {
        name: kind(value)
        for name, value in content.items()
        if isinstance(value, fits) and not isinstance(value, bool) and 0 <= value < limit
    }
