"""Rented card: models that are computed on a card which is lent for the length of a call (Hugging Face's ZeroGPU).

What lends it, the package `spaces`, is not known here: it is a function that takes studio.manager.backends.zero.task
to the card and yields what that tells. The models are placed once, on the main thread, before the page opens.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from contextvars import copy_context
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from studio.catalog.card import Card
from studio.catalog.engines import ENGINES
from studio.devices import memory
from studio.devices.device import Device
from studio.engines.base import Context, engine
from studio.errors import Cancelled, StudioError
from studio.manager.backends.process.wire import pack, unpack
from studio.manager.backends.telling import TOLD, failure, pass_on
from studio.manager.backends.zero import task
from studio.results import Output

log = logging.getLogger("studio.gpu")

PLACES = 8
"""Calls at a time for one model: who lends the card has a line of its own, in which a visitor's call should stand."""
UNKNOWN_SECONDS, LEAST_SECONDS = 60, 15
SPARE, START_SECONDS = 1.5, 10.0
"""A run may take longer than those before it, and the first on a card waits until the weights are there."""
GLANCE = 0.05
ACCEPTED_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")
"""What ZeroGPU says that it runs."""
_CODES = {
    "ZeroGPU quota exceeded": "gpu_quota",
    "ZeroGPU pending credits exceeded": "gpu_quota",
    "ZeroGPU queue timeout": "gpu_busy",
    "ZeroGPU client error": "gpu_busy",
    "ZeroGPU illegal duration": "gpu_too_long",
    "ZeroGPU worker error": "gpu_aborted",
}
"""Titles of the errors that `spaces` raises, and what they are here."""

Call = Callable[[bytes, int], Generator[list[bytes]]]
"""`task.run`, carried out on the card."""


class Clock(Protocol):
    """How long runs take on the card."""

    def expected(self, card: Card, request: Any) -> float | None: ...

    def took(self, card: Card, request: Any, seconds: float) -> None: ...


class Rented:
    """The card.

    Args:
        call: carries `task.run` out on the card, in the context of whoever calls.
        name: what the card is called. nbytes: its memory.

    Attributes:
        weights: bytes of each model that lies on it.
    """

    def __init__(self, call: Call, name: str, nbytes: int) -> None:
        self.call, self.nbytes, self._most = call, nbytes, math.inf
        self.device = Device("cuda", 0, name)
        self.weights: dict[str, int] = {}

    def place(self, cards: Iterable[tuple[Card, Path]], most: float) -> None:
        """Load models on the card, each from its files. On the main thread, once, before the page opens.

        Args:
            most: seconds that a call may ask for.

        Raises:
            StudioError: gpu_impossible, gpu_too_small, or as the engines say.
        """
        assert threading.current_thread() is threading.main_thread(), "elsewhere the card is not there"
        self._most = most
        found = [(card, _placeable(card), path) for card, path in cards]
        _check_torch()
        weights = {card.id: kind.weights(card, path) for card, kind, path in found}
        work = max((card.needed - weights[card.id] for card, *_ in found), default=0)
        needed = sum(weights.values()) + max(work, 0)
        if needed > self.nbytes:
            raise StudioError("gpu_too_small", needed=f"{needed / 1e9:.1f}", has=f"{self.nbytes / 1e9:.1f}")
        for card, kind, path in found:
            log.info("placing %s on %s", card.id, self.device.name)
            task.PLACED[card.id] = kind.load(card, path, self.device, lambda _: None)
            self.weights[card.id] = weights[card.id]

    def has(self, key: str) -> bool:
        """Whether a model lies on it."""
        return key in self.weights

    def read(self, device: Device) -> memory.Reading:
        """The card's memory, all of which is there for whoever is lent it; of other devices what the system says."""
        return memory.Reading(self.nbytes, self.nbytes) if device == self.device else memory.read_memory(device)

    def seconds(self, card: Card, requests: Iterable[Any], clock: Clock) -> int:
        """How many seconds are asked for."""
        return sum(self._seconds(clock.expected(card, request)) for request in requests)

    def _seconds(self, expected: float | None) -> int:
        wanted = UNKNOWN_SECONDS if expected is None else max(expected * SPARE + START_SECONDS, LEAST_SECONDS)
        return math.ceil(min(wanted, self._most))


class Remote:
    """A model on the card as the studio sees it. Several may be asked at once, each by a thread of its own."""

    def __init__(self, card: Card, rented: Rented, clock: Clock) -> None:
        self._card, self._rented, self._clock = card, rented, clock
        if getattr(task.PLACED[card.id], "keeps_form", False):  # an ability is told by its name (studio.engines.base)
            self.keeps_form = True

    def nbytes(self) -> int:
        return self._rented.weights[self._card.id]

    def close(self) -> None:
        """It stays on the card, which is nobody's between two calls."""

    def run(self, request: Any, context: Context) -> Output:
        """As every model; in the caller's context, by which whoever lends the card knows whose quota it is.

        Raises:
            StudioError: gpu_quota, gpu_busy, gpu_too_long, gpu_aborted, or what the model says.
        """
        asked = self._rented.seconds(self._card, (request,), self._clock)
        message = b"".join(pack("run", self._card.id, request, tuple(context.adapters), context.previews))
        call = _Call(self._rented.call, message, asked)
        written: list[str] = []
        try:
            while True:
                kind, *said = call.next(GLANCE)
                if kind == "answer":
                    output, seconds = said
                    self._clock.took(self._card, request, seconds)
                    return output
                if kind == "failed":
                    raise failure(*said)
                if kind == "refused":
                    raise _refused(said[0], asked)
                if kind == "ended":
                    raise StudioError("gpu_aborted", seconds=asked)
                if kind in TOLD:
                    pass_on(context, kind, *said)
                if kind == "text":
                    written += said
                context.alive()  # also while a card is waited for
                if context.cancelled:
                    if not written:
                        raise Cancelled
                    return Output(text="".join(written), finish="cancelled")
        finally:
            call.stop()


class _Call:
    """A call of the card, on a thread of its own: it may be waited for, and Stop is not to wait with it."""

    def __init__(self, call: Call, message: bytes, asked: int) -> None:
        self._told: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._stop = threading.Event()
        args = (self._drive, call, message, asked)
        threading.Thread(target=copy_context().run, args=args, name="gpu-call", daemon=True).start()

    def next(self, patience: float) -> tuple[Any, ...]:
        """The next message; "nothing" where none comes in time."""
        try:
            return self._told.get(timeout=patience)
        except queue.Empty:
            return ("nothing",)

    def stop(self) -> None:
        """Have the run end at its next step, if it has not."""
        self._stop.set()

    def _drive(self, call: Call, message: bytes, asked: int) -> None:
        told = call(message, asked)
        try:
            for batch in told:
                for one in batch:
                    self._told.put(unpack(one))
                if self._stop.is_set():
                    break
        except Exception as error:
            self._told.put(("refused", error))
        finally:
            told.close()
            self._told.put(("ended",))


def _refused(error: Exception, asked: int) -> Exception:
    """What an error of whoever lends the card is here."""
    code = _CODES.get(str(getattr(error, "title", "")))
    if code is None:
        return error
    return StudioError(code, seconds=asked, reason=str(getattr(error, "message", "")))


def _placeable(card: Card) -> Any:
    """The engine of a model that can lie on the card.

    Raises:
        StudioError: gpu_impossible.
    """
    if ENGINES[card.engine].cpu_only or card.isolate:
        raise StudioError("gpu_impossible", model=card.title)
    return engine(card.engine)


def _check_torch() -> None:
    try:
        version = metadata.version("torch").partition("+")[0]
    except metadata.PackageNotFoundError:
        return
    if version not in ACCEPTED_TORCH:
        log.warning("torch %s is none of those that ZeroGPU runs: %s", version, ", ".join(ACCEPTED_TORCH))
