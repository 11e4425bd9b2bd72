"""Sound from strangers is decoded safely, and ours carries its recipe in ways that others can read."""

from __future__ import annotations

import io
import json
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import soundfile
import tinytag
from hypothesis import given
from hypothesis import strategies as st
from made import recipe_of

from studio.errors import StudioError
from studio.media import audio, id3
from studio.media.audio import decode_audio
from studio.recipes import recipe
from studio.recipes.embed_audio import encode_flac, encode_mp3, encode_wav
from studio.results import Audio

MADE = recipe_of("music", {"duration": 8.0}, played={"tempo": 112.0, "key": "F♯ minor", "metre": "3/4", "bars": 16})


def riff(data: bytes) -> dict[bytes, bytes]:
    """Chunks of a RIFF file, by hand from the specification."""
    assert data[:4] == b"RIFF"
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    found, at = {}, 12
    while at < len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        found[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def tone(peak: float = 0.5, channels: int = 2) -> Audio:
    wave = np.sin(np.linspace(0, 200, 1001, dtype=np.float32)) * peak
    return Audio(np.stack([wave] * channels), 32_000)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_is_plain_pcm_that_any_reader_understands(channels: int) -> None:
    chunks = riff(encode_wav(tone(channels=channels), MADE))
    head = struct.unpack("<HHIIHH", chunks[b"fmt "])
    assert head == (1, channels, 32_000, 32_000 * 2 * channels, 2 * channels, 16)
    samples = np.frombuffer(chunks[b"data"], "<i2").reshape(-1, channels)
    assert np.abs(samples / 32767 - tone(channels=channels).samples.T).max() < 1 / 32767


def test_a_wav_carries_its_recipe_and_licence() -> None:
    info = riff(encode_wav(tone(), MADE))[b"LIST"]
    tags, at = {}, 4
    assert info[:4] == b"INFO"
    while at < len(info):
        size = struct.unpack("<I", info[at + 4 : at + 8])[0]
        tags[info[at : at + 4]] = info[at + 8 : at + 8 + size].rstrip(b"\0").decode()
        at += 8 + size + size % 2
    assert json.loads(tags[b"ICMT"]) == MADE
    assert tags[b"INAM"] == MADE["parameters"]["prompt"]
    assert (tags[b"ICOP"], tags[b"ICRD"]) == ("Model, the: MIT", "2026-01-31")
    assert tags[b"ISFT"].startswith("Atelier ")


def test_a_flac_holds_the_same_samples_and_tags() -> None:
    data = encode_flac(tone(), MADE)
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert json.loads(file.comment) == MADE
        assert (file.date, file.license) == ("2026-01-31", "Model, the: MIT")
        assert np.array_equal(file.read(dtype="int16"), audio.pcm16(tone()))


def test_the_level_stays_unless_it_would_clip() -> None:
    assert np.abs(audio.pcm16(tone(0.01))).max() == round(
        0.01 * np.abs(np.sin(np.linspace(0, 200, 1001))).max() * 32767
    )
    loud = audio.pcm16(tone(4.0))
    assert np.abs(loud).max() == 32767
    assert np.count_nonzero(np.abs(loud) == 32767) < 20, "turned down, not cut off"


def test_samples_that_are_not_numbers_become_silence() -> None:
    samples = np.array([[0.5, np.nan, np.inf, -np.inf, -0.5]], np.float32)
    assert audio.pcm16(Audio(samples, 8_000)).ravel().tolist() == [16384, 0, 0, 0, -16384]


def test_a_piece_without_samples_is_still_a_file() -> None:
    assert riff(encode_wav(Audio(np.zeros((2, 0), np.float32), 8_000)))[b"data"] == b""


@pytest.mark.parametrize("encode", [encode_wav, encode_flac])
def test_sound_comes_back_as_it_was(encode: Any) -> None:
    back = decode_audio(encode(tone(), MADE))
    assert (back.rate, back.samples.shape, back.samples.dtype) == (32_000, (2, 1001), np.float32)
    assert np.abs(back.samples - tone().samples).max() < 1e-4


def wav(samples: np.ndarray, subtype: str = "FLOAT", rate: int = 32_000) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="WAV", subtype=subtype)
    return out.getvalue()


def many_channels() -> bytes:
    """A header that tells of 50,000 channels."""
    whole = bytearray(encode_wav(tone()))
    whole[22:24] = struct.pack("<H", 50_000)
    return bytes(whole)


HOSTILE = {
    "nothing": b"",
    "text": b"text",
    "text with a sound's name": b"RIFF\0\0\0\0WAVE" + b"la la la " * 100,
    "a picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    "a head alone": b"RIFF\0\0\0\0WAVE",
    "an empty flac": b"fLaC" + b"\0" * 50,
    "a wav cut short": encode_wav(tone())[:-1000],
    "a flac cut short": encode_flac(tone())[:-200],
    "no samples": wav(np.zeros((0, 2), np.float32)),
    "not a number": wav(np.array([[0.5], [np.nan], [0.1]], np.float32)),
    "infinite": wav(np.array([[0.5], [np.inf], [0.1]], np.float32)),
    "50,000 channels": many_channels(),
    "nine channels": wav(np.zeros((100, 9), np.float32)),
    "a rate of 1": wav(np.zeros((100, 1), np.float32), rate=1),
    "an mp3 head": b"ID3\x04\0\0\x7f\x7f\x7f\x7f",
    "frames of nothing": b"\xff\xfb\x90\x64" + b"\0" * 30,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_sound_that_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(StudioError) as caught:
        decode_audio(data)
    assert caught.value.code == ("audio_format" if data[1:4] == b"PNG" else "bad_audio")


@given(st.binary(max_size=300), st.sampled_from([b"", b"ID3", b"fLaC", b"OggS", b"\xff\xfb", b"RIFF\0\0\0\0WAVEfmt "]))
def test_no_bytes_do_anything_but_be_refused(data: bytes, begin: bytes) -> None:
    with suppress(StudioError):  # anything else fails the test
        assert np.isfinite(decode_audio(begin + data).samples).all()


def test_sound_that_is_too_long_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(StudioError):
        decode_audio(encode_wav(tone()), max_samples=2001)


@pytest.mark.parametrize("kind", ["OGG", "MP3"])
def test_what_others_record_is_read(kind: str) -> None:
    out = io.BytesIO()
    soundfile.write(out, tone().samples.T.repeat(20, axis=0), 32_000, format=kind)
    back = decode_audio(out.getvalue())
    assert (back.rate, back.samples.shape[0]) == (32_000, 2)


ENCODERS = {"wav": encode_wav, "flac": encode_flac, "mp3": encode_mp3}


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_independent_reader_finds_the_tags(kind: str) -> None:
    data = ENCODERS[kind](Audio(tone().samples.repeat(40, axis=1), 32_000), MADE)
    tag = tinytag.TinyTag.get(f"a.{kind}", file_obj=io.BytesIO(data))
    assert tag.title == MADE["parameters"]["prompt"]
    assert tag.duration == pytest.approx(40 * 1001 / 32_000, abs=0.1)
    assert json.loads(str(tag.comment)) == MADE
    assert recipe.read_recipe(data) == recipe.from_json(recipe.to_json(MADE))
    said = json.dumps(tag.as_dict(), ensure_ascii=False)
    assert "Model, the: MIT" in said
    assert "2026-01-31" in said


@pytest.mark.parametrize(
    ("version", "frame"),
    [
        (2, b"COM\0\0\x0a\0eng\0hello"),
        (3, b"COMM\0\0\0\x0d\0\0\x01eng\xff\xfe\0\0\xff\xfeh\0"),
        (4, b"COMM\0\0\0\x0a\0\0\x03eng\0hello"),
    ],
)
def test_comments_of_older_tags_are_read(version: int, frame: bytes) -> None:
    head = b"ID3" + bytes([version, 0, 0, 0, 0, 0, len(frame)])
    assert id3.comments(head + frame)["comment"] in ("hello", "h")


@given(st.binary(max_size=200))
def test_broken_tags_tell_nothing_and_raise_nothing(data: bytes) -> None:
    for version in (2, 3, 4):
        assert isinstance(id3.comments(b"ID3" + bytes([version]) + data), dict)
