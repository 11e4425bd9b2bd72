"""Elsewhere: all the other computers that may compute for this studio, however they are reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self

from studio.catalog.card import Card
from studio.manager.backends.ray.workers import Workers
from studio.manager.backends.remote.peers import Has, Peers
from studio.settings import Settings


class Others(Protocol):
    """Those that are reached in one way."""

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, there or not."""
        ...

    def having(self, card: Card, *, wait: bool = False) -> dict[str, tuple[Has, int]]:
        """Those that have a model: what is known of it there, and how many jobs are.

        Args:
            wait: for those that were not asked yet, a short time at most.
        """
        ...

    def lost(self, name: str) -> None:
        """One does not answer: nothing goes there until it does."""
        ...

    def card(self, card: Card, name: str) -> Card:
        """A model as it is computed by one of them."""
        ...

    def ask(self) -> None:
        """Ask all of them now, and wait for their answers."""
        ...

    def close(self) -> None: ...


class Elsewhere:
    """Those of one studio, as one of Others.

    Attributes:
        peers: other studios. workers: those of the cluster, where there is one.
    """

    def __init__(self, peers: Peers | None = None, workers: Workers | None = None) -> None:
        self.peers, self.workers = peers or Peers(), workers
        self._ends: list[Callable[[], object]] = []
        self._all: tuple[Others, ...] = (self.peers,) if workers is None else (self.peers, workers)

    @classmethod
    def of_settings(cls, settings: Settings) -> Self:
        """Those that the settings name."""
        return cls(Peers.of_setting(settings.peers), Workers() if settings.ray else None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for others in self._all for name in others.names)

    def having(self, card: Card, *, wait: bool = False) -> dict[str, tuple[Has, int]]:
        found: dict[str, tuple[Has, int]] = {}
        for others in self._all:
            found |= {name: one for name, one in others.having(card, wait=wait).items() if one[0].here}
        return found

    def leaving(self, card: Card) -> tuple[str, ...]:
        """Those that have a model and are other machines: what is asked of them leaves this one."""
        return (*self.peers.having(card), *(() if self.workers is None else self.workers.leaving(card)))

    def lost(self, name: str) -> None:
        self._of(name).lost(name)

    def card(self, card: Card, name: str) -> Card:
        return self._of(name).card(card, name)

    def ask(self) -> None:
        for others in self._all:
            others.ask()

    def close(self) -> None:
        for others in self._all:
            others.close()

    def last(self, end: Callable[[], object]) -> None:
        """Have something done once nothing of this studio goes on anywhere."""
        self._ends.append(end)

    def end(self) -> None:
        """Nothing goes on anywhere any more."""
        while self._ends:
            self._ends.pop()()

    def _of(self, name: str) -> Others:
        return next((others for others in self._all if name in others.names), self._all[-1])
