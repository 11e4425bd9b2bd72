"""Finished picture files: PNG, JPEG and WebP, each with its recipe in it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from studio import __version__
from studio.media import colour, exif
from studio.media.image import decode
from studio.recipes import inspect, origins, recipe

if TYPE_CHECKING:
    from PIL import Image

SOFTWARE = f"Atelier {__version__}"

_JPEG_SEGMENT = 65_000  # an APP1 segment counts its bytes in 16 bits


_DEFLATE = 4
"""Of zlib's nine: half the time of its usual 6, for files that are a twentieth larger."""


def encode_png(image: Image.Image, made: dict[str, Any] | None = None) -> bytes:
    """A PNG with its recipe under the keys `recipe` (our JSON) and `parameters` (what other web UIs read)."""
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    if made is not None:
        info.add_text("parameters", origins.text(made))
        info.add_itxt("recipe", recipe.to_json(made))
        info.add_text("Software", SOFTWARE)
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info, compress_level=_DEFLATE)
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


def _exif(made: dict[str, Any], room: int | None) -> bytes:
    text = origins.text(made)
    for description, comment in ((recipe.to_json(made, ascii_only=True), text), (recipe.to_json(made), ""), ("", "")):
        block = exif.written(SOFTWARE, description, comment)
        if room is None or len(block) <= room:
            return block
    return b""
