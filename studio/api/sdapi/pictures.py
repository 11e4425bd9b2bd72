"""Pictures and masks as AUTOMATIC1111 would have made them fit each other."""

from __future__ import annotations

import io

from PIL import Image

from studio.media import masks
from studio.media.image import decode_image
from studio.tasks.image.size import upright


def inverted(mask: bytes) -> bytes:
    """A mask of what is kept, as one of what is painted.

    Raises:
        StudioError: as studio.media.masks.read_mask.
    """
    return masks.png(masks.read_mask(mask).point([255 - level for level in range(256)]))


def sized_mask(mask: bytes, size: tuple[int, int]) -> bytes:
    """A mask of the picture's size; as it came where it has that.

    Raises:
        StudioError: as studio.media.masks.read_mask.
    """
    return mask if upright(mask) == size else masks.png(masks.read_mask(mask).resize(size))


def pulled(image: bytes, size: tuple[int, int]) -> bytes:
    """A picture of exactly this size, where its shape is another one; else as it came.

    Raises:
        StudioError: as studio.media.image.decode_image.
    """
    width, height = upright(image)
    if abs(width * size[1] - height * size[0]) <= max(width, height, *size):
        return image
    out = io.BytesIO()
    decode_image(image).resize(size, resample=Image.Resampling.LANCZOS).save(out, "PNG", compress_level=1)
    return out.getvalue()
