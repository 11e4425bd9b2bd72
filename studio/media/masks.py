"""Masks: what of a picture they mark, by the conventions of the programs they come from, told apart by their pixels.

    opaque, black and white          white is painted anew, black is kept
    one colour of paint on nothing   the paint is painted anew, whatever its colour: a layer that was drawn on
    shades of grey on nothing        what is white and opaque
    a picture with holes             the holes: it was cut out where it is to change

Between black and white half counts.
"""

from __future__ import annotations

from typing import cast

from PIL import Image, ImageChops

from studio.errors import StudioError
from studio.media.image import decode

HALF = 128
"""Least value, of 255, that is painted anew."""
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
