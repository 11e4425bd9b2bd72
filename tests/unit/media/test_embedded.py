"""Settings are read wherever and however programs of the field write them, and theirs read ours.

Witnesses: piexif, whose helper Forge and SD.Next use, ExifTool, and Pillow as a writer.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import piexif
import piexif.helper
import pytest
from exiftool import exiftool, tags
from hypothesis import given, settings
from hypothesis import strategies as st
from made import PROMPT, recipe_of
from PIL import Image

from studio.media import boxes, charsets, embedded, exif
from studio.media.strip import clean
from studio.recipes import embed_image, inspect, recipe

PICTURE = Image.new("RGB", (16, 16), "red")
SEEDED = "a château, 桜\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 64x64"
MADE = recipe_of("image", {"negative_prompt": "blur", "width": 16, "height": 16, "steps": 20, "guidance_scale": 7.0})
COMMENT = piexif.ExifIFD.UserComment


def saved(form: str, image: Image.Image = PICTURE, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def block(comment: bytes) -> bytes:
    return piexif.dump({"Exif": {COMMENT: comment}})


def found(data: bytes) -> tuple[Any, ...]:
    restored = inspect.read_settings(data)
    assert restored is not None
    assert not restored.broken
    return tuple(restored.fields.get(name) for name in ("prompt", "negative_prompt", "seed", "steps"))


# ---- ours, read by others


@pytest.mark.parametrize(("encode", "suffix"), [(embed_image.encode_jpeg, ".jpg"), (embed_image.encode_webp, ".webp")])
def test_programs_of_the_field_read_our_jpeg_and_webp(
    tmp_path: Path, encode: Callable[..., bytes], suffix: str
) -> None:
    file = tmp_path / f"ours{suffix}"
    file.write_bytes(encode(PICTURE, MADE))
    comment = piexif.load(str(file))["Exif"][COMMENT]
    assert isinstance(comment, bytes), "of type UNDEFINED; of another it is a tuple of numbers"
    text = piexif.helper.UserComment.load(comment)
    assert text.startswith(f"{PROMPT}\nNegative prompt: blur\nSteps: 20, ")
    assert "Seed: 7, " in text
    assert "une forêt 森林 🌲" in tags(file)["ExifIFD:UserComment"]
    assert "undef" in exiftool("-v3", file).split("UserComment", 1)[1][:200]
    assert recipe.read_recipe(file.read_bytes()) == MADE, "our own JSON has kept its place"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_clean_copy_tells_exiftool_nothing(tmp_path: Path, form: str) -> None:
    encode = {"PNG": embed_image.encode_png, "JPEG": embed_image.encode_jpeg, "WEBP": embed_image.encode_webp}[form]
    file, bare = tmp_path / "told", tmp_path / "bare"
    file.write_bytes(encode(PICTURE, MADE))
    bare.write_bytes(clean(file.read_bytes()))
    assert any("森林" in text for text in tags(file).values())
    groups = {name.partition(":")[0] for name in tags(bare)}
    assert groups <= {"SourceFile", "ExifTool", "PNG", "JFIF", "RIFF", "VP8", "Composite"}
    assert not any(word in text for text in tags(bare).values() for word in ("森林", "Atelier", "blur", "Seed"))


# ---- theirs, read here

CODED: dict[str, bytes] = {
    "UTF-16, big": b"UNICODE\0" + SEEDED.encode("utf-16-be"),
    "UTF-16, little": b"UNICODE\0" + SEEDED.encode("utf-16-le"),
    "UTF-16, big, with a mark": b"UNICODE\0\xfe\xff" + SEEDED.encode("utf-16-be"),
    "UTF-16, little, with a mark": b"UNICODE\0\xff\xfe" + SEEDED.encode("utf-16-le"),
    "UTF-16 with zeros behind": b"UNICODE\0" + SEEDED.encode("utf-16-be") + b"\0" * 6,
    "UTF-8 behind UNICODE": b"UNICODE\0" + SEEDED.encode(),
    "UTF-8 with a mark behind UNICODE": b"UNICODE\0\xef\xbb\xbf" + SEEDED.encode() + b"\0",
    "UTF-8 behind ASCII": b"ASCII\0\0\0" + SEEDED.encode() + b"\0\0",
    "UTF-8 behind zeros": b"\0" * 8 + SEEDED.encode() + b" ",
    "UTF-16 behind zeros": b"\0" * 8 + SEEDED.encode("utf-16-le"),
    "UTF-8 alone": SEEDED.encode(),
    "UTF-16 alone": SEEDED.encode("utf-16-le"),
    "a code in small letters": b"unicode\0" + SEEDED.encode("utf-16-be"),
    "piexif's own": piexif.helper.UserComment.dump(SEEDED, "unicode"),
}
JAPANESE = SEEDED.replace("â", "a")
CODED_JAPANESE = {
    "JIS": piexif.helper.UserComment.dump(JAPANESE, "jis"),
    "JIS as ISO-2022": b"JIS\0\0\0\0\0" + JAPANESE.encode("iso2022_jp"),
    "JIS as EUC": b"JIS\0\0\0\0\0" + JAPANESE.encode("euc_jp"),
    "JIS as Shift JIS": b"JIS\0\0\0\0\0" + JAPANESE.encode("cp932"),
    "JIS as UTF-8": b"JIS\0\0\0\0\0" + JAPANESE.encode() + b"\0",
}


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG", "TIFF", "AVIF"])
def test_a_comment_is_read_in_every_format(form: str) -> None:
    data = saved(form, exif=block(CODED["UTF-16, big"]))
    assert found(data) == ("a château, 桜", "dog", 5, 20)


@pytest.mark.parametrize("coding", CODED)
def test_a_comment_is_read_in_every_coding(coding: str) -> None:
    assert found(saved("JPEG", exif=block(CODED[coding]))) == ("a château, 桜", "dog", 5, 20)


@pytest.mark.parametrize("coding", CODED_JAPANESE)
def test_a_comment_in_japanese_codes_is_read(coding: str) -> None:
    assert found(saved("JPEG", exif=block(CODED_JAPANESE[coding]))) == ("a chateau, 桜", "dog", 5, 20)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG", "TIFF"])
def test_what_exiftool_writes_is_read(tmp_path: Path, form: str) -> None:
    file, text = tmp_path / f"x.{form.lower()}", tmp_path / "text"
    file.write_bytes(saved(form))
    text.write_text(SEEDED, encoding="utf-8")
    exiftool("-q", "-overwrite_original", f"-EXIF:UserComment<={text}", file)
    assert found(file.read_bytes()) == ("a château, 桜", "dog", 5, 20)


def test_a_comment_in_the_first_directory_is_read_too() -> None:
    """Fooocus puts UserComment there."""
    own = Image.Exif()
    own[0x9286] = SEEDED.encode()
    own[0x0131] = "Fooocus v2.5.5"
    assert found(saved("WEBP", exif=own.tobytes())) == ("a château, 桜", "dog", 5, 20)


def test_a_comment_as_windows_writes_it_is_read() -> None:
    told = piexif.dump({"0th": {piexif.ImageIFD.XPComment: SEEDED.encode("utf-16-le") + b"\0\0"}})
    assert found(saved("JPEG", exif=told)) == ("a château, 桜", "dog", 5, 20)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    plain = saved("PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


BODY = SEEDED.encode()
TEXTS = {
    "UTF-8 in tEXt": chunk(b"tEXt", b"parameters\0" + BODY),
    "UTF-8 with a mark in tEXt": chunk(b"tEXt", b"parameters\0\xef\xbb\xbf" + BODY),
    "UTF-8 in zTXt": chunk(b"zTXt", b"parameters\0\0" + zlib.compress(BODY)),
    "iTXt": chunk(b"iTXt", b"parameters\0\0\0\0\0" + BODY),
    "iTXt, packed, with a language": chunk(b"iTXt", b"parameters\0\1\0en\0Parameter\0" + zlib.compress(BODY)),
}


@pytest.mark.parametrize("place", TEXTS)
def test_utf8_is_read_wherever_png_keeps_text(place: str) -> None:
    assert found(png(TEXTS[place])) == ("a château, 桜", "dog", 5, 20)


def test_latin1_in_text_chunks_is_latin1() -> None:
    latin = SEEDED.replace("桜", "é").encode("latin-1")
    for body in (chunk(b"tEXt", b"parameters\0" + latin), chunk(b"zTXt", b"parameters\0\0" + zlib.compress(latin))):
        assert found(png(body))[0] == "a château, é"


def test_imagemagicks_profile_in_a_png_is_read() -> None:
    raw = block(CODED["UTF-16, big"])
    told = f"\nexif\n{len(raw):8}\n{raw.hex()}\n".encode()
    assert found(png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(told)))) == (
        "a château, 桜",
        "dog",
        5,
        20,
    )


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" {attribute}>{element}</rdf:Description></rdf:RDF>
</x:xmpmeta>"""
QUOTED = SEEDED.replace("&", "&amp;")
PACKETS = {
    "an element": XMP.format(attribute="", element=f"<exif:UserComment>{QUOTED}</exif:UserComment>"),
    "a list": XMP.format(
        attribute="",
        element=f'<exif:UserComment><rdf:Alt><rdf:li xml:lang="en">{QUOTED}</rdf:li></rdf:Alt></exif:UserComment>',
    ),
    "an attribute": XMP.format(attribute=f'exif:UserComment="{QUOTED}"'.replace("\n", "&#xA;"), element=""),
}


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("way", PACKETS)
def test_xmp_is_read_in_every_format(form: str, way: str) -> None:
    packet = PACKETS[way].encode()
    if form == "PNG":
        data = png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))
    elif form == "TIFF":
        data = saved("TIFF", tiffinfo={700: packet})
    else:
        data = saved(form, xmp=packet)
    assert found(data) == ("a château, 桜", "dog", 5, 20)


def test_a_jpegs_comment_is_read() -> None:
    assert found(saved("JPEG", comment=SEEDED.encode())) == ("a château, 桜", "dog", 5, 20)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_which_way_is_up_is_read_in_every_format(form: str, turn: int) -> None:
    own = Image.Exif()
    own[0x0112] = turn
    data = saved(form, exif=own.tobytes())
    if form != "AVIF":  # Pillow's writer turns it into a box of its own, and says 1
        assert exif.orientation(embedded.exif_block(data)) == turn


# ---- hostile


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["JPEG", "WEBP", "PNG", "TIFF", "AVIF"]), st.binary(max_size=60), st.data())
def test_reading_broken_files_never_raises(form: str, noise: bytes, data: st.DataObject) -> None:
    whole = bytearray(saved(form, exif=block(CODED["UTF-16, big"])))
    at = data.draw(st.integers(0, len(whole)))
    whole[at : at + len(noise)] = noise
    for broken in (bytes(whole), bytes(whole[:at])):
        embedded.texts(broken)
        embedded.xmp(broken)
        exif.texts(embedded.exif_block(broken))
        exif.orientation(embedded.exif_block(broken))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_text(noise: bytes) -> None:
    for mark in (b"", b"UNICODE\0", b"JIS\0\0\0\0\0", b"ASCII\0\0\0"):
        assert isinstance(charsets.comment(mark + noise), str)
    assert isinstance(charsets.plain(noise), str)


def test_a_block_that_points_at_itself_or_beyond_ends() -> None:
    for at in (8, 0, 2**32 - 1, 14):
        entries = struct.pack(">HHHII", 1, 0x8769, 4, 1, at) + struct.pack(">I", 8)
        assert exif.texts(b"MM\0*" + struct.pack(">I", 8) + entries) == {}
    huge = struct.pack(">HHHII", 1, 0x9286, 7, 2**32 - 1, 0)
    assert isinstance(exif.texts(b"MM\0*" + struct.pack(">I", 8) + huge), dict)


def test_boxes_that_claim_to_be_endless_are_nothing() -> None:
    head = struct.pack(">I", 16) + b"ftypavif" + b"\0\0\0\0"
    for size in (0, 1, 7, 8, 2**32 - 1):
        assert embedded.exif_block(head + struct.pack(">I", size) + b"meta" + b"\0" * 40) == b""
    assert boxes.exif(b"") == b""


def test_an_xmp_packet_of_a_million_brackets_takes_no_time() -> None:
    for part in ("<exif:UserComment>", "<rdf:li>", 'exif:UserComment="', "<exif:UserComment", "&amp;"):
        embedded.xmp(saved("WEBP", xmp=(part * (2_000_000 // len(part))).encode()))
