"""The texts that settings hide in inside an EXIF block, which way is up, and blocks of our own.

A block is a TIFF directory (TIFF 6.0, section 2) with one more below it (EXIF 2.32, section 4.6); a TIFF file begins
with one too. Values are taken by their bytes whatever type they claim: programs write text as BYTE, ASCII and
UNDEFINED. Never raises.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from studio.media import charsets

DESCRIPTION, MAKE, MODEL, ORIENTATION, SOFTWARE = 0x010E, 0x010F, 0x0110, 0x0112, 0x0131
XMP, IFD, MAKER_NOTE, USER_COMMENT, XP_COMMENT = 0x02BC, 0x8769, 0x927C, 0x9286, 0x9C9C
MAX_TEXT = 4_000_000
MAX_ENTRIES = 1_000
TIFF = (b"II*\0", b"MM\0*")

_NAMES = {
    DESCRIPTION: "ImageDescription", MAKE: "Make", MODEL: "Model", SOFTWARE: "Software", MAKER_NOTE: "MakerNote",
    USER_COMMENT: "UserComment", XP_COMMENT: "XPComment",
}  # fmt: skip
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTE, _ASCII, _SHORT, _LONG, _UNDEFINED = 1, 2, 3, 4, 7


def texts(block: bytes) -> dict[str, str]:
    """Every text that settings were seen in, by the name of its tag; empty ones are left out."""
    found = {}
    for tag, value in _values(block).items():
        if (name := _NAMES.get(tag)) and len(value) <= MAX_TEXT:
            text = charsets.comment(value) if tag == USER_COMMENT else charsets.plain(value)
            if tag == XP_COMMENT:
                text = value.decode("utf-16-le", "replace")  # always, as Windows writes it
            if text := text.strip("\0 "):
                found[name] = text
    return found


def description(block: bytes) -> str:
    """ImageDescription as text; empty where there is none."""
    return texts(block).get("ImageDescription", "")


def xmp(block: bytes) -> bytes:
    """The XMP packet of a TIFF file; empty where there is none."""
    return _values(block).get(XMP, b"")


def orientation(block: bytes) -> int:
    """How the picture is to be turned, 1..8 (EXIF 2.32, section 4.6.5); 1 means not at all."""
    value = _values(block).get(ORIENTATION, b"")
    little = _start(block)[:2] == b"II"
    number = int.from_bytes(value, "little" if little else "big") if len(value) in (1, 2, 4) else 1
    return number if 1 <= number <= 8 else 1


def only_orientation(value: int) -> bytes:
    """A TIFF block that says this and nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, ORIENTATION, _SHORT, 1, value, 0, 0)


def written(software: str, description: str, comment: str) -> bytes:
    """A block with texts as programs of the field read them, the comment in UTF-16 as big endian as its block.

    The comment's type is UNDEFINED, as the standard wants it: strict readers pass over a UserComment of another one.
    """
    first = {DESCRIPTION: description.encode(), SOFTWARE: software.encode()}
    entries = {tag: (_ASCII, text + b"\0") for tag, text in first.items() if text}
    if not comment:
        return b"Exif\0\0MM\0*" + struct.pack(">I", 8) + _directory(entries, 8)
    entries[IFD] = (_LONG, b"\0\0\0\0")
    below = 8 + len(_directory(entries, 8))
    entries[IFD] = (_LONG, struct.pack(">I", below))
    note = b"UNICODE\0" + comment.encode("utf-16-be", "replace")
    inner = _directory({USER_COMMENT: (_UNDEFINED, note)}, below)
    return b"Exif\0\0MM\0*" + struct.pack(">I", 8) + _directory(entries, 8) + inner


def _directory(entries: Mapping[int, tuple[int, bytes]], at: int) -> bytes:
    """A directory that begins at byte `at`, with its values behind it."""
    head, values = struct.pack(">H", len(entries)), b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, (kind, value) in sorted(entries.items()):
        count = len(value) // _BYTES[kind]
        head += struct.pack(">HHI", tag, kind, count)
        if len(value) <= 4:
            head += value.ljust(4, b"\0")
        else:
            head += struct.pack(">I", behind + len(values))
            values += value + b"\0" * (len(value) % 2)
    return head + b"\0\0\0\0" + values


def _start(block: bytes) -> bytes:
    return block[:16].removeprefix(b"Exif\0\0")[:4]


def _values(block: bytes) -> dict[int, bytes]:
    """The bytes of every value of the first directory and of the one below it, by tag."""
    order = {TIFF[0]: "<", TIFF[1]: ">"}.get(_start(block))
    if order is None:
        return {}
    view = memoryview(block)[6:] if block[:6] == b"Exif\0\0" else memoryview(block)
    found: dict[int, bytes] = {}
    try:
        _walk(view, struct.unpack_from(order + "I", view, 4)[0], order, found)
        if IFD in found:
            _walk(view, struct.unpack(order + "I", found[IFD][:4])[0], order, found)
    except struct.error:  # cut short
        pass
    return found


def _walk(view: memoryview, at: int, order: str, found: dict[int, bytes]) -> None:
    (count,) = struct.unpack_from(order + "H", view, at)
    for place in range(at + 2, at + 2 + 12 * min(count, MAX_ENTRIES), 12):
        tag, kind, many = struct.unpack_from(order + "HHI", view, place)
        size = many * _BYTES.get(kind, 0)
        if tag in _NAMES or tag in (ORIENTATION, IFD, XMP):
            start = place + 8 if size <= 4 else struct.unpack_from(order + "I", view, place + 8)[0]
            found.setdefault(tag, bytes(view[start : start + min(size, MAX_TEXT + 1)]))
