"""Faster way of a loaded model: when it is on, and what compiles on which device.

Whether it pays is not known here (studio.engines.base.Worth says so before each run). A way that cannot be compiled is
left for good, and the run is done again in the plain one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from studio.devices.device import Device
from studio.engines.base import Worth

log = logging.getLogger("studio")

T = TypeVar("T")
ROOM = 512
"""Least tokens of a static cache."""
BACKEND = "inductor"
"""What torch compiles with."""


class Faster:
    """The switch of one model. Used on its thread.

    Args:
        on: makes it fast; raises where that does not work here. off: makes it as it was, also after half an `on`.
    """

    def __init__(self, on: Callable[[], None], off: Callable[[], None]) -> None:
        self._put_on, self._take_off = on, off
        self.worth: Worth | None = None
        self.on = False

    def run(self, shape: str, possible: bool, run: Callable[[], T], each: Callable[[T], float]) -> T:
        """The result of `run`, in the way that pays.

        Args:
            shape: what makes runs comparable, and what is compiled anew for.
            possible: the faster way can do it.
            each: seconds that one unit of work took, by the result; 0 where that tells nothing.
        """
        worth = self.worth
        if worth is None:
            return run()
        fast = possible and worth.pays(shape)
        if fast:
            try:
                self._switch(True)
                made = run()
            except Exception as error:
                if not _of_compiling(error):
                    raise
                log.warning("The faster way does not work here and is left: %s", str(error).strip().partition("\n")[0])
                worth.failed(shape)
                fast = False
                self._switch(False)
                made = run()
        else:
            self._switch(False)
            made = run()
        if possible and (seconds := each(made)) > 0:
            worth.took(shape, fast, seconds)
        return made

    def drop(self) -> None:
        """Nothing is compiled any more: the weights leave, and what was compiled knows where they lay."""
        self._switch(False)

    def _switch(self, on: bool) -> None:
        if on and not self.on:
            began = time.perf_counter()
            self.on = True  # from here on there is something to take off
            self._put_on()
            log.info("made faster in %.1f s", time.perf_counter() - began)
        elif not on and self.on:
            self.on = False
            self._take_off()


def compiling(device: Device) -> Any:
    """transformers' CompileConfig: CUDA graphs on a graphics card, plain compiled code elsewhere."""
    from transformers import CompileConfig

    card = device.kind == "cuda"
    graphs: Any = "reduce-overhead" if card and BACKEND == "inductor" else None  # typed as str, and None by default
    config: Any = CompileConfig(backend=BACKEND, mode=graphs)
    config._compile_all_devices = True
    return config


def roomy(tokens: int) -> int:
    """Tokens that a static cache is made for which has to hold so many: twice as many each time, so that little is
    compiled anew."""
    size = ROOM
    while size < tokens:
        size *= 2
    return size


def rewind(cache: Any, tokens: int) -> None:
    """Let a static cache hold its first so many tokens, in place: what was compiled knows where it lies."""
    for layer in cache.layers:
        layer.cumulative_length.fill_(tokens)


def _of_compiling(error: BaseException) -> bool:
    """Whether an error comes of compiling and not of the run: no compiler, no Triton, code that cannot be traced."""
    seen: BaseException | None = error
    while seen is not None:
        if type(seen).__module__.startswith(("torch._dynamo", "torch._inductor", "triton")):
            return True
        seen = seen.__cause__
    return False
