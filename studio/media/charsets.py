"""Bytes that call themselves text, as text: as programs write them, which is not always as their format says.

PNG's tEXt is Latin-1 by the book, and half the programs put UTF-8 there. EXIF's UserComment begins with eight bytes
that name its encoding (EXIF 2.32, section 4.6.5); behind "UNICODE" stand UTF-16 of either byte order and UTF-8, and
many leave the eight bytes out. So what the bytes can be decides, and among those what they say they are. Never raises.
"""

from __future__ import annotations

import codecs

_LOOK = 4000
_MARKS = (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)


def plain(body: bytes) -> str:
    """Text without a word about its encoding: UTF-8 where it can be that, else Latin-1; UTF-16 where a mark says so."""
    if body.startswith(_MARKS):
        return body.decode("utf-16", "replace").strip("\0")
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        whole = body[: error.start]
        if error.end == len(body) and not whole.isascii():  # UTF-8 that was cut in the middle of a sign
            return whole.decode()
        return body.decode("latin-1")


def comment(value: bytes) -> str:
    """A UserComment, with or without the eight bytes in front."""
    mark, body = value[:8].upper().rstrip(b"\0 "), value[8:]
    if mark == b"UNICODE":
        return _unicode(body)
    if mark == b"JIS":
        return _japanese(body.strip(b"\0 "))
    return _unmarked(body if mark in (b"ASCII", b"") else value)


def _unmarked(body: bytes) -> str:
    bare = body.strip(b"\0 ")
    return _unicode(body) if bare.count(0) * 3 > len(bare) else plain(bare)


def _unicode(body: bytes) -> str:
    """UTF-16 of the byte order that gives more ASCII (every settings line is full of it), or UTF-8."""
    bare = body.rstrip(b"\0")
    if not body.startswith(_MARKS) and 0 not in bare:
        try:
            return bare.removeprefix(codecs.BOM_UTF8).decode()
        except UnicodeDecodeError:
            pass
    if body.startswith(_MARKS):
        return body.decode("utf-16", "replace").strip("\0")
    big, little = (body.decode(f"utf-16-{order}", "replace").strip("\0") for order in ("be", "le"))
    return little if _common(little) > _common(big) else big


def _japanese(body: bytes) -> str:
    for coding in ("iso2022_jp_ext",) if b"\x1b" in body else ("utf-8", "euc_jp", "cp932"):
        try:
            return body.decode(coding)
        except UnicodeDecodeError:
            continue
    return plain(body)


def _common(text: str) -> int:
    return sum(sign < "\x7f" for sign in text[:_LOOK])
