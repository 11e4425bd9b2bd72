"""Tally of jobs since the start: how they ended, how long they waited and ran, and the tokens they took."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.jobs.job import Job

BOUNDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Seconds that part the kinds of short and long jobs."""
_TOKENS: Mapping[str, str] = {"prompt_tokens": "prompt", "tokens": "completion"}


@dataclass(frozen=True, slots=True)
class Spread:
    """How long some jobs took.

    Attributes:
        within: how many took at most as long as each of BOUNDS, and all of them at last.
        seconds: all together.
    """

    within: tuple[int, ...]
    seconds: float


@dataclass(slots=True)
class _Times:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def spread(self) -> Spread:
        return Spread(tuple(sum(self.counts[: place + 1]) for place in range(len(self.counts))), self.seconds)


class Tally:
    """The figures of one studio. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._ran: dict[str, _Times] = {}
        self._waited: dict[str, _Times] = {}

    def ended(self, job: Job) -> None:
        """A job is over."""
        update = job.snapshot()
        with self._lock:
            self._ended[job.task, update.kind] += 1
            ran = job.ran
            self._waited.setdefault(job.task, _Times()).add(max(update.elapsed - ran, 0.0))
            if ran:
                self._ran.setdefault(job.task, _Times()).add(ran)
            for name, kind in _TOKENS.items():
                if update.artifact is not None and (count := update.artifact.stats.get(name, 0)) > 0:
                    self._tokens[job.task, kind] += int(count)

    def ends(self) -> dict[tuple[str, str], int]:
        """(task, how it ended) -> jobs."""
        with self._lock:
            return dict(self._ended)

    def tokens(self) -> dict[tuple[str, str], int]:
        """(task, prompt or completion) -> tokens."""
        with self._lock:
            return dict(self._tokens)

    def ran(self) -> dict[str, Spread]:
        """Task -> how long its jobs were at work."""
        with self._lock:
            return {task: times.spread() for task, times in self._ran.items()}

    def waited(self) -> dict[str, Spread]:
        """Task -> how long its jobs waited before, downloads and loads included."""
        with self._lock:
            return {task: times.spread() for task, times in self._waited.items()}
