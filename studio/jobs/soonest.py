"""Soonest: which worker of a cluster is done first with a job, from what is known of each; pure.

What counts is what waits there already, the load where the model is not in memory, and how long the job takes there, as
each worker has learned it. A load counts for a second at least, and twice where another model would have to leave: a
model that is warm is used where it is, unless waiting for it takes longer than bringing it elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from studio.catalog.card import Card
from studio.jobs.line import UNKNOWN
from studio.manager.backends.ray.workers import Known
from studio.manager.backends.remote.peers import Has

LOAD = 10.0
"""Seconds of a load that was never seen."""
LEAST = 1.0
"""Seconds that a load counts for at least."""
MOVED = 30.0
"""Seconds beside its own load that it counts for where another model has to leave: somebody may want that one next."""
FETCH, RATE = 60.0, 20e6
"""Seconds that a download counts for at least, and bytes of it a second."""
NEVER = 1e6
"""What counts for a worker without the memory for a model."""


@dataclass(frozen=True, slots=True)
class Given:
    """A job that a worker was given. `seconds`: how long it takes there. `since`: when, of time.monotonic()."""

    host: str
    model: str
    seconds: float
    since: float = 0.0


class Soonest:
    """One decision.

    Args:
        known: the workers that answer. having: what those that may be asked have of the model.
        given: what all of them were given and is not over.
    """

    def __init__(
        self, known: Mapping[str, Known], having: Mapping[str, Has], given: Sequence[Given],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._known, self._having, self._now = known, having, clock()
        self._given = {name: [one for one in given if one.host == name] for name in having}

    def choose(
        self, card: Card, task: str, units: float, failed: Collection[str] = (), behind: Sequence[float] = ()
    ) -> Given:
        """Where a job goes.

        Args:
            units: its work (studio.jobs.pace). failed: workers that are taken only where there is no other.
            behind: the work of each job of the same model that waits behind it. Those will want the workers where the
                model is warm as well, so a further one is worth its load where they are many.
        """
        ran = {name: self._known[name].run(card.id, task, units) for name in self._having if name in self._known}
        seen = [seconds for seconds in ran.values() if seconds is not None]
        usual = max(seen, default=UNKNOWN)
        warm = {name for name in self._having if not self.loading(name, card)}
        later = sum(usual * work / units if units > 0 else usual for work in behind) / max(len(warm), 1)

        def cost(name: str) -> tuple[bool, float, int, int, str]:
            takes = ran.get(name) or usual
            total = self._waiting(name) + self.loading(name, card) + takes + (later if name in warm else 0.0)
            others = sum(has.loaded for has in self._known[name].models.values()) if name in self._known else 0
            return name in failed, total, len(self._given[name]), others, name

        best = min(self._having, key=cost)
        return Given(best, card.id, ran.get(best) or usual, self._now)

    def loading(self, name: str, card: Card) -> float:
        """Seconds until a model computes on a worker, apart from what waits there."""
        has = self._having[name]
        if has.loaded or any(one.model == card.id for one in self._given[name]):
            return 0.0
        if not has.fits:
            return NEVER
        learned = {one: known.load(card.id) for one, known in self._known.items()}
        usual = max((seconds for seconds in learned.values() if seconds is not None), default=LOAD)
        loads = max(learned.get(name) or usual, LEAST)
        fetched = 0.0 if has.here else FETCH + card.disk_bytes / RATE
        return loads + (loads + MOVED if has.cold > 2 else 0.0) + fetched

    def _waiting(self, name: str) -> float:
        """Seconds until a worker is done with what it was given: of the first, what is left."""
        if not (given := self._given[name]):
            return 0.0
        first = min(given, key=lambda one: one.since)
        return sum(one.seconds for one in given) - min(self._now - first.since, first.seconds)
