"""Pictures and sound from strangers are decoded safely, and ours carry their recipe in ways others can read."""

from __future__ import annotations

import io
import json
import struct
import sys
import time
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from made import recipe_of
from PIL import Image

from studio.errors import StudioError
from studio.media import image as pixels
from studio.media.image import decode_image
from studio.recipes import embed_image

MADE = recipe_of(
    "image",
    {"negative_prompt": "blur", "width": 8, "height": 8, "steps": 20, "guidance_scale": 7.0, "scheduler": ""},
)


def encoded(image: Image.Image, kind: str, **more: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


RED = Image.new("RGB", (40, 20), (200, 30, 30))
PNG = encoded(RED, "PNG")
GIF = encoded(RED, "GIF")
NOISE = Image.effect_noise((300, 300), 80)
FRAME = GIF.index(b",", 13)
FIRST_CHUNK = 33  # behind signature and IHDR


def with_size(png: bytes, width: int, height: int) -> bytes:
    return png[:8] + png_chunk(b"IHDR", struct.pack(">II", width, height) + png[24:29]) + png[FIRST_CHUNK:]


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "bad_image"),
    "text named .png": (b"just some text\n" * 50, "bad_image"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "picture_format"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "picture_format"),
    "half a BMP": (encoded(NOISE, "BMP")[:20_000], "bad_image"),
    "half a TIFF": (encoded(NOISE, "TIFF", compression="tiff_lzw")[8:], "bad_image"),
    "TIFF without an end": (encoded(NOISE, "TIFF")[:400], "bad_image"),
    "TIFF that claims 60,000 x 60,000": (
        b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHIIHHII", 256, 4, 1, 60_000, 257, 4, 1, 60_000) + bytes(4),
        "image_too_large",
    ),
    "BMP that claims 60,000 x 60,000": (
        b"BM" + bytes(12) + struct.pack("<Iii", 40, 60_000, -60_000) + bytes(40),
        "image_too_large",
    ),
    "half an AVIF": (encoded(NOISE, "AVIF")[:1000], "bad_image"),
    "AVIF of boxes in boxes": (b"\0\0\0\x14ftypavif\0\0\0\0avif" + b"\0\0\0\x08free" * 100_000, "bad_image"),
    "film": (b"\0\0\0\x14ftypisom\0\0\0\0mp42" + bytes(100), "picture_format"),
    "signature only": (PNG[:8], "bad_image"),
    "half a PNG": (encoded(NOISE, "PNG")[:20_000], "bad_image"),
    "half a JPEG": (encoded(NOISE, "JPEG")[:10_000], "bad_image"),
    "half a WebP": (encoded(NOISE, "WEBP")[:5_000], "bad_image"),
    "half a GIF": (GIF[: FRAME + 12], "bad_image"),
    "20,000 x 20,000 PNG": (encoded(Image.new("1", (20_000, 20_000)), "PNG"), "image_too_large"),
    "65,535 x 65,535 GIF": (GIF[:6] + b"\xff\xff\xff\xff" + GIF[10:], "image_too_large"),
    "one pixel high, two million wide": (with_size(PNG, 2_000_000, 1), "image_too_large"),
    "no pixels": (with_size(PNG, 0, 20), "bad_image"),
    "WebP that claims 16383 x 16383": (
        b"RIFF"
        + struct.pack("<I", 900)
        + b"WEBPVP8X"
        + struct.pack("<I", 10)
        + b"\0" * 4
        + b"\xfe\x3f\0" * 2
        + b"\0" * 800,
        "image_too_large",
    ),
    "64 MB text chunk": (
        PNG[:FIRST_CHUNK] + png_chunk(b"tEXt", b"k\0" + b"a" * 64_000_000) + PNG[FIRST_CHUNK:],
        "bad_image",
    ),
    "text chunk that unpacks to 64 MB": (
        PNG[:FIRST_CHUNK] + png_chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 64_000_000)) + PNG[FIRST_CHUNK:],
        "bad_image",
    ),
    "a million empty chunks": (
        PNG[:FIRST_CHUNK] + png_chunk(b"tEXt", b"") * 1_000_000 + PNG[FIRST_CHUNK:],
        "bad_image",
    ),
    "GIF with a 30 MB comment": (
        GIF[:FRAME] + b"!\xfe" + (b"\xff" + b"a" * 255) * 120_000 + b"\0" + GIF[FRAME:],
        "bad_image",
    ),
    "JPEG of markers only": (b"\xff\xd8" + b"\xff\xe1\x00\x02" * 1_000_000, "bad_image"),
    "JPEG of padding only": (b"\xff\xd8" + b"\xff" * 20_000_000, "bad_image"),
    "JPEG of a thousand scans": (encoded(NOISE, "JPEG")[:-2] + b"\xff\xda\x00\x02" * 1000 + b"\xff\xd9", "bad_image"),
}


def peak_memory() -> int:
    """The most bytes that this process ever had in memory."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_quickly_and_in_little_memory(name: str) -> None:
    data, code = HOSTILE[name]
    before, start = peak_memory(), time.thread_time()
    with pytest.raises(StudioError) as caught:
        decode_image(data)
    assert caught.value.code == code
    assert time.thread_time() - start < 2
    assert peak_memory() - before < 150_000_000


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of tags that make no sense
@pytest.mark.parametrize(
    "data",
    [PNG, GIF, *(encoded(NOISE.crop((0, 0, 60, 60)), kind) for kind in ("JPEG", "WEBP", "BMP", "TIFF", "AVIF"))],
    ids=["png", "gif", "jpeg", "webp", "bmp", "tiff", "avif"],
)
def test_flipped_bytes_are_a_picture_or_a_studio_error(data: bytes) -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data)
        for place in random.integers(0, min(len(data), 400), 4):
            broken[place] = random.integers(256)
        with suppress(StudioError):
            assert decode_image(bytes(broken)).mode == "RGB"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "CMYK"])
def test_every_format_comes_back_as_rgb_of_the_same_size(kind: str, mode: str) -> None:
    if kind not in ("JPEG", "TIFF") and mode == "CMYK":
        mode = "RGB"
    if kind == "JPEG" and mode == "P":
        mode = "L"
    picture = decode_image(encoded(RED.convert(mode), kind))
    assert (picture.mode, picture.size) == ("RGB", (40, 20))


def test_transparency_becomes_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert decode_image(encoded(clear, "PNG")).getpixel((0, 0)) == (255, 255, 255)
    assert decode_image(encoded(clear, "WEBP", lossless=True)).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([255, 0, 0] * 4)
    assert decode_image(encoded(palette, "PNG", transparency=0)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_of_grey_are_scaled_and_not_clipped() -> None:
    grey = Image.fromarray(np.full((4, 4), 32_768, np.uint16))
    assert decode_image(encoded(grey, "PNG")).getpixel((0, 0)) == (127, 127, 127)


def test_a_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (40, 20), "black")
    picture.paste("white", (0, 0, 20, 20))
    upright = decode_image(encoded(picture, "JPEG", exif=exif, quality=95))
    assert upright.size == (20, 40)
    top, bottom = upright.getpixel((10, 5)), upright.getpixel((10, 35))
    assert top == (255, 255, 255)
    assert bottom == (0, 0, 0)


def test_broken_exif_does_not_spoil_the_picture() -> None:
    assert decode_image(encoded(RED, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")).size == (40, 20)


def test_of_ten_thousand_frames_the_first_is_read() -> None:
    frames = GIF[FRAME:-1]
    many = GIF[:-1] + frames * 9_999 + b";"
    assert decode_image(many).size == (40, 20)


def test_metadata_of_an_upload_is_left_behind() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    picture = decode_image(encoded(RED, "JPEG", exif=exif, comment=b"secret word"))
    assert picture.info == {}
    assert b"secret" not in encoded(picture, "PNG") + encoded(picture, "JPEG")


def test_the_limit_of_pixels_is_exact() -> None:
    assert decode_image(PNG, max_pixels=800).size == (40, 20)
    with pytest.raises(StudioError) as caught:
        decode_image(PNG, max_pixels=799)
    assert caught.value.params["width"] == 40


# ---- what we write


def test_a_png_carries_its_recipe_for_us_and_for_other_web_uis() -> None:
    with Image.open(io.BytesIO(embed_image.encode_png(RED, MADE))) as file:
        assert file.getpixel((0, 0)) == (200, 30, 30)
        assert json.loads(file.info["recipe"]) == MADE
        lines = file.info["parameters"].split("\n")
    assert lines[:3] == ["une forêt 森林 🌲", "zweite Zeile", "Negative prompt: blur"]
    assert lines[3] == (
        'Steps: 20, Sampler: Default, CFG scale: 7, Seed: 7, Size: 8x8, Model: "Model, the", Version: Atelier 0.1.0'
    )


@pytest.mark.parametrize("encode", [embed_image.encode_jpeg, embed_image.encode_webp])
def test_jpeg_and_webp_carry_both_in_exif(encode: Any) -> None:
    with Image.open(io.BytesIO(encode(RED, MADE))) as file:
        exif = file.getexif()
    assert json.loads(exif[0x010E]) == MADE
    comment = exif.get_ifd(0x8769)[0x9286]
    assert comment[:8] == b"UNICODE\0"
    assert comment[8:].decode("utf-16-be").startswith("une forêt 森林 🌲\n")


def test_a_recipe_too_long_for_a_jpeg_does_not_spoil_the_picture() -> None:
    for length in (5_000, 30_000, 90_000):
        long = {**MADE, "parameters": {**MADE["parameters"], "prompt": "木" * length}}
        assert decode_image(embed_image.encode_jpeg(RED, long)).size == (40, 20)


def test_without_a_recipe_nothing_is_added() -> None:
    assert b"tEXt" not in embed_image.encode_png(RED)
    assert b"Exif" not in embed_image.encode_jpeg(RED)


def test_a_size_that_the_header_hid_is_seen_when_the_file_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "check_image", lambda data, most: ("PNG", 100, 99))
    with pytest.raises(StudioError) as refused:
        decode_image(encoded(Image.new("RGB", (100, 100)), "PNG"))
    assert refused.value.code == "bad_image"
    assert decode_image(encoded(Image.new("RGB", (100, 99)), "PNG")).size == (100, 99)
