"""Size of a picture: the sides that were asked for, or those of the picture or the part of it that it starts from.

Knows headers only; no pixel is decoded but those of a mask that says which part is painted.
"""

from __future__ import annotations

import math
from dataclasses import replace

from studio.catalog.card import Card
from studio.media import formats
from studio.media.image import check_image
from studio.requests import ImageRequest
from studio.tasks.bounds import Bound, with_card

SIDE = Bound(64, 4096, 1536, 512, multiple=8)
PIXELS = Bound(64 * 64, 2560 * 2560, 1024 * 1024, 512 * 512)


def upright(data: bytes) -> tuple[int, int]:
    """Width and height of a picture as people see it: turned as its EXIF says.

    Raises:
        StudioError: bad_image, image_too_large.
    """
    _, width, height = check_image(data)
    return (height, width) if formats.lies_on_its_side(data) else (width, height)


def side_bound(field: str, card: Card, scale: float = 1.0, *, public: bool = False) -> Bound:
    """What `width` or `height` may be. What is painted small and enlarged may be that much larger, and no smaller."""
    own = with_card(SIDE, field, card, public)
    if scale <= 1:
        return own
    top = min(max(SIDE.high, own.high), own.high * scale)
    low = min(math.ceil(own.low * scale / own.multiple) * own.multiple, top)
    return replace(own, low=low, high=min(top, SIDE.public) if public else top)


def pixel_bound(card: Card, scale: float = 1.0, *, public: bool = False) -> Bound:
    """What width × height may be."""
    own = with_card(PIXELS, "pixels", card, public)
    top = min(max(PIXELS.high, own.high), own.high * scale**2)
    return replace(own, high=min(top, PIXELS.public) if public else top)


def sides(request: ImageRequest, card: Card, *, public: bool = False) -> tuple[int, int]:
    """Width and height of what is painted; those that were not asked for are made up.

    Without a picture to start from: the model's own. With one: its aspect, at the model's own number of pixels.
    Where only what a mask marks is painted, that is the picture; it is put back at its own size. Of pictures to be
    edited it is the first.
    Enlarging (`hires_scale`) makes both larger. What is made up lies within the bounds; what was asked for stays.
    """
    scale = request.hires_scale
    rows = [side_bound(field, card, scale, public=public) for field in ("width", "height")]
    asked = (request.width, request.height)
    own = [card.defaults.get(f, r.default) * scale for f, r in zip(("width", "height"), rows, strict=True)]
    wide, high = own
    begun = request.image or next(iter(request.pictures), b"")
    if begun and None in asked:
        given = _marked(request) or upright(begun)
        aspect = given[0] / given[1]
        if request.height is not None:
            wide = request.height * aspect
        elif request.width is not None:
            high = request.width / aspect
        else:
            wide = math.sqrt(own[0] * own[1] * aspect)
            high = wide / aspect
            wide, high = _within(wide, rows[0]), _within(high, rows[1])
    room = pixel_bound(card, scale, public=public).high
    if None not in asked:
        return int(asked[0] or 0), int(asked[1] or 0)
    if request.width is not None:
        return int(request.width), _snapped(min(high, room / max(request.width, 1)), rows[1])
    if request.height is not None:
        return _snapped(min(wide, room / max(request.height, 1)), rows[0]), int(request.height)
    return _fitted(wide, high, rows, room)


def shaped(aspect: float, card: Card) -> tuple[int, int]:
    """Sides of this aspect (width by height), at the model's own number of pixels."""
    rows = [side_bound(field, card) for field in ("width", "height")]
    own = [card.defaults.get(f, r.default) for f, r in zip(("width", "height"), rows, strict=True)]
    wide = math.sqrt(own[0] * own[1] * aspect)
    return _fitted(_within(wide, rows[0]), _within(wide / aspect, rows[1]), rows, pixel_bound(card).high)


def _fitted(wide: float, high: float, rows: list[Bound], room: float) -> tuple[int, int]:
    """Allowed sides near these, of at most `room` pixels."""
    shrink = min(1.0, math.sqrt(room / (wide * high)))
    width, height = _snapped(wide * shrink, rows[0]), _snapped(high * shrink, rows[1])
    while width * height > room and max(width, height) > rows[0].multiple:  # both were rounded up
        width, height = (width - rows[0].multiple, height) if width >= height else (width, height - rows[1].multiple)
    return width, height


def _marked(request: ImageRequest) -> tuple[int, int] | None:
    """Sides of the part that is painted, where it is only one. Raises StudioError: mask_empty, bad_image."""
    if not (request.masked_only and request.mask):
        return None
    from studio.media import masks  # loads Pillow, which `--help` needs not wait for

    box = masks.marked_box(masks.read_mask(request.mask), int(request.mask_padding))
    return (box[2] - box[0], box[3] - box[1]) if box else None


def _within(value: float, row: Bound) -> float:
    return min(max(value, row.low), row.high)


def _snapped(value: float, row: Bound) -> int:
    """The nearest allowed side."""
    lowest = math.ceil(row.low / row.multiple) * row.multiple
    highest = math.floor(row.high / row.multiple) * row.multiple
    return int(min(max(round(value / row.multiple) * row.multiple, lowest), highest))
