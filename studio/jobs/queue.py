"""Job queue: admission, and the end of what nobody watches. Who waits for whom: studio.jobs.turns."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from studio.errors import StudioError
from studio.jobs import pace
from studio.jobs.job import Job
from studio.jobs.rates import ACQUAINTED, Rates
from studio.jobs.tally import Tally
from studio.jobs.turns import asker
from studio.settings import Settings

KEPT_JOBS = 64
"""Finished jobs that a page coming back can still read. Their outputs are on disk in any case."""

PUBLIC_JOBS = 4
"""Jobs that a stranger may have waiting or running."""
PUBLIC_GRACE = 60.0
PUBLIC_LONGEST = 300.0
"""Seconds for which a stranger's job may keep the others waiting."""
OUT_OF_TIME = "out_of_time"


class Register:
    """All jobs of a studio, oldest first.

    Args:
        forgotten: told of those that are known no longer.
        figures: how long things take; None where nobody knows.

    Attributes:
        tally: of those that are over.
        longest: seconds that a job may work.
    """

    def __init__(
        self,
        settings: Settings,
        forgotten: Callable[[str], None] = lambda _: None,
        figures: pace.Pace | None = None,
    ) -> None:
        self._settings, self._forgotten, self._pace = settings, forgotten, figures
        self.longest = settings.longest_job or (PUBLIC_LONGEST if settings.public else math.inf)
        self._rates = None if settings.profile == "local" else Rates(times=1 if settings.public else ACQUAINTED)
        self._jobs: dict[str, Job] = {}
        self.tally = Tally()
        self._lock = threading.RLock()
        self._closed = threading.Event()
        grace = settings.detach_grace or (PUBLIC_GRACE if settings.public else 0.0)
        if grace or self.longest < math.inf:
            args = (grace or math.inf,)
            threading.Thread(target=self._sweep, args=args, name="sweeper", daemon=True).start()

    @property
    def most(self) -> float:
        """Jobs that a person may have waiting or running."""
        return min(self._settings.max_jobs_per_session, PUBLIC_JOBS if self._settings.public else math.inf)

    def accept(self, job: Job) -> None:
        """Take a job in.

        Raises:
            StudioError: too many jobs, or too often, closing, or one that would work for too long.
        """
        self._require_short(job)
        with self._lock:
            open_jobs = [other for other in self._jobs.values() if not other.done]
            mine = [other for other in open_jobs if other.session == job.session]
            if self._closed.is_set():
                raise StudioError("closing")
            if len(open_jobs) >= self._settings.max_queue:
                raise StudioError("queue_full", count=len(open_jobs))
            if len(mine) >= self.most:
                raise StudioError("too_many_jobs", count=len(mine))
            if self._rates is not None:
                self._rates.count(asker() if any(asker()) else ("", job.session))
            self._jobs[job.id], job.over = job, self.tally.ended
            finished = [other.id for other in self._jobs.values() if other.done]
            for id in finished[: max(len(finished) - KEPT_JOBS, 0)]:
                del self._jobs[id]
                self._forgotten(id)

    def forget(self, job: Job) -> None:
        """Nothing came of it."""
        with self._lock:
            self._jobs.pop(job.id, None)

    def jobs(self) -> tuple[Job, ...]:
        """Known jobs, oldest first."""
        with self._lock:
            return tuple(self._jobs.values())

    def job(self, id: str) -> Job:
        """The job with this id. Raises StudioError where there is none."""
        with self._lock:
            if id not in self._jobs:
                raise StudioError("unknown_job")
            return self._jobs[id]

    def busy(self) -> bool:
        """Whether any job wants a device, or has it; one on hold does not."""
        return any(not job.done and not job.held and job.task != "download" for job in self.jobs())

    def crowded(self) -> bool:
        """Whether somebody waits for a device."""
        return any(job.task != "download" and job.kind == "queued" and not job.held for job in self.jobs())

    def close(self) -> None:
        """Take nothing in any more."""
        self._closed.set()

    def _require_short(self, job: Job) -> None:
        if self._pace is None or job.plan is None or self.longest == math.inf:
            return
        seconds = self._pace.run(job.model, job.task, job.plan.units)
        if seconds is None or seconds <= self.longest:
            return
        told = {"seconds": math.ceil(seconds), "most": math.floor(self.longest)}
        less = pace.shorter(job.requests, self.longest / seconds)
        if less is None:
            raise StudioError("job_too_long", **told)
        raise StudioError("job_too_long_for", **told, field=f"field.{less[0]}", value=less[1])

    def _sweep(self, grace: float) -> None:
        """Stop jobs whose page has been gone for longer than `grace` seconds, and those that work for too long."""
        while not self._closed.wait(min(grace / 4, self.longest / 4, 5)):
            now = time.monotonic()
            for job in self.jobs():
                if job.done:
                    continue
                if job.kind == "running" and job.began is not None and now - job.began > self.longest:
                    job.told(OUT_OF_TIME, 0)
                    job.cancel()
                elif job.readers == 0 and now - job.left > grace:
                    job.cancel()
