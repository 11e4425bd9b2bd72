"""Faster ways of models that stay: whether one pays on a device, by what runs took with it and without.

A faster way costs one slow run (something is compiled) and memory, so it is for models that a person pinned. Nobody
guesses whether it pays: where a studio is told to find out, plain runs are timed first, then fast ones, and the quicker
of the two is kept, also on disk. Times are seconds of one unit of work (a step, a token), by model, device and shape.
"""

from __future__ import annotations

import logging
import statistics
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from studio.devices.device import Device
from studio.figures import Figures

log = logging.getLogger("studio.manager")

Mode = Literal["off", "auto", "on"]
RUNS = 2
"""Runs of either way that are timed before one is chosen."""
PAYS = 0.95
"""Share of the plain time that a fast run may take at most."""
NEVER = 1e9
"""Seconds that stand for a way that does not work here."""
KEPT = 500


class Judge:
    """What is known of the faster ways of one studio. Safe to use from several threads.

    Args:
        mode: "off": never. "auto": on a graphics card, where it was measured to pay. "on": wherever a model is pinned.
        file: where the times are kept; None keeps them for this process only.
    """

    def __init__(self, mode: Mode = "off", file: Path | None = None) -> None:
        self._mode, self._lock = mode, threading.Lock()
        self._known = Figures(file, float, most=KEPT, noticed=0.0, log=log, limit=NEVER * 2)
        self._seen: dict[str, list[float]] = {}
        self._torch = ""

    def pays(self, key: str, device: Device, shape: str, *, stays: bool) -> bool:
        """Whether the next run of this shape is to be a fast one.

        Args:
            stays: the model is pinned.
        """
        if self._mode == "off" or not stays:
            return False
        with self._lock:
            fast = self._known.known.get(self._name(key, device, shape, True))
            if self._mode == "on":
                return fast is None or fast < NEVER
            plain = self._known.known.get(self._name(key, device, shape, False))
            if device.kind != "cuda" or plain is None:
                return False
            return fast is None or fast <= plain * PAYS

    def took(self, key: str, device: Device, shape: str, fast: bool, seconds: float) -> None:
        """One unit of a run took so long. The first fast run of a shape is the one that compiles and does not count."""
        if self._mode != "auto":
            return
        with self._lock:
            name = self._name(key, device, shape, fast)
            if name in self._known.known:
                return
            seen = self._seen.setdefault(name, [])
            seen.append(seconds)
            counted = seen[1:] if fast else seen
            if len(counted) >= RUNS:
                self._known.put(name, statistics.median(counted))
                del self._seen[name]

    def failed(self, key: str, device: Device, shape: str) -> None:
        """The faster way does not work here; it is not tried again with this version of torch."""
        with self._lock:
            self._known.put(self._name(key, device, shape, True), NEVER)

    def of(self, key: str, device: Device, stays: Callable[[], bool]) -> Worth:
        """What a loaded model asks before each run."""
        return Worth(self, key, device, stays)

    def _name(self, key: str, device: Device, shape: str, fast: bool) -> str:
        if not self._torch:
            try:
                self._torch = metadata.version("torch")
            except metadata.PackageNotFoundError:
                self._torch = "none"
        return f"{key} {device.name} {device.index} torch {self._torch} {shape} {'fast' if fast else 'plain'}"


@dataclass(frozen=True, slots=True)
class Worth:
    """`studio.engines.base.Worth` of one model on one device."""

    judge: Judge
    key: str
    device: Device
    stays: Callable[[], bool]

    def pays(self, shape: str) -> bool:
        return self.judge.pays(self.key, self.device, shape, stays=self.stays())

    def took(self, shape: str, fast: bool, seconds: float) -> None:
        self.judge.took(self.key, self.device, shape, fast, seconds)

    def failed(self, shape: str) -> None:
        self.judge.failed(self.key, self.device, shape)
