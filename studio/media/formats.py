"""Picture formats from a file's first bytes: kind and size, what can be read here, and what others are called.

Decodes nothing and believes no name. PNG, JPEG, GIF and WebP are measured by studio.media.containers; BMP, TIFF (6.0
and Big), AVIF and HEIF (ISO 14496-12, 23008-12) here, in bounded time.
"""

from __future__ import annotations

import struct
from typing import Literal

from studio.media import containers, embedded, exif
from studio.media.containers import MalformedError

Kind = Literal["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "HEIF"]

SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".webp", ".gif", ".bmp", ".dib", ".tif",
    ".tiff", ".avif", ".avifs", ".heic", ".heif", ".hif",
)  # fmt: skip
"""Endings of what can be read."""
OTHER = {
    ".jxl": "JPEG XL", ".jp2": "JPEG 2000", ".j2k": "JPEG 2000", ".jpx": "JPEG 2000", ".psd": "Photoshop",
    ".psb": "Photoshop", ".xcf": "GIMP", ".kra": "Krita", ".svg": "SVG", ".svgz": "SVG", ".ai": "Illustrator",
    ".eps": "EPS", ".pdf": "PDF", ".ico": "ICO", ".icns": "ICNS", ".tga": "TGA", ".exr": "OpenEXR",
    ".hdr": "Radiance HDR",
    ".dds": "DDS", ".qoi": "QOI", ".ppm": "PNM", ".pgm": "PNM", ".pbm": "PNM", ".pnm": "PNM", ".cr2": "Canon RAW",
    ".cr3": "Canon RAW", ".nef": "Nikon RAW", ".arw": "Sony RAW", ".raf": "Fujifilm RAW", ".orf": "Olympus RAW",
    ".rw2": "Panasonic RAW", ".pef": "Pentax RAW", ".dng": "DNG", ".raw": "RAW", ".mp4": "MP4", ".mov": "QuickTime",
    ".webm": "WebM", ".mkv": "Matroska", ".avi": "AVI",
}  # fmt: skip
"""Endings of pictures and films that cannot be read here, and what these are called."""
_SIGNS = (
    (0, b"\xff\x0a", "JPEG XL"), (0, b"\0\0\0\x0cJXL ", "JPEG XL"), (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"), (0, b"8BPS", "Photoshop"), (0, b"gimp xcf", "GIMP"), (0, b"%PDF", "PDF"),
    (0, b"%!PS", "EPS"), (0, b"\xc5\xd0\xd3\xc6", "EPS"), (0, b"\0\0\1\0", "ICO"), (0, b"icns", "ICNS"),
    (0, b"v/1\x01", "OpenEXR"), (0, b"#?RADIANCE", "Radiance HDR"), (0, b"qoif", "QOI"), (0, b"DDS ", "DDS"),
    (0, b"FUJIFILMCCD-RAW", "Fujifilm RAW"), (0, b"IIU\0", "Panasonic RAW"), (0, b"IIRO", "Olympus RAW"),
    (8, b"CR\x02", "Canon RAW"), (4, b"ftypcrx ", "Canon RAW"), (4, b"ftypqt", "QuickTime"), (4, b"ftyp", "MP4"),
    (0, b"\x1aE\xdf\xa3", "WebM"), (8, b"AVI ", "AVI"), (0, b"PK\3\4", "ZIP"), (0, b"Rar!", "RAR"),
    (0, b"\x1f\x8b", "gzip"),
)  # fmt: skip
_AVIF, _HEIF = {b"avif", b"avis"}, {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_MAX_BOXES, _MAX_TAGS = 2000, 2000
_REDUCED, _WIDTH, _HEIGHT, _ORIENTATION, _DNG = 254, 256, 257, 274, 50706


def kind(data: bytes) -> Kind | None:
    """Which of the formats that can be read these bytes begin like; None for none of them."""
    if data.startswith(containers.PNG):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and data[14:18] in (b"\x0c\0\0\0", b"\x28\0\0\0", b"\x34\0\0\0", b"\x38\0\0\0", b"\x40\0\0\0",
                                             b"\x6c\0\0\0", b"\x7c\0\0\0"):  # fmt: skip
        return "BMP"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") and data[8:11] != b"CR\x02":
        return "TIFF"
    if data[4:8] == b"ftyp":
        brands = {data[at : at + 4] for at in range(8, min(int.from_bytes(data[:4], "big"), 256), 4)}
        return "AVIF" if brands & _AVIF else "HEIF" if brands & _HEIF else None
    return None


def named(data: bytes) -> str:
    """What a file is, by its first bytes: a name that people know it by; empty where they say nothing."""
    if found := kind(data):
        return found
    for at, sign, name in _SIGNS:
        if data.startswith(sign, at):
            return name
    head = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return "SVG"
    return "HTML" if head.startswith((b"<!doctype html", b"<html")) else ""


def measured(data: bytes) -> tuple[Kind, int, int]:
    """Format, width and height in pixels as they are stored, before any turning.

    Raises:
        MalformedError: not a picture of these formats, or one that no reader should open.
    """
    found = kind(data)
    try:
        if found == "BMP":
            return "BMP", *_bmp_size(data)
        if found == "TIFF":
            tags = _tiff_tags(data)
            if tags.get(_REDUCED, 0) & 1 or _DNG in tags:
                raise MalformedError("a preview in front of a camera's own format")
            return "TIFF", tags[_WIDTH], tags[_HEIGHT]
        if found in ("AVIF", "HEIF"):
            return found, *_iso_size(data)
    except (IndexError, KeyError, struct.error):
        raise MalformedError("cut short") from None
    return containers.picture(data)


def lies_on_its_side(data: bytes) -> bool:
    """Whether the picture is shown turned by a quarter from how it is stored."""
    try:
        found = kind(data)
        if found == "TIFF":
            return _tiff_tags(data).get(_ORIENTATION, 1) in (5, 6, 7, 8)
        if found in ("AVIF", "HEIF"):
            return any(name == b"irot" and body[0] & 1 for name, body in _properties(data))
        return exif.orientation(embedded.exif_block(data)) in (5, 6, 7, 8)
    except (MalformedError, IndexError, struct.error):
        return False


def progressive(data: bytes) -> bool:
    """Whether a JPEG has to be held in memory whole to be decoded, even where it is made smaller."""
    return b"\xff\xc2" in data[:200_000]


def _bmp_size(data: bytes) -> tuple[int, int]:
    if data[14] == 12:
        return struct.unpack("<HH", data[18:22])
    width, height = struct.unpack("<ii", data[18:26])
    return width, abs(height)


def _tiff_tags(data: bytes) -> dict[int, int]:
    """The numbers of the first directory that stand in it themselves."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    at = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), data, at)[0]
    at += 8 if big else 2
    found: dict[int, int] = {}
    for place in range(min(count, _MAX_TAGS)):
        entry = at + place * (20 if big else 12)
        tag, type_ = struct.unpack_from(order + "HH", data, entry)
        form = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(type_)
        if form:
            found[tag] = struct.unpack_from(order + form, data, entry + (12 if big else 8))[0]
    return found


def _iso_size(data: bytes) -> tuple[int, int]:
    """Of the largest picture in the file: the one that is shown is not smaller than its tiles."""
    sizes = [struct.unpack(">II", body[4:12]) for name, body in _properties(data) if name == b"ispe"]
    if not sizes:
        raise MalformedError("no size")
    return max(sizes, key=lambda size: size[0] * size[1])


def _properties(data: bytes) -> list[tuple[bytes, memoryview]]:
    """The properties of the pictures in an ISO file, as names and bodies."""
    found = memoryview(data)
    for name in (b"meta", b"iprp", b"ipco"):
        body = next((body for kind_, body in _boxes(found) if kind_ == name), None)
        if body is None:
            raise MalformedError("no description of pictures")
        found = body[4:] if name == b"meta" else body
    return _boxes(found)


def _boxes(data: memoryview) -> list[tuple[bytes, memoryview]]:
    found: list[tuple[bytes, memoryview]] = []
    at = 0
    while at + 8 <= len(data):
        if len(found) > _MAX_BOXES:
            raise MalformedError("too many boxes")
        size, head = int.from_bytes(data[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            raise MalformedError("a box without end")
        found.append((bytes(data[at + 4 : at + 8]), data[at + head : at + size]))
        at += size
    return found
