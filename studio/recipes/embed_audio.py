"""Finished sound files: WAV, FLAC and MP3, each with its recipe in it."""

from __future__ import annotations

import io
import math
import struct
from typing import TYPE_CHECKING, Any

from studio.media import containers
from studio.media.audio import pcm16
from studio.recipes import audio_tags

if TYPE_CHECKING:
    import numpy as np

    from studio.results import Audio

MP3_COMPRESSION = 0.2
"""Of libsndfile's scale from 0 (large, best) to 1: about 190 kbit/s of variable rate in stereo."""
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def encode_wav(audio: Audio, made: dict[str, Any] | None = None, behind: int = 0) -> bytes:
    """A 16-bit WAV file with its recipe in LIST/INFO: ICMT, beside name, software, date and licence.

    What samplers and sequencers ask for is there too: tempo, metre and key (`acid`), of a loop its points (`smpl`).
    Written by hand: libsndfile adds its own name and leaves the licence out.

    Args:
        behind: frames at the end that are not the piece any more, and in no loop.
    """
    frames = pcm16(audio)
    channels = frames.shape[1]
    width = channels * 2
    body = containers.riff_chunk(
        b"fmt ", struct.pack("<HHIIHH", 1, channels, audio.rate, audio.rate * width, width, 16)
    )
    if made is not None:
        body += audio_tags.of_wav(made, audio.rate, len(frames) - behind)
    body += containers.riff_chunk(b"data", frames.tobytes())
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def encode_flac(audio: Audio, made: dict[str, Any] | None = None) -> bytes:
    """A 16-bit FLAC file with its recipe in the comment, beside title, tempo, key, software, date and licence."""
    import soundfile

    frames = pcm16(audio)
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", audio.rate, frames.shape[1], "PCM_16", format="FLAC") as file:
        file.write(frames)
    return out.getvalue() if made is None else audio_tags.of_flac(out.getvalue(), made)


def encode_mp3(audio: Audio, made: dict[str, Any] | None = None) -> bytes:
    """An MP3 file of variable rate with its recipe in the ID3 comment, beside title, tempo, key, date and licence.

    MP3 knows nine rates and two channels: other rates become the next one above (48 kHz at most), and more channels
    are heard in both ears.
    """
    import soundfile

    frames, rate = _for_mp3(audio)
    out = io.BytesIO()
    with soundfile.SoundFile(
        out, "w", rate, frames.shape[1], "MPEG_LAYER_III", format="MP3", bitrate_mode="VARIABLE",
        compression_level=MP3_COMPRESSION,
    ) as file:  # fmt: skip
        file.write(frames)
    return (audio_tags.of_mp3(made) if made is not None else b"") + out.getvalue()


def _for_mp3(audio: Audio) -> tuple[np.ndarray, int]:
    """Samples as float32, shape (frames, channels), with their rate, as libsndfile's encoder takes them.

    Of whole numbers this libsndfile copies half the bytes of a stereo frame and encodes what lay in memory behind them.
    """
    import numpy as np
    from scipy.signal import resample_poly

    samples = np.nan_to_num(np.asarray(audio.samples, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if samples.shape[0] > 2:
        samples = np.repeat(samples.mean(0, keepdims=True), 2, axis=0)
    rate = next((rate for rate in MP3_RATES if rate >= audio.rate), MP3_RATES[-1])
    if rate != audio.rate and samples.size:
        common = math.gcd(rate, audio.rate)
        samples = resample_poly(samples, rate // common, audio.rate // common, axis=1)
    peak = float(np.abs(samples).max(initial=0.0))
    return np.ascontiguousarray((samples / peak if peak > 1.0 else samples).T, dtype=np.float32), rate
