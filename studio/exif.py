"""The two texts that settings hide in inside an EXIF block, ImageDescription and UserComment, and which way is up.

UserComment begins with eight bytes that name its encoding (EXIF 2.32, section 4.6.5). The standard leaves the byte
order of "UNICODE" to the block, and programs disagree: some write big-endian text into a little-endian block. So
the order that gives more ASCII wins. Never raises.
"""

from __future__ import annotations

import struct

DESCRIPTION, ORIENTATION, USER_COMMENT, IFD = 0x010E, 0x0112, 0x9286, 0x8769
MAX_TEXT = 4_000_000


def description(block: bytes) -> str:
    """ImageDescription as text; empty where there is none."""
    value = _value(block, DESCRIPTION, None)
    if not isinstance(value, str):
        return ""
    return value.encode("latin-1", "replace").decode("utf-8", "replace")  # pillow reads ASCII fields as Latin-1


def user_comment(block: bytes) -> str:
    """UserComment as text; empty where there is none."""
    value = _value(block, USER_COMMENT, IFD)
    if isinstance(value, str):
        value = value.encode("latin-1", "replace")
    if not isinstance(value, bytes) or len(value) > MAX_TEXT:
        return ""
    code, body = value[:8], value[8:]
    if code == b"UNICODE\0":
        return _utf16(body)
    if code not in (b"ASCII\0\0\0", b"\0" * 8):
        body = value  # no code at all: not allowed, and common
    return body.decode("utf-8", "replace").strip("\0 ")


def orientation(block: bytes) -> int:
    """How the picture is to be turned, 1..8 (EXIF 2.32, section 4.6.5); 1 means not at all."""
    value = _value(block, ORIENTATION, None) if block else 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def only_orientation(value: int) -> bytes:
    """A TIFF block that says this and nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, ORIENTATION, 3, 1, value, 0, 0)


def _utf16(body: bytes) -> str:
    if body[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return body.decode("utf-16", "replace").strip("\0")
    big, little = (body.decode(f"utf-16-{order}", "replace").strip("\0") for order in ("be", "le"))
    return little if _common(little) > _common(big) else big


def _common(text: str) -> int:
    """How many of the first signs are ASCII: every settings line is full of it."""
    return sum(sign < "\x7f" for sign in text[:4000])


def _value(block: bytes, tag: int, ifd: int | None) -> object:
    from PIL import Image

    exif = Image.Exif()
    try:
        exif.load(block)
        return (exif if ifd is None else exif.get_ifd(ifd)).get(tag)
    except Exception:  # a TIFF directory by a stranger's hand
        return None
