"""Width and height from a shape: the proportion is the person's, the number of pixels the model's. Pure arithmetic."""

from __future__ import annotations

import math

from studio.catalog.card import Card
from studio.tasks import limits

RATIOS = {"square": (1, 1), "portrait": (3, 4), "landscape": (4, 3), "tall": (9, 16), "wide": (16, 9)}
CUSTOM = "custom"
SHAPES = ("", *RATIOS, CUSTOM)
"""In the order of the page; the empty one is the model's own."""

_TURNED = {"portrait": "landscape", "landscape": "portrait", "tall": "wide", "wide": "tall"}
_ROOMY = 1.6  # a picture to start from keeps its size up to so many times what the model usually paints


def usual(card: Card) -> tuple[int, int]:
    """What the model paints where nothing is asked for."""
    row = limits.NUMBERS["image"]
    return tuple(int(card.defaults.get(side, row[side].default)) for side in ("width", "height"))  # pyright: ignore


def sized(shape: str, card: Card, scale: float = 1.0) -> tuple[int, int]:
    """The size of a preset: as many pixels as the model usually paints, enlarged so many times, sides that it can."""
    width, height = usual(card)
    across, down = RATIOS.get(shape, (width, height))
    return _fitted(across / down, width * height, card, scale)


def following(width: int, height: int, card: Card) -> tuple[int, int]:
    """The size in which a picture of this size is worked on: its own where that suits the model, else its shape."""
    pixels = math.prod(usual(card))
    return _fitted(
        width / height, min(width * height, pixels * _ROOMY) if width * height > pixels / 2 else pixels, card
    )


def turned(shape: str) -> str:
    """The preset with its sides swapped."""
    return _TURNED.get(shape, shape)


def shape_of(width: int, height: int, card: Card) -> str:
    """The preset that gives this size with this model; "custom" where none does."""
    if (width, height) == usual(card):
        return ""
    return next((name for name in RATIOS if sized(name, card) == (width, height)), CUSTOM)


def _fitted(ratio: float, pixels: float, card: Card, scale: float = 1.0) -> tuple[int, int]:
    across, down = _side("width", math.sqrt(pixels * ratio), card), _side("height", math.sqrt(pixels / ratio), card)
    return _stepped(across * scale, card), _stepped(down * scale, card)


def _side(name: str, wanted: float, card: Card) -> int:
    row = limits.bound("image", name, card)
    low, high = math.ceil(row.low / row.multiple) * row.multiple, int(row.high // row.multiple) * row.multiple
    return min(max(_stepped(wanted, card), low), high)


def _stepped(side: float, card: Card) -> int:
    step = limits.bound("image", "width", card).multiple
    return max(round(side / step), 1) * step
