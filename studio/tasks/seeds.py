"""The seeds of a request: which may be asked for, and which each picture of several has. Plain arithmetic."""

from __future__ import annotations

from dataclasses import replace

from studio.errors import StudioError
from studio.requests import ImageRequest, Request
from studio.tasks.bounds import DRAWN_SEED, MAX_SEED, label

SEEDS = ("seed", "variation_seed")
ANY = -1
"""Asks for a new seed, as everywhere in the field; an empty value means the same."""


def is_any(name: str, value: object) -> bool:
    """Whether this value of this field leaves the seed to the studio."""
    return name in SEEDS and (value is None or (value == ANY and not isinstance(value, bool)))


def check(request: Request) -> None:
    """Picture i uses seed + i; the last one has to be a seed too, or its recipe could not be run again.

    Raises:
        StudioError: out_of_range.
    """
    count = int(getattr(request, "count", 1))
    for name in SEEDS:
        value = getattr(request, name, None)
        if value is not None and value + count - 1 > MAX_SEED:
            raise StudioError("out_of_range", field=label(name), value=value, low=0, high=MAX_SEED + 1 - count)


def leaving_room(seed: int, count: int) -> int:
    """The seed, or the greatest behind which there are enough for so many pictures."""
    return min(seed & DRAWN_SEED, MAX_SEED + 1 - count)


def varied(request: ImageRequest) -> bool:
    """Whether its pictures are to be relatives of one: not where they start from a picture."""
    return bool(request.variation and not request.image)


def stepped(request: ImageRequest, number: int, varied: bool) -> ImageRequest:
    """The request with the seeds of picture `number`: its own, or where it is a relative its own variation seed."""
    if varied:
        return replace(request, variation_seed=(request.variation_seed or 0) + number)
    return replace(request, seed=(request.seed or 0) + number)
