"""Pace of painting: how long pictures took by each model on this machine, and what that says of those to come.

The measure is seconds a step and a million pixels, without waiting and loading; the newest runs count most.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.paths import write
from studio.requests import ImageRequest
from studio.results import Artifact

_NEWEST = 0.5
"""The share of the newest run in what is remembered."""
_MODELS = 200

Final = Callable[[Job, Artifact | None, StudioError | None], None]


class Pace:
    """What was measured, kept in a file.

    Args:
        file: where; None forgets it.
    """

    def __init__(self, file: Path | None) -> None:
        self._file, self._lock = file, threading.Lock()
        self._known = _read(file)

    def seconds(self, requests: Iterable[ImageRequest]) -> float | None:
        """How long these will take, without waiting and loading; None where one of the models never painted here."""
        whole = 0.0
        for one in requests:
            if one.model not in self._known:
                return None
            whole += self._known[one.model] * _work(one)
        return whole

    def note(self, requests: Iterable[ImageRequest], seconds: float) -> None:
        """Pictures of one model took so many seconds together."""
        asked = list(requests)
        work = sum(map(_work, asked))
        if not asked or work <= 0 or seconds <= 0 or len({one.model for one in asked}) != 1:
            return
        model, found = asked[0].model, seconds / work
        with self._lock:
            before = self._known.pop(model, found)
            self._known[model] = before + (found - before) * _NEWEST
            while len(self._known) > _MODELS:
                del self._known[next(iter(self._known))]
            kept = json.dumps(self._known)
        if self._file is not None:
            try:
                write(self._file, kept)
            except StudioError:  # a full disk: it is measured again
                return

    def timed(self, final: Final | None) -> Final:
        """What is told of a job's end, with its pace noted before."""

        def ended(job: Job, artifact: Artifact | None, error: StudioError | None) -> None:
            asked = [one for one in job.requests if isinstance(one, ImageRequest)]
            if artifact is not None and artifact.finish != "cancelled" and len(artifact.files) == _count(asked):
                self.note(asked, float(artifact.recipe.get("seconds") or 0.0))
            if final is not None:
                final(job, artifact, error)

        return ended


def _count(asked: list[ImageRequest]) -> int:
    return sum(one.count for one in asked)


def _work(one: ImageRequest) -> float:
    """Steps times millions of pixels, of all its pictures and of both passes where it is painted larger."""
    pixels = (one.width or 512) * (one.height or 512) / 1e6
    larger = (one.hires_strength or 0.5) * one.hires_scale**2 if one.hires_scale > 1 else 0.0
    return one.count * (one.steps or 20) * pixels * (1 + larger)


def _read(file: Path | None) -> dict[str, float]:
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    sound = (int, float)
    return {str(id): float(one) for id, one in found.items() if isinstance(one, sound) and 0 < one < 1e6}
