"""Pictures of any kind of file come in as sRGB, upright, with the transparency that they have."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from studio.media import colour
from studio.media.image import decode, decode_image
from studio.recipes import embed_image
from studio.requests import ImageRequest, UpscaleRequest
from studio.service import Studio
from studio.tasks.image import size

COLOURS = [(x * 2, y * 2, 255 - x - y) for y in range(100) for x in range(128)]


def photo(mode: str = "RGB") -> Image.Image:
    picture = Image.new("RGB", (128, 100))
    picture.putdata(COLOURS)
    return picture.convert(mode)


def saved(picture: Image.Image, form: str = "PNG", **more: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **more)
    return out.getvalue()


def matrix_profile(gamma: float, red: tuple[float, ...], green: tuple[float, ...], blue: tuple[float, ...]) -> bytes:
    """A version 2 profile of three primaries (XYZ under D50) and one curve, as cameras and screens carry it."""

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    title = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + bytes(79)
    tags = {b"desc": title, b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": xyz((0.9642, 1.0, 0.8249))}
    tags |= {b"rXYZ": xyz(red), b"gXYZ": xyz(green), b"bXYZ": xyz(blue)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += name + struct.pack(">II", at + len(body), len(value))
        body += padded
    head = struct.pack(">I4sI4s4s4s", 128 + len(table) + len(body), b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
WIDE = matrix_profile(563 / 256, *ADOBE)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def by_arithmetic(picture: Image.Image) -> np.ndarray:
    """The colours of a picture in WIDE as sRGB, by the formulas of both spaces."""
    linear = (np.asarray(picture, float) / 255) ** (563 / 256)
    xyz = linear @ np.array(ADOBE)
    primaries = [[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.7141]]
    to_srgb = np.linalg.inv(np.array(primaries))
    light = np.clip(xyz @ to_srgb, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255


@pytest.mark.parametrize(("form", "more", "most"), [("PNG", {}, 2.0), ("WEBP", {"lossless": True}, 2.0)])
def test_a_profile_is_read_as_its_formulas_say(form: str, more: dict[str, Any], most: float) -> None:
    data = saved(photo(), form, icc_profile=WIDE, **more)
    found = np.asarray(decode_image(data), float)
    assert np.abs(found - by_arithmetic(photo())).max() <= most
    assert np.abs(found - np.asarray(photo(), float)).max() > 20


def test_a_jpeg_and_a_palette_carry_profiles_too() -> None:
    jpeg = np.asarray(decode_image(saved(photo(), "JPEG", quality=98, subsampling=0, icc_profile=WIDE)), float)
    assert np.abs(jpeg - by_arithmetic(photo())).mean() < 2
    few = photo().quantize(64)
    palette = np.asarray(decode_image(saved(few, icc_profile=WIDE)), float)
    assert np.abs(palette - by_arithmetic(few.convert("RGB"))).max() <= 2


def test_colours_that_are_srgb_already_do_not_move_by_a_level() -> None:
    for profile in (SRGB, None):
        assert decode_image(saved(photo(), icc_profile=profile)).tobytes() == photo().tobytes()


def test_a_profile_leaves_transparency_alone() -> None:
    layer = photo()
    layer.putalpha(Image.linear_gradient("L").resize(layer.size))
    found = decode(saved(layer, icc_profile=WIDE)).image
    assert found.mode == "RGBA"
    assert found.getchannel("A").tobytes() == layer.getchannel("A").tobytes()
    assert np.abs(np.asarray(found.convert("RGB"), float) - by_arithmetic(photo())).max() <= 2


@pytest.mark.parametrize(
    "profile", [b"x" * 200, WIDE[:300], WIDE[:128] + b"\xff" * 400, SRGB[:16] + b"CMYK" + SRGB[20:]]
)
def test_a_profile_that_is_damaged_or_of_another_kind_does_not_spoil_the_picture(profile: bytes) -> None:
    assert decode_image(saved(photo(), icc_profile=profile)).tobytes() == photo().tobytes()


def test_cmyk_and_lab_and_grey_become_what_pillow_and_the_profile_say() -> None:
    ink = Image.new("CMYK", (8, 8), (255, 0, 255, 0))
    red, green, blue = decode_image(saved(ink, "JPEG", quality=100)).getpixel((4, 4))  # type: ignore[misc]
    assert green > 200
    assert max(red, blue) < 60
    lab = ImageCms.profileToProfile(
        photo(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    assert np.abs(np.asarray(colour.srgb(lab), int) - np.asarray(photo(), int)).mean() <= 4
    grey = decode(saved(photo("L"), icc_profile=WIDE)).image
    assert np.abs(np.asarray(grey, float) - by_arithmetic(photo("L").convert("RGB"))).max() <= 2


def test_sixteen_bits_of_grey_are_scaled_and_keep_their_hole() -> None:
    values = np.array([[0, 100, 30000, 65535]], np.uint16)
    plain = decode(saved(Image.fromarray(values))).image
    assert np.asarray(plain)[0, :, 0].tolist() == [0, 0, 116, 255]
    rows = b"\0" + values.astype(">u2").tobytes()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 4, 1, 16, 0, 0, 0, 0)), (b"tRNS", struct.pack(">H", 100))]
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    assert np.asarray(decode(data).image)[0, :, 3].tolist() == [255, 0, 255, 255]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_and_its_size_is_that_of_what_is_seen(form: str, orientation: int, tmp_path: Path) -> None:
    stored = Image.new("RGB", (64, 32), "white")
    ImageDraw.Draw(stored).rectangle((0, 0, 15, 15), fill="black")
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, form, exif=exif)
    file = tmp_path / f"picture.{form.lower()}"
    file.write_bytes(data)
    said = subprocess.run(["exiftool", "-n", "-s3", "-Orientation", file], capture_output=True, text=True, check=True)
    assert int(said.stdout or 1) == orientation
    found = decode_image(data)
    assert size.upright(data) == found.size == ((32, 64) if orientation >= 5 else (64, 32))
    left, upper = orientation in (1, 4, 5, 8), orientation in (1, 2, 5, 6)
    corner = (2 if left else found.width - 3, 2 if upper else found.height - 3)
    assert found.convert("L").getpixel(corner) < 60  # type: ignore[operator]


def transparent() -> Image.Image:
    layer = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    ImageDraw.Draw(layer).ellipse((8, 8, 55, 39), fill=(220, 30, 30, 255))
    return layer


def test_enlarging_keeps_what_is_transparent_and_paints_no_rim(studio: Studio) -> None:
    done = studio.submit(UpscaleRequest(image=saved(transparent()), scale=2)).result()
    found = Image.open(done.files[0])
    assert (found.mode, found.size) == ("RGBA", (128, 96))
    pixels = np.asarray(found).reshape(-1, 4)
    assert pixels[0, 3] == 0
    assert pixels[48 * 128 + 64].tolist() == [220, 30, 30, 255]
    seen = pixels[pixels[:, 3] > 32]
    assert seen[:, 0].min() > 200
    assert seen[:, 1].max() < 60


def test_a_jpeg_of_a_transparent_picture_stands_on_white() -> None:
    found = Image.open(io.BytesIO(embed_image.encode_jpeg(transparent())))
    assert min(found.getpixel((1, 1))) > 240  # type: ignore[type-var]


def test_colours_run_on_where_a_picture_is_transparent() -> None:
    pixels = np.asarray(colour.bled(transparent()), int)
    edge = pixels[4:44, 4:60].reshape(-1, 3)
    assert (np.abs(edge - (220, 30, 30)).max(axis=1) <= 24).all()
    inside = np.asarray(transparent())[..., 3] == 255
    assert (pixels[inside] == (220, 30, 30)).all()


def test_what_is_not_used_of_a_file_is_said(studio: Studio) -> None:
    def notes(image: bytes) -> list[str]:
        done = studio.submit(ImageRequest(prompt="hills", image=image, steps=1, width=64, height=64)).result()
        return [name for name, _ in done.notes]

    frames = [Image.new("RGB", (64, 48), name) for name in ("red", "blue")]
    assert notes(saved(transparent())) == ["flattened"]
    assert notes(saved(photo())) == []
    for form in ("GIF", "WEBP", "PNG"):
        assert notes(saved(frames[0], form, save_all=True, append_images=frames[1:])) == ["first_frame"]
