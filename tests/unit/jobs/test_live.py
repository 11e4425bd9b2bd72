"""Sound that is heard while it is made: nothing is lost between who makes it and who listens."""

from __future__ import annotations

import io
import threading
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.jobs.audio_stream import Live
from studio.jobs.job import Job
from studio.requests import MusicRequest
from studio.service import Studio


@given(st.lists(st.integers(0, 50), max_size=8), st.sampled_from([1, 2]))
def test_what_is_read_piece_by_piece_is_what_was_added(sizes: list[int], channels: int) -> None:
    live, read = Live(8000, channels), b""
    whole = np.random.default_rng(1).uniform(-1, 1, (channels, sum(sizes))).astype(np.float32)
    for part in np.split(whole, np.cumsum(sizes)[:-1] if sizes else [], axis=1):
        live.add(part)
        read += live.read(len(read))
    samples = np.frombuffer(read, "<i2").reshape(-1, channels).T / 32767
    assert samples.shape == whole.shape
    assert np.abs(samples - whole).max(initial=0) < 1e-4


def test_it_is_a_wav_file_and_what_is_too_loud_is_cut() -> None:
    live = Live(32_000, 2)
    live.add(np.array([[2.0, -3.0, np.nan], [0.5, 0.5, 0.5]], np.float32))
    with wave.open(io.BytesIO(live.head() + live.read(0))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (32_000, 2, 2)
        frames = np.frombuffer(file.readframes(3), "<i2").reshape(-1, 2)
    assert frames[:, 0].tolist() == [32767, -32767, 0]


def test_a_job_sounds_until_it_is_over_and_listeners_keep_the_rest() -> None:
    job = Job("music", "a tune")
    assert not job.snapshot().live
    job.move("running")
    job.add_sound(np.zeros((1, 10), np.float32), 8000)
    assert job.snapshot().live
    listener = job.live
    assert listener is not None
    job.add_sound(np.zeros((1, 5), np.float32), 8000)
    job.finish("done")
    assert job.live is None
    assert not job.snapshot().live
    assert listener.ended
    assert len(listener.read(0)) == 30


@pytest.mark.parametrize("previews", [True, False])
def test_only_who_asks_for_it_gets_sound_early(studio: Studio, previews: bool) -> None:
    heard = threading.Event()
    job = studio.submit(MusicRequest(prompt="a tune", duration=1.0), previews=previews)
    for update in job.events():
        if update.live:
            heard.set()
    assert heard.is_set() is previews
