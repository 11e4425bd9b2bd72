"""Wishes: what a job waits for, so that it competes with those that need the same, and with no others."""

from __future__ import annotations

from studio.catalog.card import Card
from studio.jobs.job import Job
from studio.jobs.model_spec import Specs
from studio.jobs.pace import Pace
from studio.jobs.turns import Wish
from studio.manager import Fleet
from studio.manager.backends.ray.workers import Workers

DEVICES, PROCESSOR, AWAY = "devices", "processor", "away"
"""What jobs compete for: the devices; the processor beside them, for models that compute there in any case; and nothing
of this machine, for those that other computers do."""
AT_ONCE = 16
"""Models on other computers that jobs may use at once."""
LENT, LENT_MODELS = "lent", 64
"""A card that is lent call by call, where nobody waits for anybody here: whoever lends it has a line of their own."""
CLUSTER = "cluster"
"""Whichever worker of the cluster is the first to have room: which, is decided when a job's turn has come."""


class Wishes:
    """Those of one studio."""

    def __init__(self, fleet: Fleet, specs: Specs, pace: Pace, workers: Workers | None = None) -> None:
        self._fleet, self._specs, self._pace, self._workers = fleet, specs, pace, workers
        self._cards: dict[str, Card] = {}  # of those that were asked for

    @property
    def places(self) -> dict[str, int]:
        """How many may be at work in each lane at a time."""
        return {DEVICES: len(self._fleet.devices), LENT: LENT_MODELS, AWAY: AT_ONCE, CLUSTER: 0}

    def of(self, job: Job, card: Card) -> Wish:
        """Where it is known where its model is computed."""
        if not card.host:
            self._cards[card.id] = card
        model = f"{card.id} {card.host}".strip()
        return Wish(model, self._specs.places(card), self._lane(card), self._seconds(job, card), job.session)

    def of_any(self, job: Job, card: Card) -> Wish:
        """Where any worker may compute it."""
        known = () if self._workers is None or job.plan is None else self._workers.known.values()
        ran = [one.run(card.id, job.task, job.plan.units) for one in known if job.plan is not None]
        return Wish(lane=CLUSTER, seconds=max((one for one in ran if one is not None), default=None), who=job.session)

    def saves(self, last: str, following: str) -> float:
        """Seconds that a load takes which is done without where a model is used once more before another needs its
        place; 0 where there is room for both, or nobody knows."""
        seconds, cards = self._pace.load(last), [self._cards.get(id) for id in (last, following)]
        first = cards[0]
        if not seconds or first is None:
            return 0.0
        both = sum(card.needed for card in cards if card is not None)
        return seconds if both > self._fleet.room(first)[1] else 0.0

    def _seconds(self, job: Job, card: Card) -> float | None:
        return self._pace.run(card.id, job.task, job.plan.units) if job.plan is not None else 0.0

    def _lane(self, card: Card) -> str:
        """What a job with this model competes for."""
        if card.host:
            return AWAY
        if self._fleet.lends(card.id):
            return LENT
        return PROCESSOR if self._fleet.suited_to(card) != self._fleet.devices else DEVICES
