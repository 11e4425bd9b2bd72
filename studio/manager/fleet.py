"""Several devices, one lane each: a job goes where its model is warm, else where it fits.

Another computer is a device too, of which nothing is known but that it takes no memory here and is in nobody's way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Self

from studio.catalog.card import Card
from studio.catalog.engines import ENGINES
from studio.devices import memory
from studio.devices.detect import cpu_name, detect, llama_on_gpu, physical_cores
from studio.devices.device import Device
from studio.engines.base import Loaded
from studio.manager.backends.zero.rented import Rented
from studio.manager.lane import Gate
from studio.manager.manager import ModelManager
from studio.manager.types import ManagerStatus
from studio.settings import Settings

WARM = ("ready", "loading", "placing")
AWAY = "remote"
"""The kind of the devices that are other computers."""
_ENDLESS = memory.Reading(1 << 60, 1 << 60)
_AT_ONCE = 64


class Fleet:
    """The managers of all devices.

    Args:
        devices: those that models go to by default, at least one.
        make: a manager for a device.
        processor: the processor, for models that compute there in any case; None where it is among `devices`.
        rented: a card that is lent call by call, for the models that were placed on it; None where there is none.
    """

    def __init__(
        self, devices: Iterable[Device], make: Callable[[Device], ModelManager], processor: Device | None = None,
        rented: Rented | None = None,
    ) -> None:  # fmt: skip
        self.devices = tuple(make(device) for device in devices)
        self.processor = self.devices[0] if processor is None else make(processor)
        self.rented = rented
        self._lent = None if rented is None else ModelManager(rented.device, read=rented.read)
        self._lock = threading.Lock()
        self._away: dict[str, ModelManager] = {}  # of other computers, by their names

    @classmethod
    def of_this_machine(cls, settings: Settings, rented: Rented | None = None) -> Self:
        """The devices that the settings want, or the processor, with the memory and the patience that they allow."""
        threads = settings.threads or physical_cores()
        wanted = settings.device if rented is None else "cpu"  # a lent card looks as if it were always there
        found = [replace(device, threads=threads) for device in detect(wanted)]
        # GGUF models compute on the processor and must not wait for a GPU
        processor = Device("cpu", 0, cpu_name(), threads) if found[0].kind == "cuda" else None
        limit, reserve, gate = int(settings.memory_gb * 1e9), int(settings.reserve_gb * 1e9), Gate()

        def make(device: Device) -> ModelManager:
            return ModelManager(device, limit=limit, reserve=reserve, stuck_after=settings.stuck_after, gate=gate)

        return cls(found, make, processor, rented)

    def __iter__(self) -> Iterator[ModelManager]:
        yield from self.devices
        if self.processor not in self.devices:
            yield self.processor
        if self._lent is not None:
            yield self._lent
        yield from tuple(self._away.values())

    @property
    def keys(self) -> frozenset[str]:
        """The models that are in memory, or on their way into it or out of it."""
        return frozenset(model.key for manager in self for model in manager.status().models)

    def suited(self, on_processor: bool) -> tuple[ModelManager, ...]:
        """The devices that a model may run on."""
        return (self.processor,) if on_processor else self.devices

    def suited_to(self, card: Card) -> tuple[ModelManager, ...]:
        """The devices that this model may run on."""
        if card.host:
            return (self.away(card.host),)
        if self._lent is not None and self.lends(card.id):
            return (self._lent,)
        return self.suited(on_processor(card.engine))

    def away(self, host: str) -> ModelManager:
        """Another computer. What is computed there takes neither memory nor turns here."""
        with self._lock:
            if host not in self._away:
                device = Device(AWAY, 0, host)
                self._away[host] = ModelManager(device, slots=_AT_ONCE, read=lambda _: _ENDLESS)
            return self._away[host]

    def lends(self, key: str) -> bool:
        """Whether a model is computed on a card that is lent call by call."""
        return self.rented is not None and self.rented.has(key)

    def room(self, card: Card) -> tuple[Device, int]:
        """The device with the most memory for this model, and how many bytes models may take there."""
        found = [(manager.status().budget, manager.device) for manager in self.suited_to(card)]
        budget, device = max(found, key=lambda one: one[0])
        return device, budget

    def place(self, card: Card, needed: int) -> ModelManager:
        """The device for a request of a model; see `choose`."""
        if card.host:
            return self.away(card.host)
        return self.choose(card.id, needed, on_processor(card.engine))

    def coldness(self, card: Card) -> int:
        """How far a model is from being used here: 0 in memory, 1 parked, 2 there is room, 3 there will be, 4 there is
        not."""
        suited = [manager.status() for manager in self.suited_to(card)]
        return min(_coldness(status, card.id, card.needed) for status in suited)

    def choose(self, key: str, needed: int, on_processor: bool = False) -> ModelManager:
        """The device for a request: where its model is warm, else parked, else where it fits best.

        Args:
            needed: bytes of weights and work.
        """
        if self._lent is not None and self.lends(key):
            return self._lent
        suited = self.suited(on_processor)
        if len(suited) == 1:
            return suited[0]
        statuses = {manager: manager.status() for manager in suited}
        return min(suited, key=lambda manager: _cost(statuses[manager], key, needed))

    def model(self, key: str) -> Loaded | None:
        """A model that is in memory on any device; see `ModelManager.model`."""
        return next((model for manager in self if (model := manager.model(key)) is not None), None)

    def holding(self, key: str) -> tuple[ModelManager, ...]:
        """Where a model is now."""
        return tuple(manager for manager in self if any(model.key == key for model in manager.status().models))


def on_processor(engine: str) -> bool:
    """Whether an engine's models are computed on the processor, whatever else there is."""
    return ENGINES[engine].cpu_only and not (ENGINES[engine].native and llama_on_gpu())


def _cost(status: ManagerStatus, key: str, needed: int) -> tuple[bool, int, bool, int, int]:
    """What speaks against a device, the weightiest first: stuck, how cold the model is, no room, the line."""
    room = status.budget - status.charged
    busy = status.waiting + sum(model.in_use for model in status.models)
    return status.stuck is not None, _coldness(status, key, needed), needed > room, busy, -room


def _coldness(status: ManagerStatus, key: str, needed: int) -> int:
    state = next((model.state for model in status.models if model.key == key), "")
    if state in WARM:
        return 0
    if state == "parked":
        return 1
    return 2 if needed <= status.budget - status.charged else 3 if needed <= status.budget else 4
