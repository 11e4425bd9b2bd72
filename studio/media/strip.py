"""A picture file without what is said about it: the same pixels, byte for byte, and none of the texts.

Works on the container, so nothing is decoded or encoded again. Kept is what decides how the pixels look: palettes,
transparency, colour profiles, gamma, animation, and the EXIF orientation, in a block that holds nothing else. What lies
behind the end of the picture goes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from studio.errors import StudioError
from studio.media import containers, embedded, exif
from studio.media.containers import MalformedError
from studio.media.image import check_image

_PNG_KEPT = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"bKGD", b"pHYs",
    b"acTL", b"fcTL", b"fdAT",
}  # fmt: skip
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_GIF_CONTROL, _GIF_APPLICATION = 0xF9, 0xFF
_SOI, _EOI, _SOS, _APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04


def clean(data: bytes) -> bytes:
    """The same picture file without any metadata: same pixels, same format, still the right way up.

    Raises:
        StudioError: bad_image, image_too_large.
    """
    check_image(data)
    try:
        return stripped(data)
    except MalformedError:
        raise StudioError("bad_image") from None


def stripped(data: bytes) -> bytes:
    """The same picture without texts, EXIF, XMP, comments and thumbnails.

    Raises:
        MalformedError: not a PNG, JPEG, WebP or GIF file, or a broken one.
    """
    kind, _, _ = containers.picture(data)
    strip = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "GIF": _gif}.get(kind)
    if strip is None:
        raise MalformedError("a format that is read and never written here")
    try:
        return strip(data)
    except (IndexError, struct.error):
        raise MalformedError("cut short") from None


def _png(data: bytes) -> bytes:
    kept, at, turned = [containers.PNG], len(containers.PNG), exif.orientation(embedded.exif_block(data))
    for kind, body in containers.png_chunks(data):
        end = at + 12 + len(body)
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        if kind == b"IHDR" and turned != 1:
            kept.append(containers.png_chunk(b"eXIf", exif.only_orientation(turned)))
        if kind == b"IEND":
            return b"".join(kept)
        at = end
    raise MalformedError("no end")


def _jpeg(data: bytes) -> bytes:
    kept, turned = [b"\xff\xd8"], exif.orientation(embedded.exif_block(data))
    for marker, segment in _jpeg_parts(data):
        if marker in (_COM, *range(_APP1, _APP15 + 1)) and not _colours(marker, segment):
            continue
        if turned != 1 and marker != _APP0:
            block = b"Exif\0\0" + exif.only_orientation(turned)
            kept.append(b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block)
            turned = 1
        kept.append(segment if marker != _APP0 else _without_thumbnail(segment))
    return b"".join(kept)


def _jpeg_parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and bytes of each segment, a scan with its pixels, up to and with the end of the picture."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise MalformedError("no marker where one belongs")
        while data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if marker == _EOI:
            yield marker, data[at : at + 2]
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end <= at + 3 or end > len(data):
            raise MalformedError("cut short")
        if marker == _SOS:
            end = _scan_end(data, end)
        yield marker, data[at:end]
        at = end


def _scan_end(data: bytes, at: int) -> int:
    """Where the next marker stands that ends a scan: 0xFF that is neither stuffed nor a restart."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        follows = data[at + 1]
        if follows == 0xFF:
            at += 1
        elif follows == 0 or 0xD0 <= follows <= 0xD7:
            at += 2
        else:
            return at
    raise MalformedError("no end")


def _colours(marker: int, segment: bytes) -> bool:
    """A colour profile, or Adobe's note of how the colours were turned round."""
    profile = marker == _APP2 and segment[4:16] == b"ICC_PROFILE\0"
    return profile or (marker == _APP14 and segment[4:9] == b"Adobe")


def _without_thumbnail(segment: bytes) -> bytes:
    """A JFIF header without its thumbnail; empty for what else calls itself APP0."""
    if segment[4:9] != b"JFIF\0" or len(segment) < 18:
        return b""
    return b"\xff\xe0" + struct.pack(">H", 16) + segment[4:16] + b"\0\0"


def _webp(data: bytes) -> bytes:
    data = data[: 8 + int.from_bytes(data[4:8], "little")]
    extended = data[12:16] == b"VP8X"  # no other kind may carry EXIF
    kept, turned = [], exif.orientation(embedded.exif_block(data)) if extended else 1
    for kind, body in containers.riff_chunks(data):
        if kind not in _WEBP_KEPT:
            continue
        content = bytes(body)
        if kind == b"VP8X":
            flags = content[0] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if turned != 1 else 0)
            content = bytes([flags]) + content[1:]
        kept.append(containers.riff_chunk(kind, content))
    if turned != 1:
        kept.append(containers.riff_chunk(b"EXIF", exif.only_orientation(turned)))
    whole = b"WEBP" + b"".join(kept)
    return containers.riff_chunk(b"RIFF", whole)


def _gif(data: bytes) -> bytes:
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    kept = [data[:at]]
    for label, start, end in containers.gif_blocks(data):
        looping = label == _GIF_APPLICATION and data[start + 3 : start + 14] in _GIF_LOOPS
        if label in (containers.GIF_FRAME, _GIF_CONTROL) or looping:
            kept.append(data[start:end])
    return b"".join(kept) + b"\x3b"
