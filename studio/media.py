"""Pictures as bytes: untrusted files in, finished files with their recipe out.

Decodes only what `containers.picture` has measured, so that a 40 MB bitmap in a 4 kB file costs nothing. Knows
nothing of where files lie (studio.library) or of what a recipe means (studio.recipe).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from studio import __version__, colour, containers, exif, infotext, recipe, stripping
from studio.errors import StudioError

MAX_IMAGE_PIXELS = 25_000_000
MAX_SIDE = 32_000
SOFTWARE = f"Atelier {__version__}"

_EXIF_DESCRIPTION, _EXIF_SOFTWARE, _EXIF_IFD, _EXIF_COMMENT = 0x010E, 0x0131, 0x8769, 0x9286
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by the number in its EXIF."""

_JPEG_SEGMENT = 65_000  # an APP1 segment counts its bytes in 16 bits


def check_image(data: bytes, max_pixels: int = MAX_IMAGE_PIXELS) -> tuple[str, int, int]:
    """Format, width and height of a PNG, JPEG, WebP or GIF file, from its headers alone.

    Raises:
        StudioError: bad_image, or image_too_large where it has more than `max_pixels`.
    """
    try:
        kind, width, height = containers.picture(data)
    except containers.MalformedError:
        raise StudioError("bad_image") from None
    if width < 1 or height < 1:
        raise StudioError("bad_image")
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise StudioError("image_too_large", width=width, height=height, limit=f"{max_pixels / 1e6:g}")
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


def decode_image(data: bytes, max_pixels: int = MAX_IMAGE_PIXELS) -> Image.Image:
    """The picture in a PNG, JPEG, WebP or GIF file: RGB, upright, on white where it is transparent.

    Of an animation the first frame. Metadata is left behind.

    Args:
        data: the bytes of the file, from anybody.
        max_pixels: refused above this, before any pixel is decoded.

    Raises:
        StudioError: bad_image, image_too_large.
    """
    return colour.on_white(decode(data, max_pixels).image)


def decode(data: bytes, max_pixels: int = MAX_IMAGE_PIXELS) -> Decoded:
    """As `decode_image`, with the transparency that the picture has and whether there is more in the file."""
    from PIL import GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    kind, _, _ = check_image(data, max_pixels)
    opener = {
        "PNG": PngImagePlugin.PngImageFile,
        "JPEG": JpegImagePlugin.JpegImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "WEBP": WebPImagePlugin.WebPImageFile,
    }[kind]
    try:
        # The plugin itself, not Image.open: no other format can get in, and the size was already judged above.
        with opener(io.BytesIO(data)) as file:
            if file.width * file.height > max_pixels:
                raise StudioError("bad_image")  # the header said less
            animated = getattr(file, "is_animated", False) is True
            file.load()
            picture = colour.srgb(file)
    except StudioError:
        raise
    except Exception:  # decoders raise whatever they like on hostile bytes: struct.error, KeyError, OSError …
        raise StudioError("bad_image") from None
    turn = _TURNS.get(exif.orientation(containers.exif(data)))
    picture = picture if turn is None else picture.transpose(turn)
    picture.info = {}
    return Decoded(picture, animated)


def encode_png(image: Image.Image, made: dict[str, Any] | None = None) -> bytes:
    """A PNG with its recipe under the keys `recipe` (our JSON) and `parameters` (what other web UIs read)."""
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    if made is not None:
        info.add_text("parameters", infotext.write(made))
        info.add_itxt("recipe", recipe.to_json(made))
        info.add_text("Software", SOFTWARE)
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def encode_jpeg(image: Image.Image, made: dict[str, Any] | None = None, quality: int = 95) -> bytes:
    """A JPEG with its recipe in EXIF: JSON in ImageDescription, the parameters text in UserComment.

    EXIF holds 64 kB there: of a longer recipe the parameters text goes first, then the JSON.
    """
    out = io.BytesIO()
    block = _exif(made, _JPEG_SEGMENT) if made is not None else b""
    colour.on_white(image).save(out, "JPEG", quality=quality, subsampling=0, exif=block)
    return out.getvalue()


def encode_webp(image: Image.Image, made: dict[str, Any] | None = None, quality: int = 95) -> bytes:
    """A WebP with its recipe in EXIF, as `encode_jpeg` writes it."""
    out = io.BytesIO()
    block = _exif(made, None) if made is not None else b""
    image.save(out, "WEBP", quality=quality, exif=block)
    return out.getvalue()


def clean(data: bytes) -> bytes:
    """The same picture file without any metadata: same pixels, same format, still the right way up.

    Raises:
        StudioError: bad_image, image_too_large.
    """
    check_image(data)
    try:
        return stripping.stripped(data)
    except containers.MalformedError:
        raise StudioError("bad_image") from None


def _exif(made: dict[str, Any], room: int | None) -> bytes:
    comment = b"UNICODE\0" + infotext.write(made).encode("utf-16-be")
    for description, note in ((recipe.to_json(made, ascii_only=True), comment), (recipe.to_json(made), b""), ("", b"")):
        made_of = Image.Exif()
        made_of[_EXIF_SOFTWARE] = SOFTWARE
        if description:
            made_of[_EXIF_DESCRIPTION] = description.encode()
        if note:
            made_of.get_ifd(_EXIF_IFD)[_EXIF_COMMENT] = note
        block = made_of.tobytes()
        if room is None or len(block) <= room:
            return block
    return b""
