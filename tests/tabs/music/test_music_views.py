"""What the eye sees of a piece is what the ear hears, at the same place."""

from __future__ import annotations

import io
import re

import mido
import numpy as np
import pytest
from PIL import Image

from studio.results import Audio
from tabs.music import take_views

RATE = 32_000


def tone(hertz: float, seconds: float = 2.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)[None]


def half_silent() -> Audio:
    return Audio(np.concatenate([np.zeros((1, RATE), np.float32), tone(440, 1)], axis=1), RATE)


def test_the_waveform_is_flat_where_nothing_sounds() -> None:
    points = re.findall(r"([\d.]+),([\d.]+)", take_views.wave(half_silent()))
    upper = [float(y) for _, y in points[: take_views.COLUMNS]]
    middle = take_views.COLUMNS // 2
    assert len(points) == 2 * take_views.COLUMNS
    assert {round(y) for y in upper[: middle - 1]} == {48}
    assert max(upper[middle + 1 :]) < 30


@pytest.mark.parametrize("hertz", [110.0, 880.0, 5000.0])
def test_the_spectrum_is_brightest_at_its_tone_and_rises_with_it(hertz: float) -> None:
    picture = np.asarray(Image.open(io.BytesIO(take_views.spectrum(Audio(tone(hertz), RATE)))))
    row = picture.mean(axis=1).argmax()
    octaves = np.log2(hertz / 36) / np.log2(11_000 / 36)
    assert row == pytest.approx((1 - octaves) * len(picture), abs=4)


def test_notes_stand_where_they_sound() -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    lead = [mido.Message("note_on", note=60, velocity=90), mido.Message("note_off", note=60, time=480)]
    lead += [mido.Message("note_on", note=72, velocity=90, time=480), mido.Message("note_off", note=72, time=960)]
    drums = [mido.Message("note_on", channel=9, note=38, velocity=90), mido.Message("note_off", channel=9, note=38)]
    file.tracks += [mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])]
    file.tracks += [mido.MidiTrack(lead), mido.MidiTrack(drums)]
    out = io.BytesIO()
    file.save(file=out)
    shapes = re.findall(r'a-voice-(\d)" x="([\d.]+)" y="(\d+)" width="([\d.]+)"', take_views.roll(out.getvalue(), 4.0))
    assert shapes == [("0", "0.0", "24", "125.0"), ("0", "250.0", "12", "250.0")]


@pytest.mark.parametrize("samples", [np.zeros((1, 0), np.float32), np.zeros((2, 3), np.float32)])
def test_the_very_short_and_the_silent_have_views_too(samples: np.ndarray) -> None:
    audio = Audio(samples, RATE)
    assert "<polygon" in take_views.wave(audio)
    assert Image.open(io.BytesIO(take_views.spectrum(audio))).size[0] == take_views.COLUMNS
