"""Masks: what of a picture they mark, by the conventions of the programs they come from, told apart by their pixels.

    opaque, black and white          white is painted anew, black is kept
    one colour of paint on nothing   the paint is painted anew, whatever its colour: a layer that was drawn on
    shades of grey on nothing        what is white and opaque
    a picture with holes             the holes: it was cut out where it is to change

Between black and white half counts.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import cast

from PIL import Image, ImageChops

from studio.errors import StudioError
from studio.media.image import decode

Box = tuple[int, int, int, int]
"""Left, upper, right and lower edge, in pixels."""
HALF = 128
"""Least value, of 255, that is painted anew."""
_FINE = 512  # sides of a mask that is made of numbers: as many places as the latents of large pictures have, and more
_ONE = 24  # levels by which a colour of paint may differ from itself, for the sake of lossy formats


def read_mask(data: bytes) -> Image.Image:
    """The mask in a picture file: mode L, 255 anew, 0 kept, all between.

    Raises:
        StudioError: bad_image, image_too_large, or mask_empty where nothing reaches HALF.
    """
    found = _marked(decode(data).image)
    if _extent(found)[1] < HALF:
        raise StudioError("mask_empty")
    return found


def box_mask(shares: Sequence[float]) -> bytes:
    """A mask of a box, as a PNG file.

    Args:
        shares: its left, upper, right and lower edge, as shares of a picture's sides, 0..1.
    """
    mask = Image.new("L", (_FINE, _FINE))
    left, top, right, bottom = (round(min(max(share, 0.0), 1.0) * _FINE) for share in shares)
    if left < right and top < bottom:
        mask.paste(255, (left, top, right, bottom))
    return png(mask)


def png(mask: Image.Image) -> bytes:
    """A mask as the bytes of a file."""
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


def marked_box(mask: Image.Image, padding: int = 0) -> Box | None:
    """The smallest box round what is painted, `padding` pixels wider where the picture goes on; None where nothing is.

    Args:
        mask: "L", as `read_mask` gives it.
    """
    found = mask.point([0] * HALF + [255] * (256 - HALF)).getbbox()
    if found is None:
        return None
    left, top, right, bottom = found
    return (
        max(left - padding, 0), max(top - padding, 0),
        min(right + padding, mask.width), min(bottom + padding, mask.height),
    )  # fmt: skip


def shaped_box(box: Box, aspect: float, size: tuple[int, int]) -> Box:
    """The box made wider or higher until its sides are as `aspect` says, moved so that little of it lies outside.

    Args:
        aspect: width by height.
        size: of the picture. Where the box is larger, it reaches beyond both of its edges.
    """
    sides = box[2] - box[0], box[3] - box[1]
    wanted = max(sides[0], round(sides[1] * aspect)), max(sides[1], round(sides[0] / aspect))
    left, top = (_moved((box[at] + box[at + 2] - wanted[at]) // 2, wanted[at], size[at]) for at in (0, 1))
    return left, top, left + wanted[0], top + wanted[1]


def _moved(start: int, length: int, room: int) -> int:
    return (room - length) // 2 if length > room else min(max(start, 0), room - length)


def _marked(picture: Image.Image) -> Image.Image:
    bands = picture.convert("RGB").split()
    brightest = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    if picture.mode != "RGBA":
        return brightest  # not the luminance: paint of pure red or blue marks as well
    alpha = picture.getchannel("A")
    seen = alpha.point([0] * HALF + [255] * HALF)
    if seen.getbbox() is None:
        return seen
    if max(high - low for low, high in (_extent(band, seen) for band in bands)) <= _ONE:
        return alpha
    darkest = ImageChops.darker(ImageChops.darker(bands[0], bands[1]), bands[2])
    if _extent(ImageChops.subtract(brightest, darkest), seen)[1] <= _ONE:
        return ImageChops.multiply(brightest, alpha)
    return ImageChops.invert(alpha)


def _extent(band: Image.Image, where: Image.Image | None = None) -> tuple[int, int]:
    """The lowest and the highest value of a band."""
    if where is None:
        return cast(tuple[int, int], band.getextrema())
    counts = band.histogram(where)
    found = [value for value, count in enumerate(counts) if count]
    return found[0], found[-1]
