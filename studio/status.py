"""Status of the studio at a moment: a model on this machine, and what all of it does."""

from __future__ import annotations

from dataclasses import dataclass

from studio.catalog.card import Card
from studio.jobs.job import Job
from studio.manager import ManagerStatus, Resident
from studio.manager.types import Cooling, Departure
from studio.store import State

__all__ = ["Cooling", "Departure", "ManagerStatus", "ModelInfo", "Resident", "Status"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model of the catalogue as it stands on this machine.

    Attributes:
        state: of its files. loaded: it is ready to compute. fits: some device has the memory for it.
        disk_bytes: of its files and its copy. copy_bytes: of the copy alone, which may make room for others.
        resident: where it is in memory; None where it is not. device: which device's memory.
        variants: the ways of running it in less memory that work here.
        elsewhere: its files lie in the cache of the hub's library. came: from which host, where that was not the hub.
        cooling: it failed to load a moment ago.
        last_used: seconds since the epoch at which somebody last asked for it; None where nobody did.
    """

    card: Card
    state: State
    loaded: bool
    fits: bool
    disk_bytes: int
    resident: Resident | None = None
    device: str = ""
    cooling: Cooling | None = None
    variants: tuple[ModelInfo, ...] = ()
    last_used: float | None = None
    copy_bytes: int = 0
    elsewhere: bool = False
    came: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """What the whole studio does at this moment.

    Attributes:
        private: bytes of the machine's memory that the studio's process and those of its models hold for themselves
            alone.
    """

    devices: tuple[ManagerStatus, ...]
    running: tuple[Job, ...]
    waiting: int
    private: int = 0
