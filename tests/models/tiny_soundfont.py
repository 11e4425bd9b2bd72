"""A SoundFont of one instrument, a short plucked tone, so that tests need no download to hear notes."""

from __future__ import annotations

import struct

import numpy as np

RATE = 22_050
_ROOT = 69


def soundfont() -> bytes:
    """A whole SF2 file: one preset, one instrument, one looped sample of 440 Hz."""
    period = 50  # 441 Hz
    wave = np.sin(2 * np.pi * np.arange(20 * period) / period) + 0.3 * np.sin(
        4 * np.pi * np.arange(20 * period) / period
    )
    samples = (wave * 12_000).astype("<i2").tobytes() + bytes(46 * 2)
    info = _chunk(b"ifil", struct.pack("<HH", 2, 1)) + _chunk(b"isng", b"EMU8000\0") + _chunk(b"INAM", b"Tiny\0\0")
    loop = (10 * period, 19 * period)
    header = struct.pack("<20sIIIIIBbHH", b"tone", 0, 20 * period, *loop, RATE, _ROOT, 0, 0, 1)
    lists = {
        b"phdr": struct.pack("<20sHHHIII", b"Tone", 0, 0, 0, 0, 0, 0)
        + struct.pack("<20sHHHIII", b"EOP", 0, 0, 1, 0, 0, 0),
        b"pbag": struct.pack("<HHHH", 0, 0, 1, 0),
        b"pmod": bytes(10),
        b"pgen": struct.pack("<HHHH", 41, 0, 0, 0),  # generator 41: the instrument
        b"inst": struct.pack("<20sH", b"Tone", 0) + struct.pack("<20sH", b"EOI", 1),
        b"ibag": struct.pack("<HHHH", 0, 0, 3, 0),
        b"imod": bytes(10),
        # 54: loop, 38: release of about a tenth of a second, 53: the sample
        b"igen": struct.pack("<HHHhHHHH", 54, 1, 38, -4000, 53, 0, 0, 0),
        b"shdr": header + struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    body = _list(b"INFO", info) + _list(b"sdta", _chunk(b"smpl", samples))
    body += _list(b"pdta", b"".join(_chunk(name, data) for name, data in lists.items()))
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"sfbk" + body


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(name: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", name + data)
