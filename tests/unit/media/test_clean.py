"""A clean copy has the same pixels in the same format, and nothing that was said about them."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from studio.errors import StudioError
from studio.media.image import decode_image
from studio.media.strip import clean
from studio.recipes import inspect

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8))
SECRET = "a secret place"
XMP = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{SECRET}</x:xmpmeta>".encode()
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 1) -> bytes:
    block = Image.Exif()
    block[0x010E] = SECRET
    block[0x0112] = orientation
    block.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + SECRET.encode()
    block.get_ifd(0x8825)[29] = SECRET
    return block.tobytes()


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def chunks() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", SECRET)
    info.add_text("Comment", SECRET, zip=True)
    info.add_itxt("recipe", SECRET)
    info.add(b"prVt", SECRET.encode())
    info.add(b"tIME", b"\x07\xea\1\1\1\1\1")
    return info


FRAMES = [NOISE.rotate(90 * turn).convert("P") for turn in range(3)]
FILES = {
    "png": saved(NOISE, "PNG", pnginfo=chunks(), exif=exif(), icc_profile=PROFILE, dpi=(72, 72)),
    "png, transparent": saved(NOISE.convert("RGBA"), "PNG", pnginfo=chunks()),
    "png, palette": saved(NOISE.convert("P"), "PNG", pnginfo=chunks(), transparency=3),
    "png, animated": saved(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:], pnginfo=chunks()),
    "jpeg": saved(NOISE, "JPEG", exif=exif(), icc_profile=PROFILE, comment=SECRET, xmp=XMP),
    "jpeg, progressive": saved(NOISE, "JPEG", exif=exif(), progressive=True),
    "jpeg, grey": saved(NOISE.convert("L"), "JPEG", comment=SECRET),
    "jpeg, four inks": saved(NOISE.convert("CMYK"), "JPEG", exif=exif()),
    "jpeg, restarts": saved(NOISE, "JPEG", exif=exif(), restart_marker_blocks=1),
    "webp": saved(NOISE, "WEBP", exif=exif(), xmp=XMP, icc_profile=PROFILE),
    "webp, lossless": saved(NOISE.convert("RGBA"), "WEBP", exif=exif(), lossless=True),
    "webp, animated": saved(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:], exif=exif(), lossless=True),
    "gif": saved(NOISE.convert("P"), "GIF", comment=SECRET),
    "gif, animated": saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:], loop=0, comment=SECRET),
}
FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP", "gif": "GIF"}


def frames(data: bytes) -> list[tuple[Any, ...]]:
    """Pixels, colours and timing of each frame."""
    with Image.open(io.BytesIO(data)) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            kept = tuple(str(image.info.get(key)) for key in ("duration", "loop", "transparency", "icc_profile"))
            found.append((image.mode, image.size, kept, image.convert("RGBA").tobytes()))
        return found


@pytest.mark.parametrize("kind", FILES)
def test_pixels_colours_and_animation_stay_and_the_rest_goes(kind: str) -> None:
    bare = clean(FILES[kind])
    with Image.open(io.BytesIO(bare)) as image:
        assert image.format == FORMATS[kind.split(",", 1)[0]]
        assert not {"exif", "xmp", "comment", "parameters", "recipe", "Comment"} & image.info.keys()
    assert frames(bare) == frames(FILES[kind])
    assert SECRET.encode() not in bare
    assert inspect.read_settings(bare) is None
    assert len(bare) < len(FILES[kind])


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_stays_turned(form: str, orientation: int) -> None:
    data = saved(NOISE, form, exif=exif(orientation))
    bare = clean(data)
    assert decode_image(bare).tobytes() == decode_image(data).tobytes()
    with Image.open(io.BytesIO(bare)) as image:
        assert dict(image.getexif()) == {0x0112: orientation}
    assert SECRET.encode() not in bare


@pytest.mark.parametrize("kind", FILES)
def test_what_is_clean_stays_as_it_is(kind: str) -> None:
    once = clean(FILES[kind])
    assert clean(once) == once


@pytest.mark.parametrize("kind", FILES)
def test_what_hangs_behind_the_picture_goes(kind: str) -> None:
    assert SECRET.encode() not in clean(FILES[kind] + SECRET.encode())


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBP", b"text"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(StudioError) as caught:
        clean(data)
    assert caught.value.code == "bad_image"


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.binary(max_size=30), st.integers(0, 9_000), st.integers(1, 9_000))
def test_a_broken_file_is_cleaned_or_refused(kind: str, noise: bytes, at: int, end: int) -> None:
    data = bytearray(FILES[kind])
    data[at % len(data) : at % len(data) + len(noise)] = noise
    for broken in (bytes(data), bytes(data[: end % len(data)])):
        with suppress(StudioError):
            clean(broken)
