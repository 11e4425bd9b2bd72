"""Pictures of cameras, phones and other programs: read whole, smaller where large, upright, in true colours."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from studio.errors import StudioError
from studio.media import formats
from studio.media.image import check_image, decode_image
from studio.requests import CaptionRequest
from studio.tasks.image import size
from studio.tasks.limits import check

DATA = Path(__file__).parents[2] / "data" / "pictures"
RED, BLUE = (200, 30, 30), (30, 60, 200)
HALVES = Image.new("RGB", (96, 64), RED)
HALVES.paste(BLUE, (0, 0, 48, 64))


def encoded(image: Image.Image, kind: str, **more: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def close(found: object, wanted: tuple[int, int, int], by: int = 12) -> bool:
    assert isinstance(found, tuple)
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=True))


def refused(data: bytes, **more: Any) -> StudioError:
    with pytest.raises(StudioError) as caught:
        check_image(data, **more)
    return caught.value


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "GIF"])
def test_pixels_come_out_as_they_were_put_in(kind: str) -> None:
    data = encoded(HALVES, kind)
    picture = decode_image(data)
    assert check_image(data) == (kind, 96, 64)
    assert close(picture.getpixel((20, 32)), BLUE)
    assert close(picture.getpixel((70, 32)), RED)


def test_a_phones_heic_is_read_and_its_turning_followed() -> None:
    """The two files were written by libheif with x265, which is not installed here."""
    picture = decode_image((DATA / "upright.heic").read_bytes())
    assert close(picture.getpixel((20, 32)), BLUE)
    turned = (DATA / "turned.heic").read_bytes()
    assert size.upright(turned) == decode_image(turned).size == (64, 96)
    assert close(decode_image(turned).getpixel((32, 20)), BLUE)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_format_is_turned_as_its_exif_says(kind: str, orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(HALVES, kind, exif=exif)
    picture = decode_image(data)
    with Image.open(io.BytesIO(data)) as file:
        file.load()
        wanted = ImageOps.exif_transpose(file).convert("RGB")
    assert picture.size == wanted.size == size.upright(data)
    for place in ((10, 10), (wanted.width - 10, wanted.height - 10)):
        assert close(picture.getpixel(place), wanted.getpixel(place))  # type: ignore[arg-type]


# Large pictures


@pytest.mark.parametrize("progressive", [False, True])
def test_a_photo_of_26_megapixels_is_read_at_half_its_sides(progressive: bool) -> None:
    data = encoded(Image.new("RGB", (6240, 4160), RED), "JPEG", progressive=progressive)
    picture = decode_image(data)
    assert check_image(data, public=True) == ("JPEG", 6240, 4160)
    assert picture.size == (3120, 2080)
    assert close(picture.getpixel((1000, 1000)), RED)
    check(CaptionRequest(image=data), _card())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_other_large_files_come_to_the_same_size(kind: str) -> None:
    how: dict[str, Any] = {"TIFF": {"compression": "tiff_lzw"}, "WEBP": {"method": 0}}.get(kind, {})
    data = encoded(Image.new("L", (6241, 4161), 100).convert("RGB") if kind == "WEBP" else Image.new("L", (6241, 4161)),
                   kind, **how)  # fmt: skip
    assert decode_image(data).size == (3121, 2081)
    assert refused(data, public=True).code == "image_too_large"


def test_what_would_fill_the_memory_is_refused_before_it_is_decoded() -> None:
    large = bytearray(encoded(HALVES, "JPEG"))
    at = large.find(b"\xff\xc0")
    large[at + 5 : at + 9] = (20_000).to_bytes(2, "big") * 2
    error = refused(bytes(large))
    assert (error.code, error.params["limit"]) == ("image_too_large", "250")
    assert refused(encoded(Image.new("1", (9000, 9000)), "PNG")).code == "image_too_large"


# Colours


def test_colours_of_another_profile_are_brought_to_srgb() -> None:
    """littlecms makes a profile whose white is warmer; the same program turns a pixel, the studio the file."""
    lab = ImageCms.createProfile("LAB", 5000)
    wide = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = decode_image(encoded(HALVES, "PNG", icc_profile=wide))
    assert plain.getpixel((20, 32)) == BLUE
    swapped = _swapped(wide)
    turned = decode_image(encoded(HALVES, "PNG", icc_profile=swapped))
    assert close(turned.getpixel((20, 32)), (BLUE[1], BLUE[0], BLUE[2]), 2)
    file = ImageCms.profileToProfile(HALVES, ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    assert file is not None
    assert close(decode_image(encoded(file, "TIFF")).getpixel((20, 32)), BLUE, 8)
    assert decode_image(encoded(HALVES, "PNG", icc_profile=b"no profile")).getpixel((20, 32)) == BLUE


def _swapped(profile: bytes) -> bytes:
    """The profile with its red and green primaries exchanged, and another name."""
    profile = profile.replace("sRGB".encode("utf-16-be"), "grRB".encode("utf-16-be"))
    return profile.replace(b"rXYZ", b"tmp.").replace(b"gXYZ", b"rXYZ").replace(b"tmp.", b"gXYZ")


def test_sixteen_bits_and_fractions_are_scaled() -> None:
    half = np.full((4, 4), 32_768, np.uint16)
    assert decode_image(encoded(Image.fromarray(half), "TIFF")).getpixel((0, 0)) == (127, 127, 127)
    fractions = Image.fromarray(np.full((4, 4), 0.5, np.float32))
    assert decode_image(encoded(fractions, "TIFF")).getpixel((0, 0)) == (127, 127, 127)
    assert decode_image(encoded(HALVES.convert("CMYK"), "TIFF")).getpixel((20, 32)) == BLUE


def test_of_several_pages_and_frames_the_first_is_read() -> None:
    other = Image.new("RGB", (96, 64), "white")
    for kind in ("TIFF", "PNG", "WEBP", "AVIF", "GIF"):
        data = encoded(HALVES, kind, save_all=True, append_images=[other])
        assert close(decode_image(data).getpixel((20, 32)), BLUE), kind


# What is none of these


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"\xff\x0a" + bytes(50), "JPEG XL"), (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"), (b"%PDF-1.7", "PDF"),
     (b"8BPS\0\1", "Photoshop"), (b"<?xml version='1.0'?>\n<svg>", "SVG"), (b"<!DOCTYPE html><p>404", "HTML"),
     (b"PK\3\4" + bytes(30), "ZIP"), (b"\0\0\0\x18ftypcrx \0\0\0\1", "Canon RAW"), (b"\x1aE\xdf\xa3", "WebM")],
)  # fmt: skip
def test_what_cannot_be_read_is_called_by_its_name_in_both_languages(data: bytes, name: str) -> None:
    error = refused(data)
    assert (error.code, error.params["kind"]) == ("picture_format", name)
    assert name in error.what("en")
    assert name in error.what("zh-CN")


def test_a_cameras_own_format_is_not_taken_for_its_small_preview() -> None:
    preview = bytearray(encoded(HALVES, "TIFF", tiffinfo={50706: b"\1\4\0\0"}))
    assert refused(bytes(preview)).code == "bad_image"
    assert formats.kind(bytes(preview)) == "TIFF"


def _card() -> Any:
    from studio.catalog.catalog import Catalog
    from studio.paths import Home

    return Catalog.load(Home(Path("/nowhere")), public=True).get("observer")
