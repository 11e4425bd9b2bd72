"""Rows of pictures and directions of the lab's messages: strips, and lists of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image

from studio.errors import StudioError
from studio.media.image import decode_image
from tabs.lab import pictures

PIXELS = 1_000_000
NUMBERS = 256
DIGITS = 4


def sent(value: Any) -> Image.Image:
    """The picture in a `data:` address. Raises StudioError: bad_message, and as `decode_image`."""
    if not isinstance(value, str) or len(value) > pictures.MOST_BYTES * 4 // 3:
        raise StudioError("bad_message")
    return decode_image(pictures.sent(value), PIXELS)


def strip(shown: np.ndarray) -> str:
    """Pictures side by side, uint8 (count, side, side, 3), as a `data:` address."""
    return pictures.address(Image.fromarray(np.concatenate(list(shown), axis=1)))


def told_directions(directions: np.ndarray) -> list[list[float]]:
    """Directions as numbers for a script."""
    return [[round(float(number), DIGITS) for number in each] for each in directions]


def directions(value: Any, most: int) -> np.ndarray:
    """Directions that a script sends back, (count, 256). Raises StudioError: bad_message."""
    if not isinstance(value, list) or len(value) > most:
        raise StudioError("bad_message")
    for each in value:
        if not isinstance(each, list) or len(each) != NUMBERS:
            raise StudioError("bad_message")
        if not all(type(number) in (int, float) and math.isfinite(number) and abs(number) <= 1 for number in each):
            raise StudioError("bad_message")
    return np.asarray(value, np.float64).reshape(-1, NUMBERS)
