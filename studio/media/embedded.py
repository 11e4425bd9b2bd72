"""The texts, EXIF blocks and XMP packets inside a picture file, without decoding a pixel; of sound files the texts.

PNG (W3C PNG 3, section 11.3), JPEG (ITU T.81 annex B), GIF89a, WebP, TIFF 6.0, and the box formats AVIF, HEIC and
JPEG XL (studio.media.boxes). Works in bounded time and memory on any bytes, and never raises: what is broken holds
nothing.
"""

from __future__ import annotations

import html
import re
import struct
import zlib

from studio.media import boxes, charsets, containers, exif
from studio.media.containers import MalformedError

MAX_TEXT = 4_000_000
XMP_KEYWORD = "XML:com.adobe.xmp"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_BROKEN = (MalformedError, IndexError, struct.error, zlib.error, ValueError)
_XMP_NAMES = ("exif:UserComment", "dc:description", "xmp:CreatorTool")
_QUOTED = re.compile(r"\s{0,9}=\s{0,9}([\"'])")


def texts(data: bytes) -> dict[str, str]:
    """Every embedded text by its key in the format; none where there is none or the file is broken.

    Keys: PNG keywords; `comment` of GIF, JPEG and MP3; WAV INFO ids (`ICMT`); FLAC comment names in lower case. EXIF
    and XMP have functions of their own. A PNG text that cannot be unpacked is empty; all of them together are
    MAX_TEXT at most.
    """
    try:
        if data.startswith(containers.PNG):
            return _png_texts(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            found = containers.gif_comments(data)
            return {"comment": charsets.plain(found)} if found else {}
        if data.startswith(b"\xff\xd8"):
            found = b"".join(bytes(body) for kind, body in containers.jpeg_segments(data) if kind == 0xFE)
            return {"comment": charsets.plain(found)} if found else {}
    except _BROKEN:
        return {}
    return containers.texts(data)


def exif_block(data: bytes) -> bytes:
    """The EXIF block of a picture file; empty where there is none or the file is broken."""
    try:
        if data.startswith(containers.PNG):
            return _chunk(containers.png_chunks(data), b"eXIf") or _profile(data)
        if data.startswith(b"\xff\xd8"):
            return _segment(data, b"Exif\0\0")
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _chunk(containers.riff_chunks(data), b"EXIF")
        if data.startswith(exif.TIFF):
            return data
        return boxes.exif(data)
    except _BROKEN:
        return b""


def xmp(data: bytes) -> dict[str, str]:
    """The texts of a picture's XMP packet that settings were seen in: `UserComment`, `description`, `CreatorTool`."""
    said = charsets.plain(packet(data))
    found = {name.partition(":")[2]: _xmp_text(said, name) for name in _XMP_NAMES}
    return {name: text for name, text in found.items() if text}


def _xmp_text(packet: str, name: str) -> str:
    """One property of a packet, as an element, the first item of a list in one, or an attribute; looks once at each."""
    if (at := packet.find(f"<{name}")) >= 0:
        body = packet[packet.find(">", at) + 1 : packet.find(f"</{name}>", at)]
        if (item := body.find("<rdf:li")) >= 0:
            body = body[body.find(">", item) + 1 : body.find("</rdf:li>", item)]
        return html.unescape(body).strip()
    if (at := packet.find(f" {name}")) >= 0 and (quote := _QUOTED.match(packet, at + len(name) + 1)):
        return html.unescape(packet[quote.end() : packet.find(quote[1], quote.end())]).strip()
    return ""


def packet(data: bytes) -> bytes:
    """The XMP packet of a picture file; empty where there is none or the file is broken."""
    try:
        if data.startswith(containers.PNG):
            return _png_texts(data, XMP_KEYWORD).get(XMP_KEYWORD, "").encode()
        if data.startswith(b"\xff\xd8"):
            return _segment(data, _JPEG_XMP)[len(_JPEG_XMP) :]
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _chunk(containers.riff_chunks(data), b"XMP ")[:MAX_TEXT]
        if data.startswith(exif.TIFF):
            return exif.xmp(data)[:MAX_TEXT]
        return boxes.xmp(data)[:MAX_TEXT]
    except _BROKEN:
        return b""


def _profile(data: bytes) -> bytes:
    """The EXIF block as ImageMagick keeps it in a PNG: a text of a name, a length, and digits."""
    for key in ("Raw profile type exif", "Raw profile type APP1"):
        if text := _png_texts(data, key).get(key):
            digits = "".join(text.split()[2:])
            return bytes.fromhex(digits[: len(digits) // 2 * 2])
    return b""


def _segment(data: bytes, mark: bytes) -> bytes:
    """The first APP1 segment of a JPEG that begins with `mark`."""
    segments = (body for kind, body in containers.jpeg_segments(data) if kind == 0xE1)
    return next((bytes(body) for body in segments if body[: len(mark)] == mark), b"")


def _chunk(chunks: containers.Chunks, kind: bytes) -> bytes:
    return next((bytes(body) for name, body in chunks if name == kind), b"")


def _png_texts(data: bytes, only: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    room = MAX_TEXT
    for kind, body in containers.png_chunks(data):
        if kind not in (b"tEXt", b"zTXt", b"iTXt") or room < 0:
            continue
        key, _, rest = bytes(body[: MAX_TEXT + 100]).partition(b"\0")
        name = key[:80].decode("latin-1")
        if only and name != only:
            continue
        try:
            text = _png_text(kind, rest, room)
        except (MalformedError, IndexError, zlib.error):
            text, room = "", room - MAX_TEXT // 8  # unpacking it has cost time all the same
        room -= len(text)
        found.setdefault(name, text)
    return found


def _png_text(kind: bytes, rest: bytes, room: int) -> str:
    """What the book calls Latin-1 is UTF-8 in half of the world's files (studio.media.charsets)."""
    if kind == b"tEXt":
        return charsets.plain(_short(rest, room))
    if kind == b"zTXt":
        return charsets.plain(_inflate(rest[1:], room))
    compressed, text = rest[0], rest[2:].split(b"\0", 2)[2]
    return charsets.plain(_inflate(text, room) if compressed else _short(text, room))


def _short(text: bytes, room: int) -> bytes:
    if len(text) > room:
        raise MalformedError("text too long")
    return text


def _inflate(data: bytes, room: int) -> bytes:
    """At most `room` bytes of what `data` unpacks to: a few kilobytes can claim to be gigabytes."""
    return _short(zlib.decompressobj().decompress(data, room + 1), room)
