"""Peers: other studios that may compute for this one, and what is known of each.

Each is asked on a thread of its own what models it has and how many jobs wait there, so that one which does not answer
keeps nobody waiting. What is known is a few seconds old; a job that finds it otherwise is tried once elsewhere
(studio.jobs.placing).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from studio.addresses import Peer, read_peers
from studio.catalog.card import Card, Source
from studio.errors import StudioError
from studio.manager.backends.remote.client import Server

log = logging.getLogger("studio.peers")

EVERY = 5.0
"""Seconds between two questions."""
FIRST = 2.0
"""Seconds for which the first job waits until all were asked once."""
_ANSWER = 15.0
"""Seconds for an answer: a studio puts its API together when the first program asks."""
_NAMES = 4096


@dataclass(frozen=True, slots=True)
class Has:
    """A model that another studio can be asked for.

    Attributes:
        loaded: it is in memory there. fits: there is the memory for it. variants: those that it has there.
        here: its files are there.
        cold: as Fleet.coldness, where that is known.
    """

    loaded: bool = False
    fits: bool = True
    variants: frozenset[str] = frozenset()
    here: bool = True
    cold: int = 2


@dataclass(frozen=True, slots=True)
class Known:
    """What a peer said last. `busy`: jobs that wait or run there."""

    models: Mapping[str, Has] = field(default_factory=dict)
    busy: int = 0


class Peers:
    """Those of one studio. Safe to use from several threads.

    Args:
        peers: where they are; none, and nothing is asked or started.
    """

    def __init__(self, peers: Sequence[Peer] = ()) -> None:
        self._peers = {peer.address.name: peer for peer in peers}
        self._servers = {name: Server(peer.address, peer.key) for name, peer in self._peers.items()}
        self._known: dict[str, Known] = {}
        self._asked: set[str] = set()
        self._changed = threading.Condition()
        self._closed = threading.Event()
        for name in self._servers:
            threading.Thread(target=self._watch, args=(name,), name=f"peer-{name}", daemon=True).start()

    @classmethod
    def of_setting(cls, text: str) -> Self:
        """Those that STUDIO_PEERS names."""
        return cls(read_peers(text))

    def close(self) -> None:
        self._closed.set()
        for server in self._servers.values():
            server.close()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, there or not."""
        return tuple(self._peers)

    def having(self, card: Card, *, wait: bool = False) -> dict[str, tuple[Has, int]]:
        """The peers that have a model: what is known of it there, and how many jobs are.

        Args:
            wait: for those that were not asked yet, FIRST seconds at most.
        """
        if not self._peers or card.host or card.own:
            return {}
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: len(self._asked) == len(self._peers), FIRST)
            known = dict(self._known)
        found = ((name, one.models.get(card.base), one.busy) for name, one in known.items())
        return {name: (_of(has, card), busy) for name, has, busy in found if has is not None and _can(has, card)}

    def lost(self, name: str) -> None:
        """A peer does not answer: nothing goes there until it does."""
        with self._changed:
            self._known.pop(name, None)

    def card(self, card: Card, name: str) -> Card:
        """A model as it is computed by a peer."""
        peer = self._peers[name]
        return computed_at(card, str(peer.address), {"speaks": "atelier", "model": card.id, "key": peer.key})

    def ask(self) -> None:
        """Ask all of them now, and wait for their answers."""
        for name in self._servers:
            self._ask(name)

    # ---- asking

    def _watch(self, name: str) -> None:
        while not self._closed.is_set():
            self._ask(name)
            self._closed.wait(EVERY)

    def _ask(self, name: str) -> None:
        try:
            known = _read(self._servers[name].json("GET", "/v1/models", patience=_ANSWER))
        except StudioError as error:
            if name in self._known or name not in self._asked:
                log.warning("the studio at %s cannot be used: %s", name, error.what())
            known = None
        except Exception:  # what a stranger answers must not end the asking
            log.exception("the studio at %s cannot be understood", name)
            known = None
        with self._changed:
            self._asked.add(name)
            if known is None:
                self._known.pop(name, None)
            else:
                self._known[name] = known
            self._changed.notify_all()


def computed_at(card: Card, address: str, options: Mapping[str, Any]) -> Card:
    """A model as it is computed at an address."""
    source = Source("remote", address=address)
    return replace(card, engine="remote", source=source, options=options, parts=(), isolate=False)


def _can(has: Has, card: Card) -> bool:
    return not card.variant or card.id in has.variants


def _of(has: Has, card: Card) -> Has:
    return replace(has, loaded=False) if card.variant else has


def _read(told: Mapping[str, Any]) -> Known:
    """What a studio says of its models; what is computed elsewhere is not its own to hand on."""
    found: dict[str, Has] = {}
    listed, queue = told.get("data"), told.get("queue")
    for one in listed[:_NAMES] if isinstance(listed, list) else ():
        if not isinstance(one, dict) or not isinstance(id := one.get("id"), str) or len(id) > 200:
            continue
        if one.get("ready") is not True or one.get("computed_on"):
            continue
        said = one.get("variants")
        variants = frozenset(name for name in said if isinstance(name, str)) if isinstance(said, list) else frozenset()
        found[id] = Has(one.get("loaded") is True, one.get("fits") is not False, variants)
    busy = queue.get("jobs") if isinstance(queue, dict) else 0
    return Known(found, busy if type(busy) is int and 0 <= busy < 1_000_000 else 0)
