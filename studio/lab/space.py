"""A space of pictures: an autoencoder's, in which each picture is a few numbers that can be changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.engines.inside import KnowsSpace
from studio.jobs.context import RunContext
from studio.lab.looking import Lab, Looker, Seen
from studio.media.image import decode_image
from studio.requests import ImageRequest, Request
from studio.results import Output

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

STOPS = 17
"""Pictures of a walk, its ends among them."""
LEVELS = 9
"""Strengths of noise, from none to as strong as what it is added to."""
MOST_PIXELS = 16_000_000


@dataclass(frozen=True, slots=True)
class Loss:
    """What encoding and decoding lose of a picture.

    Attributes:
        where: the difference, dark where much is lost. mean: of all its numbers, of 0 to 255.
    """

    given: Image.Image
    back: Image.Image
    where: Image.Image
    mean: float


@dataclass(frozen=True, slots=True)
class Walk:
    """The way between two pictures.

    Attributes:
        through: pictures along the straight line between their latents. mixed: along that between their pixels.
        latents: of both, an array (2, channels, height, width).
        pixels: numbers that a picture has.
    """

    through: tuple[Image.Image, ...]
    mixed: tuple[Image.Image, ...]
    losses: tuple[Loss, Loss]
    latents: np.ndarray
    pixels: int
    model: str


@dataclass(frozen=True, slots=True)
class Noised:
    """A picture with more and more noise, put into its latents and into its pixels."""

    latents: tuple[Image.Image, ...]
    pixels: tuple[Image.Image, ...]


def walk(lab: Lab, first: bytes, second: bytes, model: str, looker: Looker) -> Walk | None:
    """The way between two picture files. None and errors as `Lab.look`; also as `decode_image`."""
    given = (decode_image(first, MOST_PIXELS), decode_image(second, MOST_PIXELS))

    def ask(model: KnowsSpace, request: Request, context: RunContext) -> Seen[Walk]:
        assert isinstance(request, ImageRequest)
        a, b = (_fitted(one, request) for one in given)
        latents = model.encode((a, b), context)
        through = model.decode(between(latents[0], latents[1], STOPS), context)
        mixed = _pictures(between(_numbers(a), _numbers(b), STOPS))
        losses = (loss(a, through[0]), loss(b, through[-1]))
        seen = Walk(through, mixed, losses, latents, _numbers(a).size, request.model)
        return Seen(seen, Output(images=through))

    return lab.look(_asked(model), KnowsSpace, ask, looker)


def noised(lab: Lab, picture: bytes, seed: int, model: str, looker: Looker) -> Noised | None:
    """A picture file with noise. None and errors as `walk`."""
    given = decode_image(picture, MOST_PIXELS)

    def ask(model: KnowsSpace, request: Request, context: RunContext) -> Seen[Noised]:
        assert isinstance(request, ImageRequest)
        whole = _fitted(given, request)
        latents = model.decode(with_noise(model.encode((whole,), context)[0], LEVELS, seed), context)
        return Seen(Noised(latents, _pictures(with_noise(_numbers(whole), LEVELS, seed))), Output(images=latents))

    return lab.look(_asked(model), KnowsSpace, ask, looker)


def between(first: np.ndarray, second: np.ndarray, stops: int) -> np.ndarray:
    """So many points on the straight line from one to the other, both ends among them."""
    import numpy as np

    return np.stack([first + (second - first) * share for share in np.linspace(0, 1, stops, dtype=np.float32)])


def with_noise(numbers: np.ndarray, levels: int, seed: int) -> np.ndarray:
    """The numbers with the same noise in rising strength, measured by how far they themselves lie apart: at the end as
    much noise as there is picture."""
    import numpy as np

    noise = np.random.default_rng(seed).standard_normal(numbers.shape, dtype=np.float32) * numbers.std()
    return np.stack([numbers + noise * strength for strength in np.linspace(0, 1, levels, dtype=np.float32)])


def loss(given: Image.Image, back: Image.Image) -> Loss:
    """What is lost of a picture on its way through the space."""
    import numpy as np
    from PIL import Image

    apart = np.abs(_numbers(given) - _numbers(back))
    where = (255 - 3 * apart.mean(axis=2)).clip(0, 255).astype(np.uint8)
    return Loss(given, back, Image.fromarray(where), float(apart.mean()))


def _asked(model: str) -> ImageRequest:
    return ImageRequest(prompt="a picture", model=model)


def _fitted(picture: Image.Image, request: ImageRequest) -> Image.Image:
    from PIL import ImageOps

    return ImageOps.fit(picture, (int(request.width or 256), int(request.height or 256)))


def _numbers(picture: Image.Image) -> np.ndarray:
    import numpy as np

    return np.asarray(picture, dtype=np.float32)


def _pictures(numbers: np.ndarray) -> tuple[Image.Image, ...]:
    import numpy as np
    from PIL import Image

    return tuple(Image.fromarray(one) for one in numbers.round().clip(0, 255).astype(np.uint8))


SHOWN = (between, with_noise, loss)
"""The code that the page shows."""
