"""Pictures that pictures are made from: read, brought to size, masked, and put back together.

Everything here is pixels on the processor. Knows nothing of pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageOps

from studio.media import colour, masks
from studio.media.image import Decoded, decode
from studio.results import Note

_Size = tuple[int, int]
_HARD = [0] * 128 + [255] * 128
_FROM_HALF = [max(0, 2 * value - 255) for value in range(256)]


@dataclass(frozen=True, slots=True)
class Source:
    """A picture to start from, RGB, and what of it is painted anew: "L", 255 yes, 0 no; None for all.

    Attributes:
        notes: what of its file is not used.
    """

    image: Image.Image
    mask: Image.Image | None = None
    notes: tuple[Note, ...] = ()

    def sized(self, size: _Size) -> Source:
        """The same at `size`; where the shape differs, the middle of it. At its own size not a pixel changes."""
        mask = self.mask
        if mask is not None:
            mask = ImageOps.fit(mask, size, Image.Resampling.BILINEAR).point(_HARD)
        return Source(ImageOps.fit(self.image, size, Image.Resampling.LANCZOS), mask, self.notes)

    def kept(self, painted: Image.Image) -> Image.Image:
        """`painted` inside the mask, this picture outside. Outside no pixel changes; the seam lies inside."""
        if self.mask is None:
            return painted
        seam = self.mask.filter(ImageFilter.GaussianBlur(max(painted.size) / 256))
        seam = seam.point(_FROM_HALF)  # half way at the edge, which becomes the outside
        return Image.composite(painted, self.image, ImageChops.darker(seam, self.mask))


def read_source(image: bytes, mask: bytes, size: _Size) -> Source | None:
    """The picture of a request at `size`, or None where it has none.

    Raises:
        StudioError: bad_image, image_too_large, mask_empty.
    """
    if not image:
        return None
    given = decode(image)
    picture = colour.on_white(given.image)
    marked = masks.read_mask(mask) if mask else None
    if marked is not None and marked.size != picture.size:
        marked = ImageOps.fit(marked, picture.size, Image.Resampling.BILINEAR)
    return Source(picture, marked, left_out(given)).sized(size)


def left_out(given: Decoded, whole: bool = False) -> tuple[Note, ...]:
    """What a person should hear of a file that goes in.

    Args:
        whole: its transparency is kept.
    """
    flat: tuple[Note, ...] = (("flattened", {}),) if given.image.mode == "RGBA" and not whole else ()
    return (*flat, ("first_frame", {})) if given.animated else flat


def smaller(size: _Size, scale: float, multiple: int) -> _Size:
    """The size of a first pass that is enlarged `scale` times, each side a multiple of what the model asks for."""
    width, height = (min(side, max(multiple, round(side / scale / multiple) * multiple)) for side in size)
    return width, height


def enlarged(picture: Image.Image, size: _Size) -> Image.Image:
    return picture.resize(size, Image.Resampling.LANCZOS)
