"""Settings in the lowest bits of a picture's pixels, as NovelAI and the "stealth pnginfo" extension put them there.

The bits of the transparency, or of red, green and blue, column by column: fifteen letters that say which, the length
in bits as 32 bits, and the text in UTF-8, perhaps packed with gzip. The only place where pixels are decoded to find
settings; so the size is judged first, and only pictures that can carry them are opened: PNG and lossless WebP. Never
raises.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

from studio.media import charsets, containers
from studio.media.containers import MalformedError

if TYPE_CHECKING:
    import numpy as np

MAX_PIXELS = 25_000_000
MAX_TEXT = 1_000_000
_MARK = 15
_MARKS = {b"stealth_pnginfo": ("A", False), b"stealth_pngcomp": ("A", True), b"stealth_rgbinfo": ("RGB", False),
          b"stealth_rgbcomp": ("RGB", True)}  # fmt: skip


def text(data: bytes) -> str:
    """The hidden text; empty where there is none."""
    try:
        pixels = _pixels(data)
    except Exception:  # decoders raise whatever they like on hostile bytes
        return ""
    if pixels is None:
        return ""
    for channels in ("A", "RGB"):
        bits = pixels[:, :, 3:] if channels == "A" else pixels[:, :, :3]
        if bits.shape[2] and (found := _Bits(bits, channels).text()) is not None:
            return found
    return ""


def _pixels(data: bytes) -> np.ndarray | None:
    """Rows, columns and channels; None where the picture can hide nothing or is too large to look."""
    import numpy as np
    from PIL import PngImagePlugin, WebPImagePlugin

    try:
        kind, width, height = containers.picture(data)
    except MalformedError:
        return None
    if kind not in ("PNG", "WEBP") or width * height > MAX_PIXELS or (kind == "WEBP" and b"VP8L" not in data[:200]):
        return None
    opener = PngImagePlugin.PngImageFile if kind == "PNG" else WebPImagePlugin.WebPImageFile
    with opener(io.BytesIO(data)) as file:
        if file.width * file.height > MAX_PIXELS or file.mode not in ("RGB", "RGBA"):
            return None
        file.load()
        return np.asarray(file)


class _Bits:
    """The lowest bits of some channels, column by column."""

    def __init__(self, channels: np.ndarray, which: str) -> None:
        self._channels, self._which = channels, which
        self._rows, self._columns, self._depth = channels.shape

    def text(self) -> str | None:
        """What they say; None where they do not begin with a mark of theirs."""
        which, packed = _MARKS.get(self._bytes(0, _MARK), ("", False))
        if which != self._which:
            return None
        length = int.from_bytes(self._bytes(_MARK, 4), "big") // 8
        if length > min(MAX_TEXT, self._channels.size // 8):
            return None
        body = self._bytes(_MARK + 4, length)
        if packed:
            try:
                body = zlib.decompressobj(31).decompress(body, MAX_TEXT)
            except zlib.error:
                return None
        return charsets.plain(body)

    def _bytes(self, at: int, count: int) -> bytes:
        """`count` bytes from byte `at` on; fewer where there are no more."""
        import numpy as np

        column = self._rows * self._depth
        first, last = at * 8 // column, (at + count) * 8 // column + 1
        part = self._channels[:, first:last].transpose(1, 0, 2).reshape(-1) & 1
        start = at * 8 - first * column
        return np.packbits(part[start : start + count * 8]).tobytes()
