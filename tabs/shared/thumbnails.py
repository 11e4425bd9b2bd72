"""Small copies of pictures for the page, made once."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from studio.errors import StudioError
from studio.media.image import decode_image

_MOST = 1000


class Thumbnails:
    """Files that the page may read, by picture and size.

    Args:
        offer: puts bytes where the page reads them, under a name.
    """

    def __init__(self, offer: Callable[[bytes, str], str]) -> None:
        self._offer = offer
        self._made: OrderedDict[tuple[Path, int], str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, picture: Path, side: int) -> str:
        """The small copy of a picture, at most `side` pixels; a grey square of one that cannot be read."""
        key = picture, side
        with self._lock:
            if (known := self._made.get(key)) and Path(known).is_file():  # the page's copies are cleared away in time
                self._made.move_to_end(key)
                return known
        made = self._offer(small_copy(picture, side), "small.webp")
        with self._lock:
            self._made[key] = made
            while len(self._made) > _MOST:
                self._made.popitem(last=False)
        return made


def small_copy(file: Path, side: int) -> bytes:
    """The small copy of a picture as WebP; a grey square of one that cannot be read."""
    from PIL import Image

    try:
        picture = decode_image(file.read_bytes())
    except (StudioError, OSError):
        picture = Image.new("RGB", (side, side), (128, 128, 128))
    picture.thumbnail((side, side))
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=82)
    return out.getvalue()
