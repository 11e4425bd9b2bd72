"""Sound as other programs record it: made by ffmpeg and by hand, read with the same samples, or named and refused."""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from witnesses import recorded

from studio.errors import StudioError
from studio.media import recordings
from studio.media.audio import decode_audio, measure
from studio.results import Audio

RATE = 48_000
TONES = np.stack([0.5 * np.sin(np.arange(24_000) / 20), 0.4 * np.sin(np.arange(24_000) / 13)]).astype(np.float32)

READ = {
    "a.wav": (), "b.wav": ("-c:a", "pcm_u8"), "c.wav": ("-c:a", "pcm_s24le"), "d.wav": ("-c:a", "pcm_f32le"),
    "e.wav": ("-c:a", "pcm_f64le"), "f.wav": ("-c:a", "pcm_alaw"), "g.wav": ("-c:a", "pcm_mulaw"),
    "h.wav": ("-c:a", "pcm_s32le"), "i.wav": ("-c:a", "adpcm_ima_wav"), "j.wav": ("-rf64", "always"),
    "k.w64": (), "l.aiff": (), "m.aiff": ("-c:a", "pcm_s24be"), "n.aifc": ("-f", "aiff", "-c:a", "pcm_s16le"),
    "o.flac": (), "p.ogg": ("-c:a", "libvorbis", "-q:a", "8"), "q.opus": ("-b:a", "192k"),
    "s.mp3": ("-b:a", "256k"), "t.caf": ("-c:a", "pcm_s16le"), "v.au": (),
    "w.wav": ("-write_bext", "1", "-metadata", "description=odd", "-metadata", "comment=odd"),
    "y.webm": ("-b:a", "256k"), "z.mka": ("-c:a", "libopus", "-b:a", "256k", "-frame_duration", "60"),
    "live.webm": ("-b:a", "256k", "-live", "1", "-cluster_time_limit", "100"), "mono.webm": ("-b:a", "96k"),
    "x.mp3": ("-b:a", "256k", "-write_xing", "0", "-id3v2_version", "0"),
}  # fmt: skip
REFUSED = {
    "a.m4a": "M4A / MP4", "b.webm": "WebM / Matroska", "c.mka": "WebM / Matroska", "d.aac": "AAC", "e.wma": "WMA",
    "f.mp4": "M4A / MP4", "g.wv": "WavPack", "h.tta": "TTA", "i.ac3": "AC-3", "j.avi": "AVI",
    "k.oga": "Ogg FLAC", "l.caf": "CAF (alac)", "m.wav": "WAV (0x0160)", "n.ogg": "Ogg Speex",
}  # fmt: skip
OPTIONS = {
    "b.webm": ("-c:a", "libvorbis"), "l.caf": ("-c:a", "alac"), "m.wav": ("-c:a", "wmav1"),
    "n.ogg": ("-c:a", "libspeex", "-ar", "32000"),
}  # fmt: skip


def like(audio: Audio, before: np.ndarray) -> float:
    """How alike they are, wherever the beginning lies: encoders put a little silence before it."""
    length = min(len(audio.samples[0]), before.shape[1])
    ratios = []
    for channel, wanted in enumerate(before):
        spectra = (np.fft.rfft(one[:length], 2 * length) for one in (audio.samples[channel], wanted))
        a, b = spectra
        met = np.fft.irfft(a * np.conj(b)).max()
        ratios.append(met / np.sqrt((audio.samples[channel][:length] ** 2).sum() * (wanted[:length] ** 2).sum()))
    return float(min(ratios))


@pytest.mark.parametrize("name", READ)
def test_what_other_programs_write_is_read_with_its_samples(name: str, tmp_path: Path) -> None:
    data = recorded(tmp_path / name, TONES, RATE, *READ[name])
    audio = decode_audio(data)
    assert audio.rate == RATE
    assert audio.samples.shape[0] == 2
    assert audio.samples.shape[1] == pytest.approx(TONES.shape[1], abs=2_600)
    assert like(audio, TONES) > 0.97
    assert measure(data) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_named_with_what_to_do(name: str, tmp_path: Path) -> None:
    data = recorded(tmp_path / name, TONES, RATE, *OPTIONS.get(name, ()))
    for read in (decode_audio, measure):
        with pytest.raises(StudioError) as caught:
            read(data)
        assert caught.value.code == "audio_format"
        assert REFUSED[name] in caught.value.what()


def wav(sizes: tuple[int, int], before: bytes = b"", after: bytes = b"", kind: bytes = b"RIFF") -> bytes:
    """A WAV file of TONES in 16 bits that tells these sizes of itself and of its sound."""
    frames = np.rint(TONES.T * 32767).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 2, RATE, RATE * 4, 4, 16)
    head = kind + struct.pack("<I", sizes[0]) + b"WAVE" + before + b"fmt " + struct.pack("<I", 16) + form
    return head + b"data" + struct.pack("<I", sizes[1]) + frames + after


MOST, BYTES = 0xFFFFFFFF, TONES.size * 2
DS64 = b"ds64" + struct.pack("<IQQQI", 28, BYTES + 72, BYTES, TONES.shape[1], 0)
UNFINISHED = {
    "into a pipe": wav((MOST, MOST)), "sizes of nothing": wav((0, 0)), "as sox has it": wav((0x7FFFF024, 0x7FFFF000)),
    "half told": wav((0, BYTES)), "its own size is wrong": wav((123, BYTES)), "cut in a frame": wav((MOST, MOST))[:-3],
    "an odd chunk": wav((0, BYTES), before=b"note\3\0\0\0abc\0"),
    "an odd chunk without padding": wav((0, BYTES), before=b"note\3\0\0\0abc"),
    "RF64": wav((MOST, MOST), before=DS64, kind=b"RF64"), "BW64": wav((MOST, MOST), before=DS64, kind=b"BW64"),
    "RF64, and more behind": wav((MOST, MOST), before=DS64, after=b"LIST\4\0\0\0INFO", kind=b"RF64"),
    "something behind": wav((0, BYTES), after=b"LIST\4\0\0\0INFO"), "junk behind": wav((0, BYTES), after=b"\0" * 99),
}  # fmt: skip


@pytest.mark.parametrize("data", UNFINISHED.values(), ids=UNFINISHED)
def test_headers_that_were_left_unfinished_are_made_whole(data: bytes) -> None:
    audio = decode_audio(data)
    frames = TONES.shape[1] - (1 if len(data) % 4 else 0) * (data is UNFINISHED["cut in a frame"])
    assert audio.samples.shape == (2, frames)
    assert np.abs(audio.samples - TONES[:, :frames]).max() < 1e-4


BROKEN = {
    "cut short": wav((0, BYTES))[:-500], "no format": b"RIFF\0\0\0\0WAVEdata\xff\xff\xff\xff" + b"\1" * 100,
    "RF64 cut short": wav((MOST, MOST), before=DS64, kind=b"RF64")[:-500],
    "no sound": wav((0, 0))[:44], "a format of nothing": wav((0, 0)).replace(struct.pack("<HH", 1, 2), b"\0" * 4, 1),
}  # fmt: skip


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_file_without_the_sound_that_it_tells_of_is_refused(data: bytes) -> None:
    with pytest.raises(StudioError) as caught:
        decode_audio(data)
    assert caught.value.code == "bad_audio"


@pytest.mark.parametrize("name", ["a.flac", "b.opus", "c.aiff", "d.mp3", "e.wav", "f.caf"])
def test_limits_hold_for_every_decoder_before_it_decodes(name: str, tmp_path: Path) -> None:
    data = recorded(tmp_path / name, np.zeros((2, 480_000), np.float32), RATE)
    assert measure(data) == pytest.approx(10, abs=0.1)
    with pytest.raises(StudioError):
        decode_audio(data, max_samples=900_000)
    many = (
        recorded(tmp_path / f"many-{name}", np.zeros((8, 480), np.float32), RATE)
        if name in ("a.flac", "e.wav")
        else data
    )
    assert recordings.whole(many) is not None


def test_a_kind_is_told_by_its_first_bytes_and_nothing_raises() -> None:
    assert recordings.kind(b"") == recordings.kind(b"text") == ""
    assert recordings.ending(b"fLaC") == ".flac"
    assert recordings.ending(b"\x89PNG") == ""


@cache
def webm() -> bytes:
    with TemporaryDirectory() as folder:
        return recorded(Path(folder) / "a.webm", TONES[:, :4800], RATE)


@given(st.binary(max_size=300), st.integers(0, 4000), st.integers(0, 255))
def test_a_broken_webm_is_refused_and_raises_nothing_else(noise: bytes, at: int, byte: int) -> None:
    data = bytearray(webm())
    data[at % len(data)] = byte
    for broken in (bytes(data), webm()[:at], webm()[:60] + noise, b"\x1a\x45\xdf\xa3" + noise):
        with suppress(StudioError):  # anything else fails the test
            assert np.isfinite(decode_audio(broken).samples).all()
