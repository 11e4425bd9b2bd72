"""Limits of a picture to be enlarged: its scale, its tiles, and how large it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.media.image import check_image
from studio.requests import UpscaleRequest
from studio.tasks.bounds import Bound, Letters, check_number, check_picture, with_card

NUMBERS: Mapping[str, Bound] = {
    "scale": Bound(2, 4, 4, 4),
    "tile": Bound(0, 1024, 256, 0),
    "seed": Bound(0, 0, 0, 0),
}
TEXTS: Mapping[str, Letters] = {}
MAX_ENLARGED, MAX_ENLARGED_PUBLIC = 64_000_000, 16_000_000
"""Pixels of an enlarged picture."""
SMALLEST_TILE = 64
"""Pixels of a side; neighbours share 32 of them."""


def check(request: UpscaleRequest, _: Card, public: bool) -> None:
    """Raises StudioError: out_of_range, no_picture, bad_image, file_too_large, image_too_large."""
    if 0 < request.tile < SMALLEST_TILE:
        check_number("tile", request.tile, replace(NUMBERS["tile"], low=SMALLEST_TILE))
    check_picture("image", request.image, public)
    width, height = check_image(request.image)[1:]
    limit = (MAX_ENLARGED_PUBLIC if public else MAX_ENLARGED) / request.scale**2
    if width * height > limit:
        raise StudioError("image_too_large", width=width, height=height, limit=f"{limit / 1e6:.3g}")


def admits(request: UpscaleRequest, card: Card) -> bool:
    """Whether this model knows the scale."""
    if not isinstance(request.scale, int):
        return True
    row = with_card(NUMBERS["scale"], "scale", card, False)
    return row.low <= request.scale <= row.high
