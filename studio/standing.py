"""How the studio stands at a moment: a model on this machine, and what all of it does."""

from __future__ import annotations

from dataclasses import dataclass

from studio.cards import Card
from studio.jobs import Job
from studio.manager import ManagerStatus
from studio.sources import State


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model of the catalogue as it stands on this machine; and its variants that work here."""

    card: Card
    state: State
    loaded: bool
    fits: bool
    disk_bytes: int
    variants: tuple[ModelInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """What the whole studio does at this moment."""

    devices: tuple[ManagerStatus, ...]
    running: tuple[Job, ...]
    waiting: int
