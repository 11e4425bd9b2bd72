"""Learning somebody's taste, as its script asks for it. The choices lie with the browser; here none are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from starlette.responses import Response

from studio.errors import StudioError
from studio.lab import matches, taste
from studio.requests import ImageRequest
from studio.service import Studio
from tabs.lab.asked import Asked, looker
from tabs.lab.pictures import address
from tabs.lab.pixels import directions, told_directions
from tabs.lab.told import told
from tabs.shared.asker import Asker

NAME, TASK = "taste", "image"
SHOWN = taste.SHOWN
MOST_CHOICES, MOST_RANKED = 100, 16
_SEEDS = 2**32 - 1


def pair(studio: Studio, message: Any, asker: Asker) -> Response:
    """The prompts of two pictures to choose between. Raises StudioError: bad_message."""
    del studio
    first, second = taste.prompts(Asked(message).whole("seed", 0, _SEEDS, 0), asker.language)
    return told({"prompts": [first, second], "enough": taste.ENOUGH})


def paint(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """A picture and its direction. Raises StudioError: bad_message, as `easel.paint` and `studio.lab.matches.see`."""
    asked = Asked(message)
    prompt, seed = asked.text("prompt", 300).strip(), asked.whole("seed", 0, _SEEDS, 0)
    if not prompt:
        raise StudioError("bad_message")
    request = ImageRequest(prompt=prompt, seed=seed, model=asked.text("model", 200))
    made = studio.easel.paint(request, asker.who, asker.place)
    seen = matches.see(studio.lab, [made.picture], looker(asker)) if made is not None else None
    if made is None or seen is None:
        return None
    return told({"picture": address(made.picture), "direction": told_directions(seen)[0], "seed": seed})


def learn(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """What some choices tell, in words, and what it gives for further pictures.

    Raises:
        StudioError: bad_message, and as `studio.lab.taste.say`.
    """
    asked = Asked(message)
    liked, other = (directions(asked.several(name, MOST_CHOICES), MOST_CHOICES) for name in ("liked", "other"))
    pictures = directions(asked.several("pictures", MOST_RANKED), MOST_RANKED)
    if not len(liked) or len(liked) != len(other):
        raise StudioError("bad_message")
    found = taste.say(studio.lab, liked, other, asker.language, looker(asker))
    if found is None:
        return None
    rewards = found.taste.rewards(pictures) if len(pictures) else np.zeros(0)
    return told({"most": found.most, "least": found.least, "agrees": found.taste.agrees, "choices": len(liked),
                 "rewards": rewards.round(4).tolist()})  # fmt: skip


ANSWERS: Mapping[str, Callable[[Studio, Any, Asker], Response | None]] = {"pair": pair, "paint": paint, "learn": learn}
