"""Regional compilation of a painter: the blocks that repeat in its network are compiled once and used for all of them.

Only plain paintings are made so. What hooks into the network (adaptations, controls, references, regions) would have
it compiled anew at every change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio.engines.shared import faster
from studio.requests import ImageRequest
from studio.results import Output

_NETWORKS = ("unet", "transformer")


class Regional(faster.Faster):
    """The faster way of one pipeline. Nothing of it is compiled before it is asked for."""

    def __init__(self, pipe: Any) -> None:
        found = (getattr(pipe, name, None) for name in _NETWORKS)
        self._network: Any = next((one for one in found if getattr(one, "_repeated_blocks", None)), None)
        super().__init__(self._compile, self._forget)

    def painted(self, request: ImageRequest, paint: Callable[[], Output]) -> Output:
        """What `paint` makes of a request, in the way that pays."""
        return self.run(f"{request.width}x{request.height}", self._takes(request), paint, _each)

    def _takes(self, request: ImageRequest) -> bool:
        network = self._network
        if network is None or any(hasattr(part, "_hf_hook") for part in network.modules()):
            return False
        hooked = (request.loras, request.controls, request.references, request.regions, request.details)
        return not (any(hooked) or request.seamless or request.refiner or request.hires_scale > 1)

    def _compile(self) -> None:
        self._network.compile_repeated_blocks(backend=faster.BACKEND)

    def _forget(self) -> None:
        for part in self._network.modules():
            part._compiled_call_impl = None


def _each(output: Output) -> float:
    steps = output.stats.get("steps", 0.0)
    return output.stats.get("seconds", 0.0) / steps if steps and output.finish == "stop" else 0.0
