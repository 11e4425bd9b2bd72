"""Status of the studio at a moment: a model on this machine, and what all of it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from studio.catalog.card import Card
from studio.devices import peak_memory
from studio.jobs.job import Job
from studio.manager import Fleet, ManagerStatus, Resident
from studio.manager.backends.ray.workers import Workers
from studio.manager.fleet import AWAY
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
        peers: other studios that have it and may be asked for it.
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
    peers: tuple[str, ...] = ()

    @property
    def elsewhere_only(self) -> str:
        """The other computer that computes it in any case; "" where this one may."""
        return self.card.host or ("" if self.state == "ready" and self.fits else next(iter(self.peers), ""))

    @property
    def usable(self) -> bool:
        """Whether it can be asked for at once, here or elsewhere."""
        return self.state == "ready" or bool(self.peers)


@dataclass(frozen=True, slots=True)
class Lent:
    """A device of the cluster: its worker's name, the machine, the device and what people call that, the models in its
    memory, and how many jobs of this studio are there."""

    name: str
    machine: str
    device: str
    hardware: str
    models: tuple[str, ...]
    jobs: int


@dataclass(frozen=True, slots=True)
class Status:
    """What the whole studio does at this moment.

    Attributes:
        private: bytes of the machine's memory that the studio's process and those of its models hold for themselves
            alone.
        lent: the devices of the cluster that answer, by machine.
    """

    devices: tuple[ManagerStatus, ...]
    running: tuple[Job, ...]
    waiting: int
    private: int = 0
    lent: tuple[Lent, ...] = ()


def status_now(jobs: Sequence[Job], fleet: Fleet, workers: Workers | None = None) -> Status:
    """How everything stands; of other computers only what those of the cluster say.

    Args:
        jobs: those that are known. workers: those of the cluster.
    """
    undone = [job for job in jobs if not job.done]
    running = tuple(job for job in undone if job.snapshot().kind != "queued")
    devices = tuple(manager.status() for manager in fleet if manager.device.kind != AWAY)
    apart = any(model.process is not None for device in devices for model in device.models)
    known = {} if workers is None else workers.known
    at = Counter(job.device for job in undone)
    lent = (
        Lent(
            name,
            one.machine,
            one.device,
            one.hardware,
            tuple(id for id, has in one.models.items() if has.loaded),
            at[name],
        )
        for name, one in known.items()
    )
    by_machine = tuple(sorted(lent, key=lambda one: (one.machine, one.name)))
    return Status(devices, running, len(undone) - len(running), peak_memory.private_of_all(apart), by_machine)
