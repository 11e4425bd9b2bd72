"""What we write as sound is heard as it was: every encoder, decoded by another program, channel for channel."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from made import recipe_of
from witnesses import heard, program

from studio.jobs.audio_stream import Live
from studio.recipes.embed_audio import encode_flac, encode_mp3, encode_wav
from studio.results import Audio


def streamed(audio: Audio) -> bytes:
    live = Live(audio.rate, audio.samples.shape[0])
    for part in np.array_split(audio.samples, 7, axis=1):
        live.add(part)
    return live.head() + live.read(0)


ENCODERS: dict[str, Callable[[Audio], bytes]] = {
    "wav": encode_wav, "flac": encode_flac, "mp3": encode_mp3, "wav while it is made": streamed,
}  # fmt: skip


def music(channels: int, rate: int, seconds: float = 2.0) -> Audio:
    """Chords that differ from channel to channel, with a beginning and an end, as loud as our pieces are."""
    time = np.arange(round(seconds * rate)) / rate
    chance = np.random.default_rng(channels * rate)
    voices = []
    for channel in range(channels):
        pitches = 220 * 2 ** (np.array([0, 4, 7, 10]) / 12 + channel * 5 / 12)
        tone = sum(
            np.sin(2 * np.pi * pitch * time + chance.uniform(0, 6)) / place for place, pitch in enumerate(pitches, 1)
        )
        voices.append(tone * np.exp(-1.5 * (time % 0.5)) * np.minimum(1, (seconds - time) * 20))
    samples = np.stack(voices)
    return Audio((samples / np.abs(samples).max() * 0.89).astype(np.float32), rate)


def same(before: np.ndarray, after: np.ndarray) -> list[float]:
    length = min(before.shape[1], after.shape[1])
    return [float(np.corrcoef(a[:length], b[:length])[0, 1]) for a, b in zip(before, after, strict=True)]


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16_000, 32_000, 44_100, 48_000])
def test_another_decoder_hears_what_was_written(kind: str, channels: int, rate: int) -> None:
    audio = music(channels, rate)
    back = heard(ENCODERS[kind](audio), channels, rate)
    assert min(same(audio.samples, back)) > 0.99
    assert back.shape[1] == pytest.approx(audio.samples.shape[1], abs=0.05 * rate if kind == "mp3" else 0)
    meter = pyloudnorm.Meter(rate)
    level, before = meter.integrated_loudness(back.T), meter.integrated_loudness(audio.samples.T)
    assert level == pytest.approx(before, abs=0.3)
    assert np.abs(back).max() == pytest.approx(0.89, abs=0.06 if kind == "mp3" else 0.001)


@pytest.mark.parametrize(("rate", "becomes"), [(11_000, 11_025), (37_800, 44_100), (96_000, 48_000), (6_000, 8_000)])
def test_a_rate_that_mp3_does_not_know_becomes_one_that_it_knows(rate: int, becomes: int) -> None:
    audio = music(2, rate)
    back = heard(encode_mp3(audio), 2, becomes)
    assert back.shape[1] == pytest.approx(2 * becomes, abs=0.06 * becomes)
    assert np.sqrt((back**2).mean()) == pytest.approx(np.sqrt((audio.samples**2).mean()), rel=0.1)
    spectra = (np.abs(np.fft.rfft(one[0][:hz])).argmax() for one, hz in ((back, becomes), (audio.samples, rate)))
    assert next(spectra) == pytest.approx(next(spectra), abs=2), "a pitch is a pitch"


def test_more_channels_than_mp3_has_are_heard_in_both_ears() -> None:
    back = heard(encode_mp3(music(6, 44_100)), 2, 44_100)
    assert np.abs(back[0]).max() > 0.1
    assert np.allclose(back[0], back[1], atol=0.02)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("frames", [1, 3, 1000])
def test_a_moment_of_sound_is_a_file_too(kind: str, frames: int) -> None:
    data = ENCODERS[kind](Audio(np.full((2, frames), 0.1, np.float32), 44_100))
    assert heard(data, 2, 44_100).shape[1] >= (frames if kind != "mp3" else 0)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_exiftool_finds_nothing_to_object_to(kind: str, tmp_path: Path) -> None:
    made = recipe_of("music", {"prompt": "jazz waltz"}, played={"tempo": 112.0, "key": "F♯ minor", "metre": "3/4"})
    encode = {"wav": encode_wav, "flac": encode_flac, "mp3": encode_mp3}[kind]
    (tmp_path / f"a.{kind}").write_bytes(encode(music(2, 44_100), made))
    command = [program("exiftool"), "-json", str(tmp_path / f"a.{kind}")]
    (told,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (told.get("Warning"), told.get("Error"), told["Title"]) == (None, None, "jazz waltz")
    assert float(told.get("BeatsPerMinute") or told.get("Bpm") or told["Tempo"]) == 112
