"""Effects on a model on its lane: loading, parking, placing, closing, and what can go wrong there.

Everything that a model or a library may raise ends here and becomes a value. An exception's frames would keep the
half-built weights alive, so none is kept. Knows nothing of the books (studio.manager.ledger).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from studio.devices import memory
from studio.engines.base import Loaded, Parkable
from studio.errors import Cancelled, StudioError
from studio.manager.types import Spec

log = logging.getLogger("studio.manager")


@dataclass(frozen=True, slots=True)
class Held:
    """A model in memory, its bytes there, and those that it holds while parked; None where it cannot be parked."""

    model: Loaded
    nbytes: int
    host: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a model is not there. `full`: the memory ran out."""

    error: StudioError
    full: bool


def load(spec: Spec, report: Callable[[float], None]) -> Held | Failure | None:
    """Build a model and measure it. One that cannot be measured is closed again. None where the load was given up."""
    started = time.monotonic()
    failure: Failure | None = None
    model: Loaded | None = None
    held: Held | None = None
    given_up = False
    try:
        model = spec.load(report)
        held = Held(model, max(int(model.nbytes()), 0), _host(model))
    except Cancelled:
        given_up = True
    except StudioError as error:
        failure = Failure(error.with_traceback(None), error.code == "out_of_memory")
    except MemoryError:
        failure = Failure(StudioError("out_of_memory", model=spec.key), True)
    except BaseException as error:  # a library may raise anything, SystemExit included
        log.exception("loading %s failed", spec.key)
        failure = Failure(StudioError("broken_model", model=spec.key, reason=_first_line(error)), False)
    if held is not None:
        log.info("loaded %s in %.1f s", spec.key, time.monotonic() - started)
        return held
    if model is not None:
        close(model, spec.key)
    model = None
    memory.collect()
    if given_up:
        log.info("nobody waits for %s any more; it is not loaded", spec.key)
        return None
    return failure or Failure(StudioError("broken_model", model=spec.key, reason="nothing was loaded"), False)


def place(model: Loaded, key: str) -> bool:
    """Bring a parked model back. Where that is False it is half moved."""
    try:
        assert isinstance(model, Parkable)
        model.place()
    except BaseException:
        log.exception("placing %s failed; it is closed", key)
        return False
    return True


def park(model: Loaded, key: str, frees: bool) -> int | None:
    """Take a model off its device. The bytes it holds now; None where it cannot be parked, or is half moved.

    Args:
        frees: something is given back by that. On a processor a parked model lies where it lay, and looking for
            garbage would take longer than parking it.
    """
    try:
        assert isinstance(model, Parkable)
        if model.parked_nbytes() is None:
            return None
        model.park()
        host = _host(model)
    except BaseException:
        log.exception("parking %s failed; it is closed", key)
        return None
    if frees:
        memory.collect()
    return host


def close(model: Loaded, key: str) -> bool:
    """Drop a model. False where it did not go: its memory stays counted."""
    try:
        model.close()
    except BaseException:
        log.exception("unloading %s failed; its memory stays counted", key)
        return False
    return True


def _host(model: Loaded) -> int | None:
    nbytes = model.parked_nbytes() if isinstance(model, Parkable) else None
    return None if nbytes is None else max(int(nbytes), 0)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
