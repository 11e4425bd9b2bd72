"""Pictures as bytes: untrusted files in, finished files with their recipe out.

Decodes only what `containers.picture` has measured, so that a 40 MB bitmap in a 4 kB file costs nothing. Knows
nothing of where files lie (studio.library) or of what a recipe means (studio.recipe).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from studio import __version__, containers, exif, origins, recipe, stripping
from studio.errors import StudioError

if TYPE_CHECKING:
    from PIL import Image

MAX_IMAGE_PIXELS = 25_000_000
MAX_SIDE = 32_000
SOFTWARE = f"Atelier {__version__}"

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


def decode_image(data: bytes, max_pixels: int = MAX_IMAGE_PIXELS) -> Image.Image:
    """The picture in a PNG, JPEG, WebP or GIF file: RGB, upright, on white where it is transparent.

    Of an animation the first frame. Metadata is left behind.

    Args:
        data: the bytes of the file, from anybody.
        max_pixels: refused above this, before any pixel is decoded.

    Raises:
        StudioError: bad_image, image_too_large.
    """
    from PIL import GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

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
            file.load()
            picture = _on_white(file, Image)
            turn = _turn(file, Image)
    except StudioError:
        raise
    except Exception:  # decoders raise whatever they like on hostile bytes: struct.error, KeyError, OSError …
        raise StudioError("bad_image") from None
    picture = picture if turn is None else picture.transpose(turn)
    picture.info = {}
    return picture


def _on_white(file: Image.Image, pil: Any) -> Image.Image:
    if file.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in file.info:
        layer = file.convert("RGBA")
        white = pil.new("RGB", layer.size, "white")
        white.paste(layer, mask=layer.getchannel("A"))
        return white
    if str(file.mode).startswith("I"):  # 16 bits of grey: convert() would clip instead of scale
        return file.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    return file.convert("RGB")


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


def encode_png(image: Image.Image, made: dict[str, Any] | None = None) -> bytes:
    """A PNG with its recipe under the keys `recipe` (our JSON) and `parameters` (what other web UIs read)."""
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    if made is not None:
        info.add_text("parameters", origins.text(made))
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
    image.convert("RGB").save(out, "JPEG", quality=quality, subsampling=0, exif=block)
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
    text = origins.text(made)
    for description, comment in ((recipe.to_json(made, ascii_only=True), text), (recipe.to_json(made), ""), ("", "")):
        block = exif.written(SOFTWARE, description, comment)
        if room is None or len(block) <= room:
            return block
    return b""
