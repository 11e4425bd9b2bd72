"""A space of pictures, as its script asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from studio.lab import space
from studio.service import Studio
from tabs.lab import films, pictures
from tabs.lab.asked import Asked, looker
from tabs.lab.told import told
from tabs.shared.asker import Asker

NAME, TASK = "space", "image"
SHOWN = space.SHOWN
_SEED = 2**32 - 1
_SIDE = 256


def walk(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """The way between two pictures. Raises StudioError: bad_message, and as `studio.lab.space.walk`."""
    found = _walked(studio, message, asker)
    if found is None:
        return None
    return told(
        {
            "model": found.model,
            "through": [pictures.address(one) for one in found.through],
            "mixed": [pictures.address(one) for one in found.mixed],
            "losses": [
                {
                    "given": pictures.address(one.given),
                    "back": pictures.address(one.back),
                    "where": pictures.address(one.where),
                    "mean": one.mean,
                }
                for one in found.losses
            ],
            "pixels": found.pixels,
            "shape": list(found.latents.shape[1:]),
            "latents": [[round(float(value), 3) for value in one.reshape(-1)] for one in found.latents],
        }
    )


def moving(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """The way as a file that moves: through the space on the left, through the pixels on the right. As `walk`."""
    found = _walked(studio, message, asker)
    if found is None:
        return None
    frames = [films.beside(each, _SIDE) for each in zip(found.through, found.mixed, strict=True)]
    return told({"film": films.film(frames, there_and_back=True)})


def noised(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """A picture with noise, in the space and in its pixels. Raises StudioError as `walk`."""
    asked = Asked(message)
    file = pictures.sent(asked.text("picture", pictures.MOST_BYTES))
    found = space.noised(studio.lab, file, asked.whole("seed", 0, _SEED, 0), asked.text("model", 200), looker(asker))
    if found is None:
        return None
    return told(
        {
            "latents": [pictures.address(one) for one in found.latents],
            "pixels": [pictures.address(one) for one in found.pixels],
        }
    )


def _walked(studio: Studio, message: Any, asker: Asker) -> space.Walk | None:
    asked = Asked(message)
    first, second = (pictures.sent(asked.text(name, pictures.MOST_BYTES)) for name in ("first", "second"))
    return space.walk(studio.lab, first, second, asked.text("model", 200), looker(asker))


ANSWERS: Mapping[str, Callable[[Studio, Any, Asker], Response | None]] = {
    "walk": walk, "noised": noised, "moving": moving,
}  # fmt: skip
