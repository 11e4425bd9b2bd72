"""WebM as browsers record it: the Opus sound of a Matroska file, put into an Ogg file, which libsndfile reads.

Nothing is decoded: packets are taken out of one container and laid into the other. Hostile bytes give nothing, in
bounded time. Formats: RFC 8794 (EBML), RFC 9559 (Matroska), RFC 3533 (Ogg), RFC 7845 (Opus in Ogg).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

_ENTERED = frozenset((0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675, 0xA0))
"""Segment, tracks, a track, a cluster, a group of blocks: what lies inside is read, whatever size they tell."""
_TRACK, _NUMBER, _CODEC, _PRIVATE, _SIMPLE, _BLOCK = 0xAE, 0xD7, 0x86, 0x63A2, 0xA3, 0xA1
_LACED = 0x06
_MAX_ELEMENTS = 1_000_000
_RATE = 48_000
_FRAMES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
"""Samples at 48 kHz of a frame, by the configuration that a packet begins with."""
_MAX_SEGMENTS = 255
"""Pieces of at most 255 bytes that a page has."""
_FIRST, _LAST = 0x02, 0x04
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def as_ogg(data: bytes) -> bytes | None:
    """The file's first Opus track as an Ogg file; None where it has none, or is broken."""
    tracks: list[dict[int, bytes]] = []
    packets: list[bytes] = []
    for name, body in _elements(data):
        if name == _TRACK:
            tracks.append({})
        elif name in (_NUMBER, _CODEC, _PRIVATE) and tracks:
            tracks[-1].setdefault(name, bytes(body[:10_000]))
        elif name in (_SIMPLE, _BLOCK) and (opus := _opus(tracks)) and (packet := _packet(body, opus)):
            packets.append(packet)
    track = _opus(tracks)
    return b"".join(_pages(track[_PRIVATE], packets)) if track and packets else None


def _opus(tracks: Sequence[dict[int, bytes]]) -> dict[int, bytes] | None:
    return next(
        (one for one in tracks if one.get(_CODEC) == b"A_OPUS" and one.get(_PRIVATE, b"").startswith(b"OpusHead")), None
    )


def _elements(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Name and body of every element, those inside others after them."""
    view, at = memoryview(data), 0
    for _ in range(_MAX_ELEMENTS):
        name, at = _number(view, at, keep=True)
        size, at = _number(view, at)
        if name is None:
            return
        if name in _ENTERED:
            yield name, view[at:at]
            continue
        if size is None:
            return
        yield name, view[at : at + size]
        at += size


def _number(view: memoryview, at: int, *, keep: bool = False) -> tuple[int | None, int]:
    """A number whose first byte tells how long it is, and where it ends; None for one that is cut short or unknown.

    Args:
        keep: the bit that tells the length belongs to it.
    """
    first = view[at] if at < len(view) else 0
    length = 9 - first.bit_length()
    if not first or at + length > len(view):
        return None, len(view)
    number = int.from_bytes(view[at : at + length], "big")
    if keep:
        return number, at + length
    mask = (1 << 7 * length) - 1
    return (None if number & mask == mask else number & mask), at + length


def _packet(block: memoryview, track: dict[int, bytes]) -> bytes:
    """What a block holds of this track; nothing of another one, and nothing where it holds several packets."""
    number, at = _number(block, 0)
    if number != int.from_bytes(track.get(_NUMBER, b"\1"), "big") or len(block) < at + 4 or block[at + 2] & _LACED:
        return b""
    return bytes(block[at + 3 :])


def _pages(head: bytes, packets: Sequence[bytes]) -> Iterator[bytes]:
    vendor = b"Atelier"
    yield _page([head], 0, 0, _FIRST)
    yield _page([b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", 0)], 0, 1)
    at, pages = 0, list(_shared(packets))
    for number, some in enumerate(pages, 2):
        at += sum(map(_samples, some))
        yield _page(some, at, number, _LAST if number == len(pages) + 1 else 0)


def _shared(packets: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The packets page by page; one that no page can hold is left out."""
    some: list[bytes] = []
    segments = 0
    for packet in packets:
        more = len(packet) // 255 + 1
        if segments + more > _MAX_SEGMENTS and some:
            yield some
            some, segments = [], 0
        if more <= _MAX_SEGMENTS:
            some.append(packet)
            segments += more
    if some:
        yield some


def _samples(packet: bytes) -> int:
    frames = (1, 2, 2, packet[1] & 0x3F if len(packet) > 1 else 0)[packet[0] & 3]
    return frames * _FRAMES[packet[0] >> 3]


def _page(packets: Sequence[bytes], until: int, number: int, flags: int = 0) -> bytes:
    """A page of whole packets.

    Args:
        until: samples up to its end.
    """
    sizes = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    body = b"".join(packets)

    def with_sum(sum: int) -> bytes:
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, until, 1, number, sum, len(sizes))
        return head + sizes + body

    return with_sum(_checksum(with_sum(0)))


def _checksum(page: bytes) -> int:
    """Ogg's sum is that of zlib with all bits in the other order, and without its inversions."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
