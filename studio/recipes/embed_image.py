"""Finished picture files: PNG, JPEG and WebP, each with its recipe in it and marked as made by a model."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from studio import __version__
from studio.media import colour, embedded, exif
from studio.media.image import decode
from studio.recipes import ai_marks, inspect, origins, recipe

if TYPE_CHECKING:
    from PIL import Image

SOFTWARE = f"Atelier {__version__}"

_JPEG_SEGMENT = 65_000  # an APP1 segment counts its bytes in 16 bits


_DEFLATE = 4
"""Of zlib's nine: half the time of its usual 6, for files that are a twentieth larger."""


def encode_png(image: Image.Image, made: dict[str, Any] | None = None, told: bool = True) -> bytes:
    """A PNG with its recipe under the keys `recipe` (our JSON) and `parameters` (what other web UIs read).

    Args:
        made: without it nothing is said about the picture.
        told: the recipe stands in the file; without, only the mark that a model made it (studio.recipes.ai_marks).
    """
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    if made is not None and told:
        info.add_text("parameters", origins.text(made))
        info.add_itxt("recipe", recipe.to_json(made))
        info.add_text("Software", SOFTWARE)
    if made is not None:
        info.add_itxt(embedded.XMP_KEYWORD, ai_marks.xmp(made, told))
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info, compress_level=_DEFLATE)
    return out.getvalue()


def encode_jpeg(image: Image.Image, made: dict[str, Any] | None = None, told: bool = True, quality: int = 95) -> bytes:
    """A JPEG with its recipe in EXIF: JSON in ImageDescription, the parameters text in UserComment.

    EXIF holds 64 kB there: of a longer recipe the parameters text goes first, then the JSON.
    """
    out = io.BytesIO()
    block, packet = _blocks(made, told, _JPEG_SEGMENT)
    colour.on_white(image).save(out, "JPEG", quality=quality, subsampling=0, exif=block, xmp=packet)
    return out.getvalue()


def encode_webp(image: Image.Image, made: dict[str, Any] | None = None, told: bool = True, quality: int = 95) -> bytes:
    """A WebP with its recipe in EXIF, as `encode_jpeg` writes it."""
    out = io.BytesIO()
    block, packet = _blocks(made, told, None)
    image.save(out, "WEBP", quality=quality, exif=block, xmp=packet)
    return out.getvalue()


def as_shown(data: bytes) -> bytes:
    """Any picture that we read as a PNG, which every browser shows, with the settings that it carries.

    Raises:
        StudioError: bad_image, image_too_large.
    """
    from PIL import PngImagePlugin

    told, origin, out = PngImagePlugin.PngInfo(), inspect.origin(data), io.BytesIO()
    if origin is not None and isinstance(text := origin.get("parameters"), str):
        told.add_itxt("parameters", text)
    decode(data).image.save(out, "PNG", compress_level=1, pnginfo=told)
    return out.getvalue()


def _blocks(made: dict[str, Any] | None, told: bool, room: int | None) -> tuple[bytes, bytes]:
    """EXIF and XMP."""
    if made is None:
        return b"", b""
    return _exif(made, room) if told else b"", ai_marks.xmp(made, told).encode()


def _exif(made: dict[str, Any], room: int | None) -> bytes:
    text = origins.text(made)
    for description, comment in ((recipe.to_json(made, ascii_only=True), text), (recipe.to_json(made), ""), ("", "")):
        block = exif.written(SOFTWARE, description, comment)
        if room is None or len(block) <= room:
            return block
    return b""
