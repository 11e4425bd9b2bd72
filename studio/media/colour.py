"""Pixels of any kind of file as sRGB with eight bits a channel: what every model and every screen here reads.

Knows colour profiles and transparency, as Pillow hands them over; nothing of files.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from PIL import Image

_LAYERS = ("RGBA", "LA", "PA", "RGBa", "La")
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "LAB ": "LAB"}
"""The modes whose numbers a profile of this colour space explains."""

_LONGEST_PROFILE = 6_000_000
"""Bytes; a printer's has two or three million."""

_SAME = 1
"""A profile whose colours are sRGB's to so many of 255 levels changes nothing: not a pixel of ours moves."""


def srgb(picture: Image.Image) -> Image.Image:
    """The loaded picture in mode RGB, or RGBA where it has a pixel that is not opaque.

    Its profile is applied; where that is damaged or speaks of another kind of colour, its numbers are taken as sRGB.
    """
    profile = picture.info.get("icc_profile")
    alpha = _alpha(picture)
    colour = _eight_bits(picture)
    colour = _converted(colour, profile if isinstance(profile, bytes) else b"")
    if alpha is not None:
        colour.putalpha(alpha)
    return colour


def on_white(picture: Image.Image) -> Image.Image:
    """An RGB picture as it is, an RGBA one as it looks on white paper."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    from PIL import Image

    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def bled(picture: Image.Image) -> Image.Image:
    """The colours of an RGBA picture, those of its edges running on where it is transparent.

    What computes with neighbours sees no dark or white rim then, and the old transparency can be put back on it.
    """
    from PIL import ImageFilter

    found = picture.convert("RGB")
    filled = picture.getchannel("A").point([0] * 16 + [255] * 240)
    for radius in (1, 3, 9, 27):
        soft = picture.convert("RGBa").filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        reached = soft.getchannel("A").point([0] * 16 + [255] * 240)
        layer = soft.convert("RGB")
        layer.paste(found, mask=filled)
        reached.paste(255, mask=filled)
        found.paste(layer, mask=reached)
        filled = reached
    return found


def _alpha(picture: Image.Image) -> Image.Image | None:
    """How opaque each pixel is, mode L; None where all are."""
    if picture.mode in _LAYERS:
        alpha = picture.convert("RGBA").getchannel("A")
    elif "transparency" in picture.info:
        clear = picture.info["transparency"]
        if picture.mode.startswith("I") and isinstance(clear, int):  # convert() would clip instead of scale
            import numpy as np
            from PIL import Image

            alpha = Image.fromarray(np.where(np.asarray(picture) == clear, 0, 255).astype(np.uint8))
        else:
            alpha = picture.convert("RGBA").getchannel("A")
    else:
        return None
    low, _ = cast(tuple[int, int], alpha.getextrema())
    return None if low == 255 else alpha


def _eight_bits(picture: Image.Image) -> Image.Image:
    """The same without transparency in one of the modes that profiles speak of."""
    mode = str(picture.mode)
    if mode.startswith("I") or mode == "F":
        return _scaled(picture)
    if mode in ("L", "LA", "La", "1"):
        return picture.convert("L")
    if mode in ("CMYK", "LAB"):
        return picture
    if mode == "RGBa":
        picture = picture.convert("RGBA")
    if "transparency" in picture.info:  # or Pillow would look for the one colour in another mode
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def _scaled(picture: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, scaled: convert() would clip. Fractions are between 0 and 1, else up to their largest."""
    import numpy as np
    from PIL import Image

    values = np.nan_to_num(np.asarray(picture, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    highest = float(values.max(initial=0.0))
    top = 1.0 if picture.mode == "F" else 65_535.0
    scale = 255.0 / (top if highest <= top else highest)
    return Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8))


def _converted(picture: Image.Image, profile: bytes) -> Image.Image:
    from PIL import ImageCms

    try:
        if not 128 < len(profile) < _LONGEST_PROFILE:
            if picture.mode == "LAB":
                return _through(ImageCms, picture, ImageCms.createProfile("LAB"), 0)
            return picture.convert("RGB")
        source: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(str(source.profile.xcolor_space), "")
        if mode == "RGB" and picture.mode == "L":
            picture = picture.convert("RGB")
        if mode != picture.mode:
            return picture.convert("RGB")
        intent = ImageCms.getDefaultIntent(source)
        probe = _probe(mode)
        if mode == "RGB" and _largest(_through(ImageCms, probe, source, intent), probe) <= _SAME:
            return picture
        return _through(ImageCms, picture, source, intent)
    except Exception:  # a profile by a stranger's hand: the picture itself is fine
        return picture.convert("RGB")


def _through(cms: Any, picture: Image.Image, source: Any, intent: int) -> Image.Image:
    target = cms.createProfile("sRGB")
    found = cms.profileToProfile(
        picture, source, target, renderingIntent=intent, outputMode="RGB", flags=cms.Flags.BLACKPOINTCOMPENSATION
    )
    return cast("Image.Image", found)


def _probe(mode: str) -> Image.Image:
    """Colours all over the space."""
    from PIL import Image

    levels = range(0, 256, 17)
    if mode != "RGB":
        return Image.new(mode, (1, 1))
    pixels = bytes(value for red in levels for green in levels for blue in levels for value in (red, green, blue))
    return Image.frombytes("RGB", (len(levels), len(levels) ** 2), pixels)


def _largest(one: Image.Image, two: Image.Image) -> int:
    from PIL import ImageChops

    bands = cast(tuple[tuple[int, int], ...], ImageChops.difference(one, two).getextrema())
    return max(high for _, high in bands)
