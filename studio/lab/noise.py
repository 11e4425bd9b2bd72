"""How noise becomes a picture: each step of a painting, what it takes away, and where each word looks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from studio.engines.inside import ShowsPainting
from studio.jobs.context import RunContext
from studio.lab.looking import Lab, Looker, Seen
from studio.requests import ImageRequest, Request
from studio.results import Output, Painting

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

MOST_GUIDANCE = 10.0
MOST_STEPS = 12
MOST_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Frame:
    """One step as pictures.

    Attributes:
        time: as the model's scheduler counts it, large where all is noise.
        noisy: what it began with. estimate: what the model expects to end at. taken: what it took away, on grey.
    """

    time: float
    noisy: Image.Image
    estimate: Image.Image
    taken: Image.Image


@dataclass(frozen=True, slots=True)
class Look:
    """Where one word looks, or all that are no words together: an array (steps, height, width), 0 to 1."""

    word: str
    maps: np.ndarray


@dataclass(frozen=True, slots=True)
class Film:
    """A painting.

    Attributes:
        looks: of each word of the prompt, and last of what begins, ends and fills it; together one at every place.
    """

    picture: Image.Image
    frames: tuple[Frame, ...]
    looks: tuple[Look, ...]
    seed: int
    model: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What is painted. Guidance is not held to the model's own bound: here one may see why it has one."""

    prompt: str
    seed: int | None = None
    steps: int = 8
    guidance: float = 1.0
    model: str = ""


def film(lab: Lab, wish: Wish, looker: Looker) -> Film | None:
    """A painting step by step. None and errors as `Lab.look`."""

    def ask(model: ShowsPainting, request: Request, context: RunContext) -> Seen[Film]:
        assert isinstance(request, ImageRequest)
        shown = model.painting(replace(request, guidance_scale=wish.guidance), context)
        frames = tuple(
            Frame(step.time, step.noisy, step.estimate, taken_away(step.noisy, after))
            for step, after in zip(shown.steps, [*(one.noisy for one in shown.steps[1:]), shown.picture], strict=True)
        )
        seen = Film(shown.picture, frames, looks(shown), request.seed or 0, request.model)
        return Seen(seen, Output(images=(shown.picture, *(one.estimate for one in frames))))

    return lab.look(_asked(wish), ShowsPainting, ask, looker)


def picture(lab: Lab, wish: Wish, looker: Looker) -> Image.Image | None:
    """Only the end of it. None and errors as `film`."""

    def ask(model: Any, request: Request, context: RunContext) -> Seen[Image.Image]:
        assert isinstance(request, ImageRequest)
        without = {} if wish.guidance else {"prompt": ""}
        found = model.run(replace(request, guidance_scale=wish.guidance or 1.0, **without), context).images[0]
        return Seen(found, Output(images=(found,)))

    return lab.look(_asked(wish), ShowsPainting, ask, looker)


def taken_away(before: Image.Image, after: Image.Image) -> Image.Image:
    """The difference of two pictures on grey: light where light was taken, dark where dark was."""
    import numpy as np
    from PIL import Image

    difference = np.asarray(before, dtype=np.int16) - np.asarray(after, dtype=np.int16)
    return Image.fromarray((128 + difference // 2).clip(0, 255).astype(np.uint8))


def looks(shown: Painting) -> tuple[Look, ...]:
    """The attention by words: that of a word is the sum of its tokens'."""
    maps, left = shown.attention, set(range(shown.attention.shape[1]))
    found = []
    for word in shown.words:
        found.append(Look(word.text, maps[:, list(word.tokens)].sum(axis=1)))
        left -= set(word.tokens)
    return (*found, Look("", maps[:, sorted(left)].sum(axis=1)))


def _asked(wish: Wish) -> ImageRequest:
    return ImageRequest(prompt=wish.prompt, seed=wish.seed, steps=wish.steps, model=wish.model)


SHOWN = (taken_away, looks)
"""The code that the page shows."""
