"""Two networks against each other, as its script asks for it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from studio.lab import gan
from studio.requests import ImageRequest
from studio.service import Studio
from tabs.lab.asked import Asked, looker
from tabs.lab.pictures import address
from tabs.lab.pixels import strip
from tabs.lab.told import told
from tabs.shared.asker import Asker

NAME, TASK = "gan", "image"
SHOWN = gan.SHOWN
_SEEDS = 2**32 - 1
_BOLDEST = 4
"""Times the way from the mean style of a word; further out nothing is left to see."""


def film(studio: Studio, message: Any, asker: Asker) -> Response:
    """The words that there are, the film of the training, and what was measured when it was released."""
    del studio
    Asked(message)
    seen = gan.film()
    shown = [word["name" if asker.language == "en" else "chinese"] for word in gan.words()]
    return told(
        {
            "words": shown,
            "names": [word["name"] for word in gan.words()],
            "score": gan.score(),
            "film": f"data:image/webp;base64,{base64.b64encode(seen.frames).decode()}",
            "side": seen.side,
            "frames": list(seen.told),
        }
    )


def walk(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """The way from one word and seed to another. Raises StudioError: bad_message, and as `studio.lab.gan.paint`."""
    asked = Asked(message)
    last, truncation = len(gan.words()) - 1, asked.number("truncation", 0, _BOLDEST, 1.0)
    words = (asked.whole("from", 0, last, 0), asked.whole("to", 0, last, 0))
    seeds = (asked.whole("seed", 0, _SEEDS, 0), asked.whole("other_seed", 0, _SEEDS, 1))
    return _painted(studio, gan.walk(words, seeds, asked.whole("count", 2, gan.MOST, 17)), truncation, asker)


def row(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """Several noises of one word. Raises StudioError as `walk`."""
    asked = Asked(message)
    word, seed = asked.whole("word", 0, len(gan.words()) - 1, 0), asked.whole("seed", 0, _SEEDS - gan.MOST, 0)
    seeds = range(seed, seed + asked.whole("count", 1, gan.MOST, 8))
    return _painted(studio, gan.several(word, seeds), asked.number("truncation", 0, _BOLDEST, 1.0), asker)


def beside(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """The same word by the picture starter, which paints by taking noise away. Raises StudioError as `easel.paint`."""
    asked = Asked(message)
    word = gan.words()[asked.whole("word", 0, len(gan.words()) - 1, 0)]
    seed, model = asked.whole("seed", 0, _SEEDS, 0), asked.text("model", 200)
    made = studio.easel.paint(ImageRequest(prompt=word["name"], seed=seed, model=model), asker.who, asker.place)
    return told({"picture": address(made.picture), "seconds": made.seconds}) if made is not None else None


def _painted(studio: Studio, spots: list[gan.Spot], truncation: float, asker: Asker) -> Response | None:
    made = gan.paint(studio.lab, spots, truncation, looker(asker))
    if made is None:
        return None
    return told({"strip": strip(made.pictures), "count": len(spots), "seconds": made.seconds})


ANSWERS: Mapping[str, Callable[[Studio, Any, Asker], Response | None]] = {
    "film": film, "walk": walk, "row": row, "beside": beside,
}  # fmt: skip
