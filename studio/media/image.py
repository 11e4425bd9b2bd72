"""Pictures from anybody into pixels: measured first, made smaller while they are read, turned upright, in sRGB.

Only the plugin of the format that the first bytes name sees a file, so no other format can get in.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.errors import StudioError
from studio.media import colour, formats

if TYPE_CHECKING:
    from PIL import Image

MAX_IMAGE_PIXELS = 25_000_000
"""Of a picture that comes out; a larger one is halved until it has no more."""
MAX_SIDE = 65_535
READ_PIXELS, READ_PIXELS_PUBLIC = 64_000_000, 25_000_000
"""Of a file that is decoded whole before it is made smaller: at most 512 MB then."""
JPEG_PIXELS, JPEG_PIXELS_PUBLIC = 250_000_000, 110_000_000
"""Of a JPEG file, which is made smaller while it is decoded, line by line."""
WAVES_PIXELS, WAVES_PIXELS_PUBLIC = 110_000_000, 60_000_000
"""Of a progressive one: its waves are all kept until the last has come, two bytes each."""


def check_image(data: bytes, max_pixels: int | None = None, *, public: bool = False) -> tuple[str, int, int]:
    """Format, width and height of a picture file, from its headers alone.

    Args:
        max_pixels: refused above this; None for what can be decoded in reasonable memory.

    Raises:
        StudioError: bad_image; picture_format where it is something else that has a name; image_too_large.
    """
    try:
        kind, width, height = formats.measured(data)
    except formats.MalformedError:
        raise _refused(data) from None
    if width < 1 or height < 1:
        raise StudioError("bad_image")
    limit = max_pixels or _limit(kind, data, public)
    if width * height > limit or max(width, height) > MAX_SIDE:
        raise StudioError("image_too_large", width=width, height=height, limit=f"{limit / 1e6:g}")
    return kind, width, height


@dataclass(frozen=True, slots=True)
class Decoded:
    """What is in a picture file, upright and in sRGB.

    Attributes:
        image: RGB, or RGBA where some of it is transparent.
        animated: there are more pictures than this one, which is the first.
    """

    image: Image.Image
    animated: bool = False


def decode_image(data: bytes, max_pixels: int | None = None) -> Image.Image:
    """The picture in a file: RGB, upright, on white where it is transparent, at most MAX_IMAGE_PIXELS.

    Of an animation or several pages the first. Colours are brought from the file's own profile to sRGB. Metadata is
    left behind.

    Args:
        data: the bytes of the file, from anybody.
        max_pixels: as for `check_image`, before any pixel is decoded.

    Raises:
        StudioError: bad_image, picture_format, image_too_large.
    """
    return colour.on_white(decode(data, max_pixels).image)


def decode(data: bytes, max_pixels: int | None = None) -> Decoded:
    """As `decode_image`, with the transparency that the picture has and whether there is more in the file."""
    from PIL import Image

    kind, width, height = check_image(data, max_pixels)
    shrink = _shrink(width * height)
    try:
        with _opener(kind)(io.BytesIO(data)) as file:
            if file.width * file.height > width * height:
                raise StudioError("bad_image")  # the header said less
            if kind == "JPEG" and shrink > 1:
                file.draft(None, (max(file.width // shrink, 1), max(file.height // shrink, 1)))
            animated = getattr(file, "is_animated", False) is True
            file.load()
            turn = _turn(file, Image)
            shrink = _shrink(file.width * file.height)
            small = file.reduce(shrink) if shrink > 1 and file.mode in ("L", "RGB", "RGBA", "LA", "CMYK") else file
            small.info = file.info
            picture = colour.srgb(small)
            if (shrink := _shrink(picture.width * picture.height)) > 1:
                picture = picture.reduce(shrink)
    except StudioError:
        raise
    except Exception:  # decoders raise whatever they like on hostile bytes: struct.error, KeyError, OSError …
        raise StudioError("bad_image") from None
    picture = picture if turn is None else picture.transpose(turn)
    picture.info = {}
    return Decoded(picture, animated)


def _refused(data: bytes) -> StudioError:
    """Why a file is no picture that can be read: what it is instead, where that has a name."""
    name = formats.named(data)
    if name and formats.kind(data) is None:
        return StudioError("picture_format", kind=name)
    return StudioError("bad_image")


def _limit(kind: str, data: bytes, public: bool) -> int:
    if kind != "JPEG":
        return READ_PIXELS_PUBLIC if public else READ_PIXELS
    if formats.progressive(data):
        return WAVES_PIXELS_PUBLIC if public else WAVES_PIXELS
    return JPEG_PIXELS_PUBLIC if public else JPEG_PIXELS


def _shrink(pixels: int) -> int:
    """By how much each side is divided: a power of two, so that every format comes to the same size."""
    factor = 1
    while pixels > MAX_IMAGE_PIXELS * factor**2:
        factor *= 2
    return factor


def _opener(kind: str) -> Callable[[Any], Any]:
    """The plugin for a format itself, not Image.open."""
    from PIL import (
        AvifImagePlugin,
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    def heif(file: Any) -> Any:
        import pi_heif

        return pi_heif.open_heif(file, convert_hdr_to_8bit=True).to_pillow()

    return {
        "PNG": PngImagePlugin.PngImageFile,
        "JPEG": JpegImagePlugin.JpegImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "WEBP": WebPImagePlugin.WebPImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
        "AVIF": AvifImagePlugin.AvifImageFile,
        "HEIF": heif,
    }[kind]


def _turn(file: Image.Image, pil: Any) -> Any:
    """The transposition that the EXIF orientation asks for. Broken EXIF asks for none."""
    try:
        orientation = file.getexif().get(0x0112)
    except Exception:  # the picture itself is fine
        return None
    how = pil.Transpose
    return {
        2: how.FLIP_LEFT_RIGHT,
        3: how.ROTATE_180,
        4: how.FLIP_TOP_BOTTOM,
        5: how.TRANSPOSE,
        6: how.ROTATE_270,
        7: how.TRANSVERSE,
        8: how.ROTATE_90,
    }.get(orientation if isinstance(orientation, int) else 1)
