"""Pictures and maps of the lab as addresses that hold them, and pictures that its scripts send."""

from __future__ import annotations

import base64
import binascii
import io
from typing import TYPE_CHECKING

from PIL import Image

from studio.errors import StudioError

if TYPE_CHECKING:
    import numpy as np

MOST_BYTES = 700_000
"""Of a picture that is sent; the page sends them small."""
_QUALITY = 90


def address(picture: Image.Image, exact: bool = False) -> str:
    """A picture as a data address.

    Args:
        exact: with its very pixels; else a little smaller, and as the eye sees it.
    """
    file = io.BytesIO()
    if exact:
        picture.save(file, "PNG", compress_level=1)
    else:
        picture.save(file, "WEBP", quality=_QUALITY, method=0)
    kind = "png" if exact else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def grey(maps: np.ndarray) -> str:
    """Numbers from 0 to 1, in order, as bytes in base64."""
    return base64.b64encode((maps * 255).round().clip(0, 255).astype("uint8").tobytes()).decode()


def sent(address: str) -> bytes:
    """The file in a data address of a script. Raises StudioError: bad_message."""
    head, comma, body = address.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise StudioError("bad_message")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise StudioError("bad_message") from None
