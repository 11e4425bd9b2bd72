"""Pictures and directions of the lab's messages: texts that hold files, and lists of numbers."""

from __future__ import annotations

import base64
import binascii
import io
import math
from typing import Any

import numpy as np
from PIL import Image

from studio.errors import StudioError
from studio.media.image import decode_image

LETTERS = 900_000
"""Of a picture that is sent, at most: the script makes it small before."""
PIXELS = 1_000_000
NUMBERS = 256
DIGITS = 4


def sent(value: Any) -> Image.Image:
    """The picture in a `data:` address. Raises StudioError: bad_message, and as `decode_image`."""
    if not isinstance(value, str) or len(value) > LETTERS:
        raise StudioError("bad_message")
    head, comma, body = value.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise StudioError("bad_message")
    try:
        return decode_image(base64.b64decode(body, validate=True), PIXELS)
    except (binascii.Error, ValueError):
        raise StudioError("bad_message") from None


def address(data: bytes, kind: str = "image/webp") -> str:
    """A file as a `data:` address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def as_webp(picture: Image.Image) -> str:
    """A picture as a `data:` address."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=92, method=2)
    return address(file.getvalue())


def strip(pictures: np.ndarray) -> str:
    """Pictures side by side, uint8 (count, side, side, 3), as a `data:` address."""
    return as_webp(Image.fromarray(np.concatenate(list(pictures), axis=1)))


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
