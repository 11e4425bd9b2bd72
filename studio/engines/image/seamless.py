"""Pictures whose opposite edges go on in each other: convolutions that see the other edge beyond their own.

Of networks without positions only: there nothing else knows where a picture ends. Attention looks at all of it anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from studio.requests import Seamless

_MARGIN = 16  # pixels of the other edge that enlarging sees


def possible(pipe: Any) -> bool:
    """Whether this pipeline can paint such pictures."""
    return getattr(pipe, "unet", None) is not None and getattr(pipe, "vae", None) is not None


@contextmanager
def wrapped(pipe: Any, way: Seamless) -> Iterator[None]:
    """The pipeline's denoiser and autoencoder wrap round in this way, until the block ends in whatever manner."""
    import torch

    changed: list[Any] = []
    layers: list[Any] = [*pipe.unet.modules(), *pipe.vae.modules()] if way else []
    try:
        for layer in layers:
            if isinstance(layer, torch.nn.Conv2d) and any(layer.padding) and layer.padding_mode == "zeros":
                shadow: Any = layer  # an attribute of it hides the method of its class
                shadow._conv_forward = _Wrapping(layer, way)
                changed.append(layer)
        yield
    finally:
        for layer in changed:
            del layer._conv_forward


class _Wrapping:
    """`Conv2d._conv_forward` with what lies beyond the opposite edge as padding."""

    def __init__(self, layer: Any, way: Seamless) -> None:
        sides = list(layer._reversed_padding_repeated_twice)  # left, right, upper, lower
        self._across, self._down = (*sides[:2], 0, 0), (0, 0, *sides[2:])
        self._modes = ("constant" if way == "y" else "circular", "constant" if way == "x" else "circular")
        self._stride, self._dilation, self._groups = layer.stride, layer.dilation, layer.groups

    def __call__(self, given: Any, weight: Any, bias: Any) -> Any:
        from torch.nn import functional

        for padding, mode in zip((self._across, self._down), self._modes, strict=True):
            given = functional.pad(given, padding, mode=mode)
        return functional.conv2d(given, weight, bias, self._stride, 0, self._dilation, self._groups)


def enlarged(picture: Image.Image, size: tuple[int, int], way: Seamless) -> Image.Image:
    """The picture at a larger size; in the way in which it wraps round, its edges are made from each other too."""
    import numpy as np

    if not way:
        return picture.resize(size, Image.Resampling.LANCZOS)
    across, down = (0 if way == "y" else _MARGIN), (0 if way == "x" else _MARGIN)
    around = Image.fromarray(np.pad(np.asarray(picture), ((down, down), (across, across), (0, 0)), mode="wrap"))
    box = (across, down, across + picture.width, down + picture.height)
    return around.resize(size, Image.Resampling.LANCZOS, box=box)
