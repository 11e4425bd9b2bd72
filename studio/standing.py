"""Standing: what is told to whoever places jobs or workers: models, device, how long things take, what waits."""

from __future__ import annotations

import time
from collections.abc import Mapping

from studio.catalog.card import Card
from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.jobs.line import UNKNOWN
from studio.jobs.runner import Runner
from studio.jobs.wishes import CLUSTER
from studio.models import Models

LOOK_AGAIN = 5.0
"""Seconds for which what is on disk is taken to be as it was."""


class Standing:
    """How one studio stands. For one thread at a time.

    Args:
        offline: nothing can be fetched.
    """

    def __init__(self, models: Models, catalog: Catalog, runner: Runner, *, offline: bool) -> None:
        self._models, self._catalog, self._runner, self._offline = models, catalog, runner, offline
        self._looked = float("-inf")
        self._here: dict[str, tuple[Card, bool]] = {}

    @property
    def device(self) -> Device:
        """Where it computes."""
        return self._runner.fleet.devices[0].device

    def models(self) -> dict[str, tuple[int, bool]]:
        """The models that may be asked for: how far each is from being used (Fleet.coldness), and whether its files are
        here, or would have to be fetched."""
        fleet = self._runner.fleet
        return {id: (fleet.coldness(card), here) for id, (card, here) in self._known().items()}

    def most(self) -> int:
        """Parts that the models which are in memory answer at a time."""
        fleet = self._runner.fleet
        warm = (card for card, _ in self._known().values() if fleet.model(card.id) is not None)
        return max((self._runner.places(card) for card in warm), default=1)

    def seconds(self) -> Mapping[str, float]:
        """How long loads and runs take here (Pace.known)."""
        return self._runner.pace.known()

    def waiting(self) -> float:
        """Seconds of work that wait for workers of the cluster."""
        waiting = (entry for entry in self._runner.turns.order() if entry.lane == CLUSTER and not entry.held)
        return sum(UNKNOWN if entry.seconds is None else entry.seconds for entry in waiting)

    def working(self) -> frozenset[str]:
        """The devices and other computers that jobs of this studio are at."""
        return frozenset(job.device for job in self._runner.register.jobs() if not job.done and job.device)

    def look_again(self) -> None:
        """Files came or went."""
        self._looked = float("-inf")

    def _known(self) -> dict[str, tuple[Card, bool]]:
        if time.monotonic() - self._looked > LOOK_AGAIN:
            self._looked = time.monotonic()
            found = (one for info in self._models.list() for one in (info, *info.variants))
            self._here = {
                one.card.id: (one.card, here)
                for one in found
                if not one.card.host
                and ((here := one.card.starter or one.state == "ready") or (one.card.has_files and not self._offline))
            }
        return self._here
