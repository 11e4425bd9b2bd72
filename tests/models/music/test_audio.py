"""What the music engines share: seams of loops, loudness, what a length means. No model, no torch."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import card

from studio.engines.music import takes
from studio.errors import StudioError
from studio.requests import MusicRequest
from studio.results import Audio

RATE = 48_000


def tone(seconds: float, hertz: float = 220.3, level: float = 0.1) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE, dtype=np.float32)[None]


def test_a_loop_played_four_times_has_no_click_at_the_seam():
    looped = takes.seamless(tone(2.5), 2 * RATE)
    assert looped.shape == (1, 2 * RATE)
    four = np.tile(looped[0], 4)
    steps = np.abs(np.diff(four))
    assert steps.max() <= 1.5 * np.abs(np.diff(tone(2.5)[0])).max()
    rough = np.tile(tone(2.0)[0], 4)
    assert np.abs(np.diff(rough)).max() > 2 * steps.max()  # without it there is one


def test_the_seam_adds_no_high_frequencies():
    looped = np.tile(takes.seamless(tone(2.5), 2 * RATE)[0], 2)
    seam = looped[2 * RATE - 2048 : 2 * RATE + 2048] * np.hanning(4096)
    inside = looped[RATE - 2048 : RATE + 2048] * np.hanning(4096)
    above = slice(4096 * 2000 // RATE, None)
    energy = [np.abs(np.fft.rfft(part))[above].max() for part in (seam, inside)]
    assert energy[0] <= 10 * energy[1] + 1e-3


@given(st.integers(1, 400), st.integers(0, 400))
def test_a_loop_has_the_frames_that_were_asked_for(frames, more):
    looped = takes.seamless(np.ones((2, frames + more), np.float32), frames)
    assert looped.shape == (2, frames)
    assert np.isfinite(looped).all()


@pytest.mark.parametrize("level", [0.001, 0.1, 1.0])
def test_pieces_come_out_equally_loud_and_never_clipped(level):
    made = takes.piece(card("composer"), tone(3, 997, level), RATE, 3)
    assert pyloudnorm.Meter(RATE).integrated_loudness(made.samples.T) == pytest.approx(-14, abs=0.2)
    assert np.abs(made.samples).max() <= 10 ** (-1 / 20) + 1e-6


def test_peaks_go_before_loudness():
    clicks = np.zeros((1, 3 * RATE), np.float32)
    clicks[0, ::RATE] = 0.5
    assert np.abs(takes.loud(Audio(clicks, RATE)).samples).max() == pytest.approx(10 ** (-1 / 20), rel=1e-4)


@pytest.mark.parametrize("samples", [np.zeros((1, RATE), np.float32), np.full((1, 100), 0.1, np.float32)])
def test_silence_and_the_very_short_stay_as_they_are(samples):
    assert (takes.loud(Audio(samples, RATE)).samples == samples).all()


def test_bars_and_tempo_say_how_long_a_piece_is():
    assert takes.seconds(MusicRequest(prompt="a", duration=8, bars=4, tempo=120)) == 8
    assert takes.seconds(MusicRequest(prompt="a", duration=8, bars=4, tempo=120, metre="6/8")) == 4
    assert takes.seconds(MusicRequest(prompt="a", duration=9, bars=4)) == 9


def test_a_loop_of_the_models_full_length_has_no_room_for_its_seam():
    with pytest.raises(StudioError) as caught:
        takes.overlap(card("composer", limits={"max_duration": 30}), MusicRequest(prompt="a", duration=30, loop=True))
    assert caught.value.code == "out_of_range"
