"""How noise becomes a picture, as its script asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from studio.errors import StudioError
from studio.lab import noise
from studio.service import Studio
from tabs.lab import films, pictures
from tabs.lab.asked import Asked, looker
from tabs.lab.told import told
from tabs.shared.asker import Asker

NAME, TASK = "noise", "image"
SHOWN = noise.SHOWN
_SEED = 2**32 - 1
_PACE, _SIDE = 450, 256


def film(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """A painting, step by step. Raises StudioError: bad_message, and as `studio.lab.noise.film`."""
    found = noise.film(studio.lab, _wish(message), looker(asker))
    if found is None:
        return None
    return told(
        {
            "model": found.model,
            "seed": found.seed,
            "picture": pictures.address(found.picture, exact=True),
            "frames": [
                {
                    "time": frame.time,
                    "noisy": pictures.address(frame.noisy),
                    "estimate": pictures.address(frame.estimate),
                    "taken": pictures.address(frame.taken),
                }
                for frame in found.frames
            ],
            "side": found.looks[0].maps.shape[-1],
            "looks": [
                {
                    "word": look.word,
                    "peak": float(look.maps.max()),
                    "share": float(look.maps.mean()),
                    "maps": pictures.grey(look.maps / (look.maps.max() or 1)),
                }
                for look in found.looks
            ],
        }
    )


def picture(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """Only its end. Raises StudioError as `film`."""
    found = noise.picture(studio.lab, _wish(message), looker(asker))
    return None if found is None else told({"picture": pictures.address(found, exact=True)})


def moving(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """A painting as a file that moves: what the model sees, what it expects, what is taken. Raises as `film`."""
    found = noise.film(studio.lab, _wish(message), looker(asker))
    if found is None:
        return None
    nothing = noise.taken_away(found.picture, found.picture)
    steps = [(one.noisy, one.estimate, one.taken) for one in found.frames]
    frames = [films.beside(each, _SIDE) for each in (*steps, (found.picture, found.picture, nothing))]
    return told({"film": films.film(frames, _PACE)})


ANSWERS: Mapping[str, Callable[[Studio, Any, Asker], Response | None]] = {
    "film": film, "picture": picture, "moving": moving,
}  # fmt: skip


def _wish(message: Any) -> noise.Wish:
    asked = Asked(message)
    prompt = asked.text("prompt", noise.MOST_CHARACTERS)
    if not prompt.strip():
        raise StudioError("bad_message")
    return noise.Wish(
        prompt,
        asked.whole("seed", 0, _SEED, 0),
        asked.whole("steps", 1, noise.MOST_STEPS, 8),
        asked.number("guidance", 0, noise.MOST_GUIDANCE, 1),
        asked.text("model", 200),
    )
