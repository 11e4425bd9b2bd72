"""Noise as an NVIDIA card draws it, on any device, so that a seed gives the picture that it gave there.

AUTOMATIC1111 and Forge draw theirs on the card unless they are told otherwise (their setting "Random number generator
source", whose "NV" is this). The card's generator is Philox4x32-10 (Salmon et al. 2011), one counter for each number,
and Box-Muller. Torch lets every thread of the card draw several where there are more numbers than threads; that is left
out, as in those programs: latents of a megapixel are as many on small cards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEYS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)


@contextmanager
def drawn(rng: str) -> Iterator[None]:
    """Within it `torch.randn` with a generator draws as `rng` says: "nv", or "" for torch's own way on a processor."""
    if rng != "nv":
        yield
        return
    with _card():
        yield


def normal(seed: int, draw: int, count: int) -> np.ndarray:
    """So many numbers of the normal distribution, float32: those of draw number `draw`, counted from 0, of a seed."""
    counters = np.zeros((4, count), np.uint64)
    counters[0], counters[2] = draw, np.arange(count)
    first, second = _philox(counters, (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF))
    unit = np.float32(2.0**-32)
    radius = np.sqrt(-2 * np.log(first.astype(np.float32) * unit + unit / 2))
    turn = np.float32(2 * np.pi) * unit
    return (radius * np.sin(second.astype(np.float32) * turn + turn / 2)).astype(np.float32)


def _philox(counters: np.ndarray, key: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The first two of the four words that each counter, (4, count), gives."""
    a, b, c, d = counters
    for number in range(_ROUNDS):
        one, two = (np.uint64((word + number * step) & 0xFFFFFFFF) for word, step in zip(key, _KEYS, strict=True))
        high, low = a * np.uint64(_MULTIPLIERS[0]), c * np.uint64(_MULTIPLIERS[1])
        a, b, c, d = (low >> np.uint64(32)) ^ b ^ one, low & _LOW, (high >> np.uint64(32)) ^ d ^ two, high & _LOW
    return a, b


def _card() -> Any:
    """A mode that answers `torch.randn` for whoever brings a generator: its seed and how often it was asked decide."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Card(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self._asked: dict[int, tuple[Any, int]] = {}

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = dict(kwargs or {})
            generator = given.get("generator")
            if func is not torch.randn or generator is None:
                return func(*args, **given)
            asked = args or given.pop("size")
            shape = torch.Size(asked[0] if not isinstance(asked[0], int) else asked)
            _, draw = self._asked.get(id(generator), (generator, 0))
            self._asked[id(generator)] = (generator, draw + 1)  # held, so that its id stays its own
            numbers = normal(generator.initial_seed(), draw, shape.numel()).reshape(shape)
            return torch.from_numpy(numbers).to(given.get("device"), given.get("dtype") or torch.float32)

    return Card()
