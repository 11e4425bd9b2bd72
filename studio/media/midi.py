"""A text inside a Standard MIDI File (MIDI 1.0, RP-001), put in and read without touching a note.

It is the first event of the first track: a text (FF 01) at time zero, which players pass over.
"""

from __future__ import annotations

import struct

HEAD = b"MThd"
_TRACK, _META, _TEXT = b"MTrk", 0xFF, 0x01
_MOST_EVENTS = 64
MAX_TEXT = 4_000_000


def put_text(data: bytes, text: str, behind: str = "") -> bytes:
    """The file with a text in the place of the one that it begins with, if any; as it was where it is no MIDI file.

    Args:
        behind: a second text, right after it.
    """
    at = _first_track(data)
    if at < 0:
        return data
    (length,) = struct.unpack_from(">I", data, at + 4)
    begin, end = at + 8, min(at + 8 + length, len(data))
    body = data[begin:end]
    old = _event(body, 0)
    if old is not None and old[0] == _TEXT:
        body = body[old[2] :]
    encoded = [one.encode("utf-8") for one in (text, behind) if one or one is text]
    body = b"".join(bytes((0, _META, _TEXT)) + _quantity(len(one)) + one for one in encoded) + body
    return data[:at] + _TRACK + struct.pack(">I", len(body)) + body + data[end:]


def text(data: bytes) -> str:
    """The first text at the beginning of the first track; "" where there is none. Never raises, on any bytes."""
    return next(iter(texts(data)), "")


def texts(data: bytes) -> list[str]:
    """The texts at the beginning of the first track, in order. Never raises, on any bytes."""
    at = _first_track(data)
    if at < 0:
        return []
    place, body, texts = 0, data[at + 8 :], list[str]()
    for _ in range(_MOST_EVENTS):
        event = _event(body, place)
        if event is None:
            break
        kind, found, place = event
        if kind == _TEXT:
            texts.append(found.decode("utf-8", "replace") if len(found) <= MAX_TEXT else "")
    return texts


def _first_track(data: bytes) -> int:
    """Where the first track chunk begins; -1 where there is none."""
    if data[:4] != HEAD or len(data) < 14:
        return -1
    at = 8 + struct.unpack_from(">I", data, 4)[0]
    return at if data[at : at + 4] == _TRACK and len(data) >= at + 8 else -1


def _event(body: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Kind, content and end of a meta event at time zero that begins at `at`; None where there is another event."""
    if body[at : at + 2] != bytes((0, _META)) or len(body) < at + 4:
        return None
    length, place = 0, at + 3
    for _ in range(4):
        if place >= len(body):
            return None
        byte = body[place]
        length, place = length << 7 | byte & 0x7F, place + 1
        if byte < 0x80:
            break
    return (body[at + 2], body[place : place + length], place + length) if place + length <= len(body) else None


def _quantity(number: int) -> bytes:
    """A number of up to 28 bits, seven in a byte, the last without its highest bit."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))
