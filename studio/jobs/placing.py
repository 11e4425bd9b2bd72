"""Placing: whether a job is computed here or by another computer, and what becomes of it when that one is gone.

A job goes where its model is in memory, else where it fits, here where that is equal; among the workers of a cluster
where it is done soonest (studio.jobs.soonest). What names files that lie beside the models of this machine stays here,
and so does what another studio asked for: no job travels twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.jobs.job import Job
from studio.jobs.soonest import Given, Soonest
from studio.manager import Fleet
from studio.manager.backends.elsewhere import Elsewhere
from studio.manager.backends.engine import needs_files
from studio.manager.backends.ray.workers import UNBOUND
from studio.store import Store

_ELSEWHERE = frozenset({
    *("remote_gone", "remote_busy", "remote_stopped", "closing", "queue_full", "too_many_jobs", "too_busy"),
    *("unknown_model", "no_model", "api_not_here", "not_on_disk", "missing_files"),
    *("out_of_memory", "does_not_fit", "does_not_fit_yet", "device_stuck", "worker_ended", "worker_hung"),
})  # fmt: skip
"""Errors that say something of the place and not of what was asked for."""

NOBODY = "ray"
"""Where a job goes whose model only workers had, of which none is left: it hears that nobody answers."""


@dataclass(slots=True)
class _Placed:
    """A job that was placed: its model as the catalogue has it, where it is, and where it failed."""

    card: Card
    host: str = ""
    failed: set[str] = field(default_factory=set)
    given: Given | None = None


class Places:
    """Where the jobs of one studio are.

    Args:
        jobs: those that are known.
    """

    def __init__(self, store: Store, fleet: Fleet, peers: Elsewhere, jobs: Callable[[], Sequence[Job]]) -> None:
        self._store, self._fleet, self._peers, self._jobs = store, fleet, peers, jobs
        self._lock = threading.Lock()
        self._placed: dict[str, _Placed] = {}

    def waits(self, job: Job, card: Card) -> bool:
        """Whether a job waits for whichever worker of the cluster is the first to have room."""
        workers = self._peers.workers
        if workers is None or card.host or card.own or not _travels(job) or workers.places >= UNBOUND:
            return False
        return not workers.known or bool(workers.having(card))

    def place(self, job: Job, card: Card) -> Card:
        """The model as the job is to ask for it: as the catalogue has it, or as another computer has it."""
        if not (self._peers.names or self._peers.workers) or not _travels(job):
            return card
        with self._lock:
            placed = self._placed.setdefault(job.id, _Placed(card))
            placed.card = placed.card if placed.card.id == card.id else card
            placed.given = None
            placed.host = self._worker(job, placed) or self._chosen(job, placed)
            return self._peers.card(placed.card, placed.host) if placed.host else placed.card

    def again(self, job: Job, card: Card, error: StudioError) -> Card | None:
        """The model with which a job goes on whose computer failed; None where that is its end.

        It is tried elsewhere once, and only as long as nobody has seen anything of it.
        """
        with self._lock:
            placed = self._placed.get(job.id)
            if placed is None or not placed.host or card.host != placed.host:
                return None
        if error.code == "remote_gone":
            self._peers.lost(placed.host)  # without the lock: others that wait may be placed now
        with self._lock:
            if error.code not in _ELSEWHERE or job.cancelled or placed.failed or _shown(job):
                return None
            placed.failed.add(placed.host)
            if not self._here(placed.card) and not self._others(placed) and not self.waits(job, placed.card):
                return None
            return placed.card

    def left(self, job: str) -> None:
        """A job is over."""
        with self._lock:
            self._placed.pop(job, None)

    def _worker(self, job: Job, placed: _Placed) -> str:
        """The name of the worker that does a job soonest; "" where none can."""
        if (workers := self._peers.workers) is None or not (having := workers.having(placed.card)):
            return ""
        given = [one.given for id, one in self._placed.items() if id != job.id and one.given is not None]
        soonest = Soonest(workers.known, {name: has for name, (has, _) in having.items()}, given)
        units = job.plan.units if job.plan is not None else 0.0
        # one that failed comes last: it may have come back, and be all there is
        placed.given = soonest.choose(placed.card, job.task, units, placed.failed, self._behind(job, placed.card))
        workers.warm(placed.given.host, placed.card.id)
        return placed.given.host

    def _behind(self, job: Job, card: Card) -> list[float]:
        """The work of each job of a model that waits for a worker, beside one."""
        waiting = (one for one in self._jobs() if one.kind == "queued" and one.model == card.id and not one.held)
        return [one.plan.units for one in waiting if one.plan is not None and one is not job and not self._away(one)]

    def _chosen(self, job: Job, placed: _Placed) -> str:
        """The name of the peer, "" for here."""
        costs: list[tuple[tuple[int, int, bool], str]] = []
        if self._here(placed.card):
            mine = [one for one in self._jobs() if not one.done and one.id != job.id and not self._away(one)]
            ready = self._store.state(placed.card) == "ready"
            costs.append(((self._fleet.coldness(placed.card) if ready else 4, len(mine), False), ""))
        for name, (has, busy) in self._others(placed).items():
            sent = sum(one.host == name for id, one in self._placed.items() if id != job.id)
            costs.append(((0 if has.loaded else 2 if has.fits else 4, max(busy, sent), True), name))
        left = [name for name in self._peers.names if name not in placed.failed]
        # asked all the same: nothing is fetched unasked
        return min(costs)[1] if costs else next(iter([*left, *placed.failed]), NOBODY)

    def _others(self, placed: _Placed) -> dict[str, tuple[Any, int]]:
        found = self._peers.having(placed.card, wait=True)
        return {name: one for name, one in found.items() if name not in placed.failed}

    def _here(self, card: Card) -> bool:
        return card.starter or self._store.state(card) == "ready"

    def _away(self, job: Job) -> bool:
        return job.id in self._placed and bool(self._placed[job.id].host)


def _travels(job: Job) -> bool:
    """Whether a job may be computed elsewhere."""
    plan = job.plan
    return plan is not None and plan.travels and not plan.cards and not any(map(needs_files, plan.requests))


def _shown(job: Job) -> bool:
    """Whether anybody saw or heard anything of it."""
    seen = job.snapshot()
    return bool(seen.text or seen.previews or seen.live)
