"""Pictures that pictures are made from: read, brought to size, masked, and put back together.

Everything here is pixels on the processor. Knows nothing of pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageOps

from studio.media import colour, masks, seams
from studio.media.image import Decoded, decode
from studio.requests import ImageRequest
from studio.results import Note

_Size = tuple[int, int]
_HARD = [0] * 128 + [255] * 128


@dataclass(frozen=True, slots=True)
class Source:
    """A picture to start from, RGB, and what of it is painted anew: "L", 255 yes, 0 no; None for all.

    Attributes:
        blur: how soft the mask's edge is, in pixels of `image`.
        notes: what of its file is not used.
    """

    image: Image.Image
    mask: Image.Image | None = None
    blur: float = 0.0
    notes: tuple[Note, ...] = ()

    def sized(self, size: _Size) -> Source:
        """The same at `size`; where the shape differs, the middle of it. At its own size not a pixel changes."""
        mask = self.mask
        if mask is not None:
            mask = ImageOps.fit(mask, size, Image.Resampling.BILINEAR).point(_HARD)
        blur = self.blur * min(size[0] / self.image.width, size[1] / self.image.height)
        return Source(ImageOps.fit(self.image, size, Image.Resampling.LANCZOS), mask, blur, self.notes)

    def kept(self, painted: Image.Image) -> Image.Image:
        """`painted` inside the mask, this picture outside. Outside no pixel changes; the seam lies inside."""
        if self.mask is None:
            return painted
        return seams.joined(self.image, painted, self.mask, self.blur)


@dataclass(frozen=True, slots=True)
class Cutout:
    """What is painted, and the picture that it is cut out of.

    Attributes:
        source: what the pipeline is given, at the size at which it is painted.
        whole: the untouched picture; None where `source` is all of it.
        box: where in `whole` it was cut out; may reach beyond its edges.
    """

    source: Source
    whole: Source | None = None
    box: masks.Box = (0, 0, 0, 0)

    def put_back(self, painted: Image.Image) -> Image.Image:
        """The whole picture with what was painted in its place, at the size that the picture had."""
        whole = self.whole
        if whole is None:
            return self.source.kept(painted)
        if painted.tobytes() == self.source.image.tobytes():  # not changed, and scaling there and back would be one
            return whole.image
        left, top, right, bottom = self.box
        back = painted.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
        inner = max(left, 0), max(top, 0), min(right, whole.image.width), min(bottom, whole.image.height)
        back = back.crop((inner[0] - left, inner[1] - top, inner[2] - left, inner[3] - top))
        place = Source(whole.image.crop(inner), whole.mask and whole.mask.crop(inner), whole.blur)
        out = whole.image.copy()
        out.paste(place.kept(back), inner)
        return out


def read_source(request: ImageRequest) -> Cutout | None:
    """The picture of a request at the size at which it is painted, or None where it has none.

    Raises:
        StudioError: bad_image, image_too_large, mask_empty.
    """
    if not request.image:
        return None
    size = request.width or 0, request.height or 0
    given = decode(request.image)
    picture = colour.on_white(given.image)
    marked = masks.read_mask(request.mask) if request.mask else None
    if marked is not None and marked.size != picture.size:
        marked = ImageOps.fit(marked, picture.size, Image.Resampling.BILINEAR)
    source = Source(picture, marked, float(request.mask_blur), left_out(given))
    if marked is None and request.details and not request.strength:  # only its details are painted
        return Cutout(source.sized(size), source, (0, 0, *picture.size))
    box = masks.marked_box(marked, request.mask_padding) if marked is not None and request.masked_only else None
    return Cutout(source.sized(size)) if box is None else cut(source, box, size)


def cut(source: Source, box: masks.Box, size: _Size) -> Cutout:
    """What a box of a picture shows, the box made wider or higher to the shape of `size`, to be painted at that."""
    box = masks.shaped_box(box, size[0] / size[1], source.image.size)
    mask = source.mask.point(_HARD) if source.mask is not None else None
    part = Source(_beyond(source.image, box), mask and mask.crop(box), source.blur, source.notes)
    return Cutout(part.sized(size), Source(source.image, mask, source.blur), box)


def _beyond(picture: Image.Image, box: masks.Box) -> Image.Image:
    """A part of the picture; beyond its edges they are drawn out, since black would be seen and painted on."""
    import numpy as np

    left, top, right, bottom = box
    over = (max(-top, 0), max(bottom - picture.height, 0)), (max(-left, 0), max(right - picture.width, 0)), (0, 0)
    inner = picture.crop((max(left, 0), max(top, 0), min(right, picture.width), min(bottom, picture.height)))
    return Image.fromarray(np.pad(np.asarray(inner), over, mode="edge")) if any(map(any, over)) else inner


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
