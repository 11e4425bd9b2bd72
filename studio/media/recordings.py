"""Sound files from strangers, before any decoder sees them: what format they are, and WAV headers made whole.

A program that writes into a pipe, or stopped before its end, leaves sizes that say nothing (none, or as many as fit);
long recordings have theirs elsewhere (RF64); some programs pad odd chunks and some do not. Formats: RIFF/WAVE
(Microsoft 1994), RF64 (EBU Tech 3306), and the first bytes of others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from studio.media import webm

_UNFINISHED = 0x7FFF0000
"""Sizes from here on are what programs write while they do not know the size."""
_MAX_CHUNKS = 10_000
_WAV_CODES = frozenset((0x0001, 0x0002, 0x0003, 0x0006, 0x0007, 0x0011, 0x0031, 0x0040, 0xFFFE))
_CAF_CODES = frozenset(("lpcm", "ulaw", "alaw"))
"""Encodings that libsndfile reads; of Apple's lossless one not what every program writes."""
_ENDINGS = {
    "WAV": ".wav", "RF64": ".wav", "FLAC": ".flac", "Ogg": ".ogg", "MP3": ".mp3", "AIFF": ".aiff", "CAF": ".caf",
    "AU": ".au", "W64": ".w64", "M4A / MP4": ".m4a", "WebM / Matroska": ".webm",
}  # fmt: skip
_WEBM = "WebM / Matroska"
READ = frozenset((_WEBM, "WAV", "RF64", "FLAC", "Ogg", "MP3", "AIFF", "CAF", "AU", "W64"))
_W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_STARTS = (
    (b"fLaC", "FLAC"), (b"ID3", "MP3"), (b"caff", "CAF"), (b".snd", "AU"), (_W64, "W64"),
    (b"\x1a\x45\xdf\xa3", "WebM / Matroska"), (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"), (b"#!AMR", "AMR"),
    (b"MThd", "MIDI"), (b"MAC ", "Monkey's Audio"), (b"wvpk", "WavPack"), (b"DSD ", "DSF"), (b"FRM8", "DSDIFF"),
    (b"ADIF", "AAC"), (b"\x0b\x77", "AC-3"), (b"TTA1", "TTA"), (b"MPCK", "Musepack"), (b"MP+", "Musepack"),
    (b".RMF", "RealAudio"), (b"FLV\x01", "Flash video"),
    (b"%PDF", "PDF"), (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"PK\x03\x04", "ZIP"),
)  # fmt: skip
_OGG = ((b"\x7fFLAC", "Ogg FLAC"), (b"Speex", "Ogg Speex"), (b"\x80theora", "Ogg Theora"))
_INSIDE = {
    (b"RIFF", b"WAVE"): "WAV", (b"RIFX", b"WAVE"): "WAV", (b"RF64", b"WAVE"): "RF64", (b"BW64", b"WAVE"): "RF64",
    (b"FORM", b"AIFF"): "AIFF", (b"FORM", b"AIFC"): "AIFF", (b"RIFF", b"AVI "): "AVI", (b"RIFF", b"WEBP"): "WebP",
    (b"RIFF", b"RMID"): "MIDI", (b"FORM", b"8SVX"): "8SVX",
}  # fmt: skip


def kind(data: bytes) -> str:
    """What format a file begins like, by the name that people know; empty for none that is known."""
    if inside := _INSIDE.get((bytes(data[:4]), bytes(data[8:12]))):
        return inside
    if data[4:8] == b"ftyp":
        return "AVIF" if data[8:12] in (b"avif", b"avis") else "HEIC" if data[8:11] == b"hei" else "M4A / MP4"
    if data.startswith(b"OggS"):
        return next((name for start, name in _OGG if data.startswith(start, 28)), "Ogg")
    if start := next((name for start, name in _STARTS if data.startswith(start)), ""):
        return start
    if data[:1] == b"\xff" and data[1:2] >= b"\xe0":
        return "MP3" if data[1] & 0b110 else "AAC"  # without a layer it is no MPEG audio of the old kind
    return ""


def unread(data: bytes) -> str:
    """The format with how its sound is encoded, where no decoder here knows that; empty otherwise."""
    name = kind(data)
    if name == "CAF":
        code = bytes(data[28:32]).decode("latin-1").strip()
        return f"{name} ({code})" if code not in _CAF_CODES else ""
    if name in ("WAV", "RF64"):
        form = next((body for chunk, _, body in _chunks(data) if chunk == b"fmt "), b"\0\0")
        code = int.from_bytes(bytes(form[:2]), "little")
        return f"{name} (0x{code:04x})" if code and code not in _WAV_CODES else ""
    return name if name == _WEBM and webm.as_ogg(data) is None else ""


def ending(data: bytes) -> str:
    """The suffix that a file with these bytes should have; empty where they are no sound."""
    return _ENDINGS.get(kind(data), "")


def whole(data: bytes) -> bytes | None:
    """The file as libsndfile reads it: a WAV file with true sizes; None where one has no sound, or less than it says.

    Opus comes out of WebM into Ogg. Other formats stay as they are.
    """
    name = kind(data)
    if name == _WEBM:
        return webm.as_ogg(data)
    if name not in ("WAV", "RF64") or data[:4] == b"RIFX":
        return data
    kept: dict[bytes, memoryview] = {}
    large = None
    for chunk, size, body in _chunks(data):
        if chunk == b"ds64" and len(body) >= 16:
            large = struct.unpack("<Q", body[8:16])[0]
        if chunk in (b"fmt ", b"fact"):
            kept.setdefault(chunk, body)
        if chunk == b"data":
            if size > len(body) and size < _UNFINISHED:
                return None
            if large is not None and size >= _UNFINISHED and large > len(body):
                return None
            kept[chunk] = body[: large if large is not None and size >= _UNFINISHED else None]
            break
    if b"fmt " not in kept or len(kept[b"fmt "]) < 16 or b"data" not in kept:
        return None
    block = struct.unpack("<H", kept[b"fmt "][12:14])[0] or 1
    body = kept[b"data"]
    kept[b"data"] = body[: len(body) - len(body) % block]
    parts = [name + struct.pack("<I", len(body)) + bytes(body) + b"\0" * (len(body) % 2) for name, body in kept.items()]
    return b"RIFF" + struct.pack("<I", 4 + sum(map(len, parts))) + b"WAVE" + b"".join(parts)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, memoryview]]:
    """Name, size as it is told, and body of each chunk. One that holds the sound and tells no size has all the rest."""
    view, at = memoryview(data), 12
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(data):
            return
        name, size = bytes(view[at : at + 4]), int.from_bytes(view[at + 4 : at + 8], "little")
        unknown = name == b"data" and (size >= _UNFINISHED or (not size and not _name(view[at + 8 : at + 12])))
        yield name, size, view[at + 8 :] if unknown else view[at + 8 : at + 8 + size]
        at += 8 + size
        if size % 2 and not (_name(view[at : at + 4]) and not _name(view[at + 1 : at + 5])):
            at += 1


def _name(found: memoryview) -> bool:
    """Whether four bytes could be the name of a chunk."""
    return len(found) == 4 and all(32 <= byte < 127 for byte in found)
