"""Two networks against each other, as its script asks for it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image
from starlette.responses import Response

from studio.lab import gan
from studio.requests import ImageRequest
from studio.service import Studio
from tabs.lab import films
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
_SIDE, _TRAINING_PACE = 256, 200


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
    return _painted(studio, *_way(message), asker)


def row(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """Several noises of one word. Raises StudioError as `walk`."""
    asked = Asked(message)
    word, seed = asked.whole("word", 0, len(gan.words()) - 1, 0), asked.whole("seed", 0, _SEEDS - gan.MOST, 0)
    seeds = range(seed, seed + asked.whole("count", 1, gan.MOST, 8))
    return _painted(studio, gan.several(word, seeds), asked.number("truncation", 0, _BOLDEST, 1.0), asker)


def moving(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """A walk as a file that moves. Raises StudioError as `walk`."""
    spots, truncation = _way(message)
    made = gan.paint(studio.lab, spots, truncation, looker(asker))
    if made is None:
        return None
    frames = [films.beside([Image.fromarray(each)], _SIDE) for each in made.pictures]
    return told({"film": films.film(frames, there_and_back=True)})


def training(studio: Studio, message: Any, asker: Asker) -> Response:
    """The film of the training as a file that moves. Raises StudioError: bad_message."""
    del studio, asker
    Asked(message)
    seen = gan.film()
    whole = Image.open(io.BytesIO(seen.frames)).convert("RGB")
    wide = whole.width
    frames = [whole.crop((0, at * wide, wide, (at + 1) * wide)) for at in range(len(seen.told))]
    return told({"film": films.film(frames, _TRAINING_PACE)})


def beside(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """The same word by the picture starter, which paints by taking noise away. Raises StudioError as `easel.paint`."""
    asked = Asked(message)
    word = gan.words()[asked.whole("word", 0, len(gan.words()) - 1, 0)]
    seed, model = asked.whole("seed", 0, _SEEDS, 0), asked.text("model", 200)
    made = studio.easel.paint(ImageRequest(prompt=word["name"], seed=seed, model=model), asker.who, asker.place)
    return told({"picture": address(made.picture), "seconds": made.seconds}) if made is not None else None


def _way(message: Any) -> tuple[list[gan.Spot], float]:
    """The spots of a walk, and its truncation."""
    asked = Asked(message)
    last = len(gan.words()) - 1
    words = (asked.whole("from", 0, last, 0), asked.whole("to", 0, last, 0))
    seeds = (asked.whole("seed", 0, _SEEDS, 0), asked.whole("other_seed", 0, _SEEDS, 1))
    spots = gan.walk(words, seeds, asked.whole("count", 2, gan.MOST, 17))
    return spots, asked.number("truncation", 0, _BOLDEST, 1.0)


def _painted(studio: Studio, spots: list[gan.Spot], truncation: float, asker: Asker) -> Response | None:
    made = gan.paint(studio.lab, spots, truncation, looker(asker))
    if made is None:
        return None
    return told({"strip": strip(made.pictures), "count": len(spots), "seconds": made.seconds})


ANSWERS: Mapping[str, Callable[[Studio, Any, Asker], Response | None]] = {
    "film": film, "walk": walk, "row": row, "beside": beside, "moving": moving, "training": training,
}  # fmt: skip
