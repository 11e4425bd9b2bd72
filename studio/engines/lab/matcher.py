"""Engine of the matcher: pictures and words as directions, whose products say how well they go together.

Beside its own small heads it has the caption starter's encoder and the picture starter's text encoder in memory.
Chinese is read with the picture starter's glossary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.shared import parking, torch_loading
from studio.errors import StudioError
from studio.requests import Request
from studio.results import Output
from studio.store.local import STARTERS
from studio.tasks.image.glossary import load_glossary, read_prompt

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Directions:
    """Directions of pictures or words.

    Attributes:
        each: float32, (count, 256), of length 1.
        read: of words, what was read for each: a Chinese name in English.
    """

    each: np.ndarray
    read: tuple[str, ...] = ()


class MatcherEngine:
    """The one matcher that there is."""

    def weights(self, card: Card, files: Path) -> int:
        parts = (files / "text_encoder", STARTERS / "caption")
        return 2 * torch_loading.stored_bytes(card, files) + sum(
            torch_loading.stored_bytes(card, part) for part in parts
        )

    def work(self, card: Card, request: Request) -> int:  # noqa: ARG002
        return 64 << 20

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> MatcherModel:
        with torch_loading.loading(card, device, "transformers"):
            from studio.engines.lab.networks import matcher

            words = matcher.Words(files / "text_encoder", STARTERS / "image" / "tokenizer")
            report(0.5)
            return MatcherModel(
                card, matcher.load_heads(files), matcher.load_encoder(STARTERS / "caption"), words, device
            )


class MatcherModel(parking.Parking):
    """A matcher in memory.

    Attributes:
        sharpness: what a product is multiplied with before a softmax makes shares of it.
    """

    def __init__(self, card: Card, heads: Any, encoder: Any, words: Any, device: Device) -> None:
        self._card, self._device = card, device
        self._heads: Any = heads
        self._encoder: Any = encoder
        self._words: Any = words
        self._weights: Any = parking.placed(card, device, heads, encoder, words.model)
        self.sharpness = float(heads.sharpness.exp())

    def nbytes(self) -> int:
        return self._weights.nbytes()

    def close(self) -> None:
        self._heads = self._encoder = self._words = self._weights = None

    def run(self, request: Request, context: Context) -> Output:  # noqa: ARG002
        """It answers no request. Raises StudioError: wrong_task."""
        raise StudioError("wrong_task", model=self._card.title)

    def see(self, pictures: Sequence[Image.Image], context: Context) -> Directions:
        """The directions of pictures, each as a whole on white. Raises Cancelled where the run was stopped."""
        import numpy as np

        from studio.engines.lab.networks.matcher import observed

        found = []
        with torch_loading.working(self._card):
            for picture in pictures:
                context.check()
                found.append(self._heads.pictures(observed(self._encoder, self._heads, _pixels(picture))))
            return Directions(np.concatenate([each.cpu().numpy() for each in found]))

    def hear(self, words: Sequence[str], context: Context) -> Directions:
        """The directions of words, in English or Chinese. Raises Cancelled where the run was stopped."""
        context.check()
        table = load_glossary(STARTERS / "image")
        read = tuple(read_prompt(each, table).prompt for each in words)
        with torch_loading.working(self._card):
            return Directions(self._heads.words(self._words(list(read))).cpu().numpy(), read)


def _pixels(picture: Image.Image) -> Any:
    """(1, 3, 224, 224) in -1..1: all of the picture, with white where it is transparent and round what is no square."""
    import numpy as np
    import torch

    from studio.engines.lab.networks.matcher import SIDE

    shown = picture.convert("RGBA")
    side = max(shown.size)
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(shown, ((side - shown.width) // 2, (side - shown.height) // 2))
    small = square.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 127.5 - 1
