"""Lighter pictures, where memory ran out: painted or enlarged in tiles, smaller, or enlarged less."""

from __future__ import annotations

from collections.abc import Iterator

from studio.catalog.card import Card
from studio.requests import ImageRequest, UpscaleRequest
from studio.tasks.bounds import with_card
from studio.tasks.image.size import SIDE
from studio.tasks.image.upscale import SMALLEST_TILE
from studio.tasks.rules import Kinds, Try

_TILES = (192, 128, 96, SMALLEST_TILE)
_SMALLEST_SIDE = 128


def painted(request: ImageRequest, card: Card, public: bool) -> Kinds:
    yield "tiles", iter([] if request.tiling or request.seamless else [({"tiling": True}, {})])
    yield "smaller", _sizes(request, card, public)


def enlarged(request: UpscaleRequest, _: Card, __: bool) -> Kinds:
    yield "small_tiles", _tiles(request)
    yield "scale", _scales(request)


def _sizes(request: ImageRequest, card: Card, public: bool) -> Iterator[Try]:
    """Smaller sizes of the same shape, as the model can paint them, largest first."""
    width, height = int(request.width or 0), int(request.height or 0)
    short = min(width, height)
    step = with_card(SIDE, "width", card, public).multiple
    for side in range((short - 1) // step * step, _SMALLEST_SIDE - 1, -step):
        across, down = (max(round(each * side / short / step), 1) * step for each in (width, height))
        yield {"width": across, "height": down}, {"size": f"{across} × {down}"}


def _tiles(request: UpscaleRequest) -> Iterator[Try]:
    """Smaller tiles. Those of the model are not known here; what takes no less is passed over."""
    for side in _TILES:
        if not request.tile or side < request.tile:
            yield {"tile": side}, {"side": side}


def _scales(request: UpscaleRequest) -> Iterator[Try]:
    for scale in range(request.scale - 1, 1, -1):
        yield {"scale": scale}, {"scale": scale}
