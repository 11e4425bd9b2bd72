"""AVIF, HEIC and JPEG XL as boxes: where their EXIF block and XMP packet lie.

ISO/IEC 14496-12 (boxes, `meta` with `iinf` and `iloc`), 23008-12 (items `Exif`, and `mime` for XMP), 18181-2 (JPEG XL
has `Exif` and `xml ` boxes at the top). Raises ValueError, IndexError or struct.error on broken bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAX_BOXES = 2_000
MAX_ITEM = 4_000_000
_BRANDS = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"heim", b"heis", b"miaf")
_JXL = b"\0\0\0\x0cJXL \r\n\x87\n"
_XMP_TYPE = b"application/rdf+xml"


def exif(data: bytes) -> bytes:
    """The EXIF block, from its TIFF header on; empty where there is none."""
    block = _item(data, b"Exif")
    return block[4 + int.from_bytes(block[:4], "big") :] if len(block) > 8 else b""


def xmp(data: bytes) -> bytes:
    """The XMP packet; empty where there is none."""
    return _item(data, b"xml ")


def _item(data: bytes, kind: bytes) -> bytes:
    """The content of the first item of this kind; b"xml " stands for XMP."""
    if data.startswith(_JXL):
        return next((bytes(body[:MAX_ITEM]) for name, body in _boxes(memoryview(data)) if name == kind), b"")
    if data[4:8] != b"ftyp" or data[8:12] not in _BRANDS:
        return b""
    meta = next((body for name, body in _boxes(memoryview(data)) if name == b"meta"), None)
    if meta is None:
        return b""
    inner = dict(_boxes(meta[4:]))
    wanted = next((number for number, name in _kinds(inner.get(b"iinf", meta[:0])) if name == kind), None)
    if wanted is None or b"iloc" not in inner:
        return b""
    return b"".join(_extents(data, inner[b"iloc"], wanted, inner.get(b"idat", meta[:0])))[:MAX_ITEM]


def _boxes(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    for _ in range(MAX_BOXES):
        if at + 8 > len(view):
            return
        size, head = int.from_bytes(view[at : at + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(view[at + 8 : at + 16], "big"), 16
        end = len(view) if size == 0 else at + size
        if end < at + head:
            raise ValueError("a box that ends before it begins")
        yield bytes(view[at + 4 : at + 8]), view[at + head : end]
        at = end


def _kinds(info: memoryview) -> Iterator[tuple[int, bytes]]:
    """Number and kind of each item that `iinf` names."""
    if not info:
        return
    for name, body in _boxes(info[8 if info[0] else 6 :]):
        if name == b"infe" and body[0] >= 2:
            wide = 2 if body[0] == 2 else 4
            kind = bytes(body[6 + wide : 10 + wide])
            if kind == b"mime" and _XMP_TYPE in bytes(body[10 + wide : 200]):
                kind = b"xml "
            yield int.from_bytes(body[4 : 4 + wide], "big"), kind


def _extents(data: bytes, place: memoryview, wanted: int, inside: memoryview) -> Iterator[bytes]:
    """The pieces of an item, as `iloc` says where they lie: in the file, or inside the `idat` box."""
    version, sizes = place[0], int.from_bytes(place[4:6], "big")
    offset, length, base, index = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15 if version else 0
    reader = _Reader(place, 6)
    for _ in range(min(reader.number(4 if version == 2 else 2), MAX_BOXES)):
        number = reader.number(4 if version == 2 else 2)
        method = reader.number(2) & 15 if version else 0
        reader.number(2)
        start = reader.number(base)
        pieces = []
        for _ in range(min(reader.number(2), MAX_BOXES)):
            reader.number(index)
            pieces.append((start + reader.number(offset), reader.number(length)))
        if number == wanted:
            source = memoryview(data) if method == 0 else inside
            for at, size in pieces[:100]:
                yield bytes(source[at : at + min(size or MAX_ITEM, MAX_ITEM)])
            return


class _Reader:
    """Numbers of given sizes, one behind the other."""

    def __init__(self, view: memoryview, at: int) -> None:
        self._view, self._at = view, at

    def number(self, size: int) -> int:
        self._at += size
        if self._at > len(self._view):
            raise struct.error("cut short")
        return int.from_bytes(self._view[self._at - size : self._at], "big")
