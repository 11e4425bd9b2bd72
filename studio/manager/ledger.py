"""What the core counts and what it answers: models in memory, requests in line, decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from studio.errors import StudioError


class State(Enum):
    """Where a model is. ABSENT models have no entry."""

    LOADING = "loading"
    READY = "ready"
    UNLOADING = "unloading"
    BROKEN = "broken"


@dataclass(slots=True)
class Entry:
    """A model that occupies memory or is about to."""

    key: str
    weights: int
    keep_alive: float
    exclusive: bool
    state: State = State.LOADING
    leases: int = 0
    pinned: bool = False
    stale: bool = False
    last_used: float = 0.0
    reserved: int = 0  # working memory kept for the request that the load is for

    @property
    def idle(self) -> bool:
        return self.state is State.READY and self.leases == 0


@dataclass(slots=True)
class Ticket:
    """A request for a model that has not been decided yet."""

    id: int
    key: str
    weights: int
    work: int
    keep_alive: float
    exclusive: bool
    overtaken: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    key: str


@dataclass(frozen=True, slots=True)
class Unload:
    key: str
    reason: str  # "room", "idle", "asked", "stale", "shrink"


@dataclass(frozen=True, slots=True)
class Grant:
    ticket: int
    lease: int
    key: str


@dataclass(frozen=True, slots=True)
class Refuse:
    ticket: int
    error: StudioError


Decision = Load | Unload | Grant | Refuse


def victims(idle: Iterable[Entry], deficit: int) -> list[Entry]:
    """The coldest single entry of at least `deficit` bytes, else the coldest few that are all needed, else none."""
    coldest = sorted(idle, key=lambda entry: entry.last_used)
    for entry in coldest:
        if entry.weights >= deficit:
            return [entry]
    chosen: list[Entry] = []
    for entry in coldest:
        if sum(e.weights for e in chosen) >= deficit:
            break
        chosen.append(entry)
    if sum(e.weights for e in chosen) < deficit:
        return []
    for entry in sorted(chosen, key=lambda entry: entry.weights):
        if sum(e.weights for e in chosen) - entry.weights >= deficit:
            chosen.remove(entry)
    return chosen
