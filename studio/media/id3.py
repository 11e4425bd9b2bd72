"""ID3 tags (version 2.4) at the head of an MP3 file: written, and the comments of any version read back.

Format: id3.org/id3v2.4.0-structure and -frames; 2.2 and 2.3 are read as far as their comments go. Hostile bytes give
nothing, in bounded time.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_UTF8 = b"\x03"
_ENCODINGS = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}
_MAX_FRAMES, _MAX_TEXT = 500, 4_000_000
_PADDING = 64
"""Empty bytes at the end, as most writers leave: readers tell by what follows a frame how its size is meant."""
_UNSYNCHRONISED, _EXTENDED = 0x80, 0x40


def tag(texts: Mapping[str, str], comment: str = "", own: Mapping[str, str] | None = None) -> bytes:
    """A tag to stand before the sound.

    Args:
        texts: by the id of their frame (TIT2, TBPM …); empty ones are left out.
        comment: the text of a COMM frame without a description, where most programs look.
        own: by the description of their TXXX frame, texts for which ID3 has no frame.
    """
    frames = [_frame(id, _UTF8 + text.replace("\0", " ").encode()) for id, text in texts.items() if text]
    frames += [_frame("TXXX", _UTF8 + f"{name}\0{text}".encode()) for name, text in (own or {}).items()]
    if comment:
        frames.append(_frame("COMM", _UTF8 + b"eng\0" + comment.replace("\0", " ").encode()))
    body = b"".join(frames) + bytes(_PADDING)
    return b"ID3\x04\x00\x00" + _spread(len(body)) + body


def comments(data: bytes) -> dict[str, str]:
    """The comment without a description under `comment`, others under their own, a text of somebody's own under
    `TXXX:` and its description; none where the tag is broken."""
    if data[:3] != b"ID3" or len(data) < 10 or data[3] not in (2, 3, 4):
        return {}
    version, flags = data[3], data[5]
    body = data[10 : 10 + _gathered(data[6:10])]
    if flags & _UNSYNCHRONISED and version < 4:
        body = body.replace(b"\xff\x00", b"\xff")
    at = _after_extension(body, version) if flags & _EXTENDED and version > 2 else 0
    names, head = (4, 10) if version > 2 else (3, 6)
    found: dict[str, str] = {}
    for _ in range(_MAX_FRAMES):
        if at + head > len(body) or not body[at]:
            break
        id = body[at : at + names]
        size = _size(body[at + names : at + 2 * names], version)
        if id in (b"COMM", b"COM") and (read := _comment(body[at + head : at + head + size])):
            found.setdefault(*read)
        elif id in (b"TXXX", b"TXX") and (told := _described(body[at + head : at + head + size], 1)):
            found.setdefault(f"TXXX:{told[0]}", told[1])
        at += head + size
    return found


def _comment(body: bytes) -> tuple[str, str] | None:
    told = _described(body, 4)
    return told and (told[0] or "comment", told[1])


def _described(body: bytes, begin: int) -> tuple[str, str] | None:
    """Description and text of a frame, behind its encoding (and language)."""
    encoding = _ENCODINGS.get(body[0]) if len(body) > begin else None
    if encoding is None or len(body) > _MAX_TEXT:
        return None
    description, _, rest = body[begin:].decode(encoding, "replace").partition("\0")
    return description.strip("\ufeff"), rest.strip("\0\ufeff")


def _frame(id: str, body: bytes) -> bytes:
    return id.encode("ascii") + _spread(len(body)) + b"\0\0" + body


def _size(raw: bytes, version: int) -> int:
    return _gathered(raw) if version == 4 else int.from_bytes(raw, "big")


def _after_extension(body: bytes, version: int) -> int:
    if len(body) < 4:
        return len(body)
    return _gathered(body[:4]) if version == 4 else struct.unpack(">I", body[:4])[0] + 4


def _spread(number: int) -> bytes:
    """Seven bits a byte, so that no size looks like the beginning of a frame of sound."""
    return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))


def _gathered(raw: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(raw, (21, 14, 7, 0), strict=False))
