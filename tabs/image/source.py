"""The picture that a new one starts from: what was drawn on it becomes a mask, what is to be added a wider canvas.

Knows files and pixels; nothing of widgets or of models.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studio.errors import StudioError
from studio.media import masks
from studio.media.image import MAX_IMAGE_PIXELS, check_image, decode_image

if TYPE_CHECKING:
    from PIL import Image

PAINT = (255, 84, 38)
"""The colour of the brush, and of a mask that comes back."""
PAINTED = 8
"""Least opacity, of 255, that counts as painted: the soft edge of a stroke is part of it."""
_COVER = 150  # opacity of a mask that comes back
MAX_EXTEND = 2048
MAX_LAYERS, MAX_LAYER_PIXELS = 16, 4 * MAX_IMAGE_PIXELS
"""Layers of one drawing, and pixels of all of them: each is decoded whole."""
_OVERLAP = 16  # pixels of the old picture beside a new edge that are painted anew, so that no seam stays


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the editor holds: the files of the picture and of the strokes on it."""

    picture: bytes = field(default=b"", repr=False)
    strokes: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Start:
    """What a request takes: picture, mask (empty for all of it), and the size of both."""

    image: bytes = field(default=b"", repr=False)
    mask: bytes = field(default=b"", repr=False)
    width: int = 0
    height: int = 0


def start(drawing: Drawing, extend: Sequence[int] = (0, 0, 0, 0)) -> Start:
    """The picture and the mask to begin with.

    Args:
        extend: pixels to add left, right, above and below.

    Raises:
        StudioError: bad_image, image_too_large, out_of_range.
    """
    if not drawing.picture:
        return Start()
    for pixels in extend:
        if not 0 <= pixels <= MAX_EXTEND:
            raise StudioError("out_of_range", field="field.extend", value=pixels, low=0, high=MAX_EXTEND)
    _check_sizes(drawing, extend)
    picture = decode_image(drawing.picture)
    mask = _painted(drawing.strokes, picture.size)
    if not any(extend):
        whole = mask is None or mask.getbbox() is None
        return Start(drawing.picture, b"" if whole or mask is None else _png(mask), *picture.size)
    wider, added = _extended(picture, mask, extend)
    return Start(_png(wider), _png(added), *wider.size)


def _check_sizes(drawing: Drawing, extend: Sequence[int]) -> None:
    """Refuse, by what the headers say, what would take long or much memory to put together.

    Raises:
        StudioError: bad_image, image_too_large, drawing_too_large.
    """
    _, width, height = check_image(drawing.picture)
    left, right, up, down = extend
    wider, higher = width + left + right, height + up + down
    if any(extend) and wider * higher > MAX_IMAGE_PIXELS:
        raise StudioError("image_too_large", width=wider, height=higher, limit=f"{MAX_IMAGE_PIXELS / 1e6:g}")
    pixels = 0
    for layer in drawing.strokes[: MAX_LAYERS + 1]:
        _, across, down = check_image(layer)
        pixels += across * down
    if len(drawing.strokes) > MAX_LAYERS or pixels > MAX_LAYER_PIXELS:
        raise StudioError(
            "drawing_too_large", count=len(drawing.strokes), pixels=round(pixels / 1e6), most=MAX_LAYERS,
            limit=f"{MAX_LAYER_PIXELS / 1e6:g}",
        )  # fmt: skip


def strokes(mask: bytes, size: tuple[int, int]) -> bytes:
    """A mask as a transparent layer of paint, for the editor. Raises StudioError where it is no picture."""
    from PIL import Image

    alpha = masks.read_mask(mask).resize(size).point([0] * 128 + [_COVER] * 128)
    layer = Image.new("RGBA", size, (*PAINT, 0))
    layer.putalpha(alpha)
    return _png(layer)


def _painted(layers: Sequence[bytes], size: tuple[int, int]) -> Image.Image | None:
    """White where any layer has paint, black elsewhere; None where there are no layers."""
    from PIL import Image, ImageChops

    mask = None
    for data in layers:
        layer = _rgba(data).getchannel("A").point([0] * PAINTED + [255] * (256 - PAINTED))
        if layer.size != size:
            layer = layer.resize(size, Image.Resampling.NEAREST)
        mask = layer if mask is None else ImageChops.lighter(mask, layer)
    return mask


def _rgba(data: bytes) -> Image.Image:
    """A layer with its transparency, its size checked before any pixel is decoded."""
    from PIL import Image

    check_image(data)
    try:
        return Image.open(io.BytesIO(data)).convert("RGBA")
    except (OSError, ValueError, SyntaxError):
        raise StudioError("bad_image") from None


def _extended(picture: Image.Image, mask: Image.Image | None, extend: Sequence[int]) -> tuple[Image.Image, Image.Image]:
    """A wider canvas, its new parts filled from the nearest edge, and a mask of them."""
    import numpy as np
    from PIL import Image

    left, right, up, down = extend
    around = ((up, down), (left, right))
    canvas = np.pad(np.asarray(picture), (*around, (0, 0)), mode="edge")
    old = np.zeros((picture.height, picture.width), np.uint8) if mask is None else np.array(mask)
    overlap = min(_OVERLAP, picture.width // 8, picture.height // 8)
    if left:
        old[:, :overlap] = 255
    if right:
        old[:, picture.width - overlap :] = 255
    if up:
        old[:overlap] = 255
    if down:
        old[picture.height - overlap :] = 255
    return Image.fromarray(canvas), Image.fromarray(np.pad(old, around, constant_values=255))


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
