"""PNG, JPEG, GIF, WebP, WAV, FLAC and MP3 as containers: picture size and texts of sound, without decoding anything.

Walks chunks by hand in bounded time, so that a hostile file is refused before a decoder sees it. Malformed input
raises `MalformedError`, never anything else.

Formats: PNG (W3C PNG 3, section 5), JFIF/EXIF segments (ITU T.81 annex B), GIF89a, RIFF (WebP container
specification; WAVE LIST/INFO), FLAC (RFC 9639, section 8).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Literal

from studio.media import id3, midi

Container = Literal["PNG", "JPEG", "GIF", "WEBP"]
"""Pictures that are read here; those that are written are studio.requests.PictureFormat."""
Chunks = Iterable[tuple[bytes, memoryview]]

PNG = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 50_000
MAX_SIDE_BYTES = 8_000_000  # profiles, thumbnails, texts: everything that is not pixels
MAX_TEXT = 4_000_000
MAX_SUB_BLOCKS = 200_000  # of 255 bytes each: 50 MB of GIF
GIF_FRAME, _GIF_EXTENSION, GIF_COMMENT, _GIF_END = 0x2C, 0x21, 0xFE, 0x3B
MAX_SCANS = 200  # a progressive JPEG decodes the whole picture once a scan


class MalformedError(Exception):
    """The bytes are not the format that they begin like, or are built to exhaust a reader."""


def picture(data: bytes) -> tuple[Container, int, int]:
    """Format, width and height in pixels as the headers declare them.

    Raises:
        MalformedError: not a picture of the four formats, or one that no reader should open.
    """
    try:
        if data.startswith(PNG):
            return "PNG", *_png_size(data)
        if data.startswith(b"\xff\xd8\xff"):
            return "JPEG", *_jpeg_size(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return "GIF", *_gif_size(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return "WEBP", *_webp_size(data)
    except (IndexError, struct.error):
        raise MalformedError("cut short") from None
    raise MalformedError("unknown format")


def texts(data: bytes) -> dict[str, str]:
    """Every text in a sound file by its key in the format; none where there is none or the file is broken.

    Keys: WAV INFO ids (`ICMT`) and `AIGC`; FLAC comment names in lower case (`comment`); `comment` of MP3 and MIDI.
    Those of pictures: studio.media.embedded.
    """
    found: dict[str, str] = {}
    try:
        if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
            for kind, body in riff_chunks(data):
                if kind == b"LIST" and body[:4] == b"INFO":
                    items = riff_chunks(bytes(body), start=4)
                    found.update({name.decode("latin-1"): _zero_ended(item) for name, item in items})
                elif kind == b"AIGC":
                    found["AIGC"] = _zero_ended(body)
        elif data.startswith(b"fLaC"):
            found.update(_flac_comments(data))
        elif data.startswith(midi.HEAD):
            found["comment"] = midi.text(data)
        elif data.startswith(b"ID3"):
            found.update(id3.comments(data))
    except (MalformedError, IndexError, struct.error, zlib.error, UnicodeDecodeError):
        pass
    return found


def png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Type and body of each chunk up to IEND; checksums are left to the decoder."""
    view, at = memoryview(data), len(PNG)
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return
        length = int.from_bytes(view[at : at + 4], "big")
        kind = bytes(view[at + 4 : at + 8])
        yield kind, view[at + 8 : at + 8 + length]
        if kind == b"IEND":
            return
        at += 12 + length
    raise MalformedError("too many chunks")


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def riff_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk as it stands in a file, with its padding."""
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff_chunks(data: bytes, start: int = 12) -> Iterator[tuple[bytes, memoryview]]:
    """Type and body of each chunk of a RIFF file, or of a list inside one."""
    view, at = memoryview(data), start
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return
        length = int.from_bytes(view[at + 4 : at + 8], "little")
        yield bytes(view[at : at + 4]), view[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise MalformedError("too many chunks")


def _png_size(data: bytes) -> tuple[int, int]:
    side = 0
    for kind, body in png_chunks(data):
        if kind[:1].islower():
            side += len(body)
        if side > MAX_SIDE_BYTES:
            raise MalformedError("too much that is not pixels")
    if data[12:16] != b"IHDR":
        raise MalformedError("no header")
    return struct.unpack(">II", data[16:24])


def jpeg_segments(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Marker and body of each segment up to the first scan."""
    view, at = memoryview(data), 2
    for _ in range(1000):
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
            if at > MAX_SIDE_BYTES:
                raise MalformedError("padding only")
        if data[at] != 0xFF:
            raise MalformedError("no marker where one belongs")
        kind, length = data[at + 1], int.from_bytes(view[at + 2 : at + 4], "big")
        if kind in (0xD9, 0xDA):
            return
        yield kind, view[at + 4 : at + 2 + length]
        at += 2 + max(length, 2)
        if at > MAX_SIDE_BYTES:
            break
    raise MalformedError("too many segments")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    if data.count(b"\xff\xda") > MAX_SCANS:
        raise MalformedError("too many scans")
    size = None
    for kind, body in jpeg_segments(data):
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", body[1:5])
            size = width, height
    if size is None:
        raise MalformedError("no frame header")
    return size


def gif_blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Label, start and end of each extension; a frame with its pixels is labelled GIF_FRAME."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    left = MAX_SUB_BLOCKS
    while (kind := data[at]) != _GIF_END:
        start, label = at, kind
        if kind == GIF_FRAME:
            flags = data[at + 9]
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        elif kind == _GIF_EXTENSION:
            label, at = data[at + 1], at + 2
        else:
            raise MalformedError("no block where one belongs")
        while size := data[at]:
            at, left = at + 1 + size, left - 1
            if left < 0:
                raise MalformedError("too many blocks")
        at, left = at + 1, left - 1
        yield label, start, at


def gif_comments(data: bytes) -> bytes:
    """Every comment of a GIF file, one behind the other."""
    found = []
    for label, start, end in gif_blocks(data):
        at = start + 2
        while label == GIF_COMMENT and at < end - 1:
            found.append(data[at + 1 : at + 1 + data[at]])
            at += 1 + data[at]
    return b"".join(found)[:MAX_TEXT]


def _gif_size(data: bytes) -> tuple[int, int]:
    """The screen, or the first frame's far corner where that lies outside it."""
    width, height = struct.unpack("<HH", data[6:10])
    for label, start, _ in gif_blocks(data):
        if start > MAX_SIDE_BYTES:
            break
        if label == GIF_FRAME:
            left, top, wide, high = struct.unpack("<HHHH", data[start + 1 : start + 9])
            return max(width, left + wide), max(height, top + high)
    raise MalformedError("no frame")


def _webp_size(data: bytes) -> tuple[int, int]:
    kind, head = data[12:16], data[20:30]
    if kind == b"VP8X":
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    if kind == b"VP8L" and head[0] == 0x2F:
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and head[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[6:10])
        return width & 0x3FFF, height & 0x3FFF
    raise MalformedError("no frame header")


def _zero_ended(body: memoryview) -> str:
    return bytes(body).split(b"\0", 1)[0].decode("utf-8", "replace")


def _flac_comments(data: bytes) -> dict[str, str]:
    at, found = 4, {}
    for _ in range(200):
        kind, length = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        body = data[at + 4 : at + 4 + length]
        if kind & 0x7F == 4:
            skip = 4 + int.from_bytes(body[:4], "little")
            count = int.from_bytes(body[skip : skip + 4], "little")
            skip += 4
            for _ in range(min(count, 1000)):
                size = int.from_bytes(body[skip : skip + 4], "little")
                name, _, value = body[skip + 4 : skip + 4 + size].partition(b"=")
                found[name.decode("ascii", "replace").lower()] = value.decode("utf-8", "replace")
                skip += 4 + size
        if kind & 0x80:
            break
        at += 4 + length
    return found
