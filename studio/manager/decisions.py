"""Requests in line, and decisions: what the core is asked, and what the manager then has to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.errors import StudioError
from studio.manager.ledger import Entry, State
from studio.paths import gigabytes


@dataclass(slots=True)
class Ticket:
    """A request for a model that has not been decided yet.

    Attributes:
        work, least: working memory to reserve, and the least that is worth a try.
        places, each: most leases that the model may have at once, and bytes that each beside the first takes.
        alone: everything idle left for it, because the memory ran out before; that is done once.
        overtaken: how often a later request went first.
    """

    id: int
    key: str
    weights: int
    work: int
    least: int
    keep_alive: float
    park_alive: float
    places: int = 1
    each: int = 0
    alone: bool = False
    overtaken: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    key: str


@dataclass(frozen=True, slots=True)
class Place:
    key: str


@dataclass(frozen=True, slots=True)
class Park:
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unload:
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Grant:
    ticket: int
    lease: int
    key: str


@dataclass(frozen=True, slots=True)
class Refuse:
    ticket: int
    error: StudioError


Decision = Load | Place | Park | Unload | Grant | Refuse


def impossible(ticket: Ticket, weights: int, budget: int, capacity: int, fixed: Sequence[Entry]) -> StudioError:
    """Why a request can never be served, with the numbers."""
    needed, spare = gigabytes(weights + ticket.least), gigabytes(max(capacity, 0))
    if weights + ticket.least > budget:
        return StudioError("does_not_fit", model=ticket.key, needed=needed, capacity=spare)
    broken = ", ".join(entry.key for entry in fixed if entry.state is State.BROKEN)
    if broken:
        return StudioError("stuck_full", model=ticket.key, needed=needed, capacity=spare, broken=broken)
    pins = ", ".join(entry.key for entry in fixed)
    return StudioError("pinned_full", model=ticket.key, needed=needed, capacity=spare, pins=pins)
