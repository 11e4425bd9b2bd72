"""Models and machines that do as they are told, for tests of the manager with real threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from studio.devices.device import Device
from studio.devices.memory import Reading
from studio.manager import ModelManager, Spec

ROOM = Reading(total=100, free=100)


@dataclass
class Model:
    """A model of `size` bytes. What is named in `broken` raises; `told` is what was done to it, in order."""

    size: int = 10
    broken: tuple[str, ...] = ()
    told: list[str] = field(default_factory=list)

    def nbytes(self) -> int:
        self._tell("nbytes")
        return self.size

    def run(self, request: object, context: object) -> None:
        """Nothing: these tests are about coming and going."""

    def close(self) -> None:
        self._tell("close")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if what in self.broken:
            raise RuntimeError(what)


@dataclass
class Parking(Model):
    """One that can be parked; `host` bytes stay."""

    host: int | None = 0

    def parked_nbytes(self) -> int | None:
        return self.host

    def park(self) -> None:
        self._tell("park")

    def place(self) -> None:
        self._tell("place")


def spec(key: str, load: Callable[..., Any] | None = None, weights: int = 10, **more: Any) -> Spec:
    """A model called `key`; by default an obedient one of `weights` bytes."""
    return Spec(key, weights, load or (lambda _report: Model(weights)), **more)


def of(model: Model, key: str = "a", **more: Any) -> Spec:
    """The spec that loads this very model."""
    return spec(key, lambda _report: model, model.size, **more)


def settled(manager: ModelManager) -> None:
    """Wait until the lane has done what it was given, and what follows from that."""
    for _ in range(3):
        done = threading.Event()
        manager.lane.put(done.set)
        assert done.wait(5)


class Machine:
    """A device of 1,000 bytes: other programs take some, and each model what it weighs while it is loaded."""

    def __init__(self) -> None:
        self.others, self.models = 0, 0

    def read(self, _: Device) -> Reading:
        return Reading(1000, 1000 - self.others - self.models)

    def spec(self, key: str, weights: int) -> Spec:
        machine = self

        class Heavy(Model):
            def close(self) -> None:
                machine.models -= weights

        def load(_report: object) -> Model:
            machine.models += weights
            return Heavy(weights)

        return spec(key, load, weights=weights)
