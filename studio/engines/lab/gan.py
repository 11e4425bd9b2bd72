"""Engine of the small GAN: icons of 64 pixels in one pass, from a word and noise.

A picture is a spot in the space of noises and meanings, so that two of them have a way between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.shared import parking, torch_loading
from studio.errors import StudioError
from studio.requests import ImageRequest, Request
from studio.results import Output

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a picture lies: so far from one word and seed to another.

    Attributes:
        words: numbers of two words. seeds: of two noises. far: 0 for the first of each, 1 for the second.
    """

    words: tuple[int, int]
    seeds: tuple[int, int]
    far: float = 0.0


class GanEngine:
    """Generators of studio/engines/lab/networks/generator.py."""

    def weights(self, card: Card, files: Path) -> int:
        return 2 * torch_loading.stored_bytes(card, files)  # stored in half, computed in single precision

    def work(self, card: Card, request: Request) -> int:  # noqa: ARG002
        return 64 << 20

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> GanModel:
        with torch_loading.loading(card, device):
            from studio.engines.lab.networks.generator import load_generator

            network, words = load_generator(files)
            report(1.0)
            return GanModel(card, network, words, device)


class GanModel(parking.Parking):
    """A generator in memory.

    Attributes:
        words: `name` and `chinese` of what it can paint, by number.
    """

    def __init__(self, card: Card, network: Any, words: Sequence[dict[str, str]], device: Device) -> None:
        self._card, self._device, self.words = card, device, tuple(words)
        self._network: Any = network
        self._weights: Any = parking.placed(card, device, network)

    def nbytes(self) -> int:
        return self._weights.nbytes()

    def close(self) -> None:
        self._network = self._weights = None

    def run(self, request: ImageRequest, context: Context) -> Output:
        """Pictures of the word that a prompt is. Raises StudioError: wrong_task for every other prompt."""
        known = {word: at for at, each in enumerate(self.words) for word in each.values()}
        if request.prompt.strip().lower() not in known:
            raise StudioError("wrong_task", model=self._card.title)
        word, first = known[request.prompt.strip().lower()], request.seed or 0
        seeds = tuple(range(first, first + request.count))
        pictures = self.paint([Spot((word, word), (seed, seed)) for seed in seeds], 1.0, context)
        return Output(images=tuple(Image.fromarray(each) for each in pictures), seeds=seeds)

    def paint(self, spots: Sequence[Spot], truncation: float, context: Context) -> np.ndarray:
        """The pictures of `spots`: uint8, (count, 64, 64, 3).

        Args:
            truncation: 1 for each style as it is, 0 for the mean style of its word.

        Raises:
            Cancelled: the run was stopped.
        """
        import torch

        from studio.engines.lab.networks import generator

        made = []
        with torch_loading.working(self._card):
            for at in range(0, len(spots), _AT_ONCE):
                context.check()
                some = spots[at : at + _AT_ONCE]
                noise = torch.stack([between(_noise(spot.seeds[0]), _noise(spot.seeds[1]), spot.far) for spot in some])
                first, second = (self._network.meanings[[spot.words[end] for spot in some]] for end in (0, 1))
                far = torch.tensor([[spot.far] for spot in some])
                styles = generator.truncated(self._network, noise, first + (second - first) * far, truncation)
                pixels = ((self._network.pixels(styles) + 1) * 127.5).round().clamp(0, 255).byte()
                made.append(pixels.permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(made)


def between(first: Any, second: Any, far: float) -> Any:
    """A noise so far along the arc from one to another: a straight line would pass near the middle, where none lies."""
    import torch

    angle = torch.arccos(torch.nn.functional.cosine_similarity(first, second, dim=0).clamp(-1, 1))
    if angle < 1e-4:
        return first
    return (torch.sin((1 - far) * angle) * first + torch.sin(far * angle) * second) / torch.sin(angle)


def _noise(seed: int) -> Any:
    import torch

    from studio.engines.lab.networks.generator import NOISE

    return torch.randn(NOISE, generator=torch.Generator().manual_seed(seed))
