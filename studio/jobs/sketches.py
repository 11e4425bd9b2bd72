"""Sketches: pictures that are painted while their words are still being typed.

A sketch is a live run (studio.jobs.live). Its pixels are those of the job with the same request and seed, so what was
seen can be kept by asking for it (`take`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from studio.catalog.card import Card
from studio.jobs.live import Live
from studio.jobs.planner import Intake, draw_seed
from studio.requests import ImageRequest

if TYPE_CHECKING:
    from PIL import Image

FEW_STEPS = 8
"""Steps of a picture up to which a model is offered for this."""
_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Sketch:
    """A picture, the seed that gives it again, and the seconds that were spent on painting it."""

    picture: Image.Image
    seed: int
    seconds: float


def sketches(card: Card) -> bool:
    """Whether a model needs so few steps that it may paint while somebody types."""
    steps = card.defaults.get("steps")
    return "image" in card.tasks and isinstance(steps, int) and steps <= FEW_STEPS


class Easel:
    """Where sketches are painted."""

    def __init__(self, intake: Intake, live: Live) -> None:
        self._intake, self._live = intake, live
        self._people: OrderedDict[str, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def paint(self, request: ImageRequest, who: str, place: str = "") -> Sketch | None:
        """The first picture of a request, as soon as it can be painted; None where it gave way.

        Without a seed it gets the one of this person's sketches before it, until that picture is kept.

        Args:
            place: as `Live.run`.

        Raises:
            StudioError: as Studio.submit.
        """
        asked = replace(request, count=1)
        with self._lock:
            seen = self._seen(who)
        order = self._intake.order(replace(asked, seed=seen.seed) if asked.seed is None else asked)
        ran = self._live.run(order.card, order.plan, who, place)
        if ran is None:
            return None
        painted = order.plan.requests[0]
        assert isinstance(painted, ImageRequest)
        assert painted.seed is not None
        with self._lock:
            seen.asked = asked
        return Sketch(ran.output.images[0], painted.seed, ran.seconds)

    def take(self, request: ImageRequest, who: str) -> ImageRequest:
        """A request as it is to be carried out: with the seed of the sketch that shows what is asked for.

        Once: asked again, it is another picture, as everywhere.
        """
        with self._lock:
            seen = self._people.get(who)
            if seen is None or request.seed is not None or seen.asked != replace(request, count=1):
                return request
            del self._people[who]
            return replace(request, seed=seen.seed)

    def turn_page(self, who: str) -> None:
        """The next sketch of somebody who names no seed is another picture."""
        with self._lock:
            self._people.pop(who, None)

    def _seen(self, who: str) -> _Seen:
        seen = self._people.setdefault(who, _Seen(draw_seed()))
        self._people.move_to_end(who)
        while len(self._people) > _REMEMBERED:
            self._people.popitem(last=False)
        return seen


class _Seen:
    """What somebody was shown: by which request, with which seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: ImageRequest | None = None
