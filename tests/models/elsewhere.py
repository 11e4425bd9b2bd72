"""A device for weights to go to on a machine that has none: copies in the machine's own memory."""

from __future__ import annotations

import weakref
from typing import Any

import torch

from studio.devices.device import Device
from studio.engines.shared import parking
from studio.engines.shared.parking import Weights

CUDA = Device("cuda")


class Elsewhere:
    """A device of which all is known: what was copied to it, and what of that is still there.

    Attributes:
        room: copies that it takes before it is full; None for any number.
    """

    def __init__(self) -> None:
        self.there: list[Any] = []
        self.room: int | None = None
        self.back = 0

    def over(self, value: Any, device: str) -> Any:
        return parking._each(value, lambda tensor: self._copy(tensor, device))

    def _copy(self, tensor: Any, device: str) -> Any:
        if device == "cpu":
            self.back += tensor.untyped_storage().nbytes()
            return tensor.clone()
        if self.room is not None and len(self.there) >= self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        copy = tensor.clone()
        self.there.append(weakref.ref(copy.untyped_storage()))
        return copy

    def held(self) -> int:
        return sum(storage.nbytes() for one in self.there if (storage := one()) is not None)


def on(device: Elsewhere, model: Any) -> Any:
    """A model that was loaded on the processor, as if it had been loaded for another device."""
    assert device.there == []
    model._weights = Weights(CUDA, *model._weights._tops)
    model._weights.place()
    return model
