"""The starter that composes: through the studio, what was asked for is in the files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np
import pyloudnorm
import pytest
from witnesses import heard

from studio.library import music_export
from studio.media.audio import decode_audio
from studio.requests import MusicRequest
from studio.results import Artifact
from studio.service import Studio
from studio.settings import Settings

JIG = "a lively Irish jig in D major, flute and guitar, 16 bars"
D_MAJOR = {2, 4, 6, 7, 9, 11, 1}


@pytest.fixture(scope="module")
def compose(starter_home: Path) -> Iterator[object]:
    with Studio(Settings(home=starter_home, device="cpu", keep_free_gb=0)) as studio:

        def compose(prompt: str, seed: int = 1) -> Artifact:
            *_, last = studio.submit(MusicRequest(prompt=prompt, model="composer", seed=seed)).events()
            assert last.error is None, last.error
            assert last.artifact is not None
            return last.artifact

        yield compose


def notes_of(artifact: Artifact) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(artifact.files[0].with_suffix(".mid").read_bytes()))


def played(artifact: Artifact) -> list[list[mido.Message]]:
    """The notes alone: the recipe in the first track also tells how long it took."""
    return [[message for message in track if not message.is_meta] for track in notes_of(artifact).tracks]


def test_a_jig_has_its_bars_its_key_and_its_players(compose):
    file = notes_of(compose(JIG))
    signature = next(message for message in file.tracks[0] if message.type == "time_signature")
    assert (signature.numerator, signature.denominator) == (6, 8)
    length = max(sum(message.time for message in track) for track in file.tracks) / file.ticks_per_beat
    assert length == 48, "16 bars of three quarters"
    lead = [message.note for message in file.tracks[1] if message.type == "note_on"]
    assert sum(note % 12 in D_MAJOR for note in lead) > 0.9 * len(lead)
    assert lead[-1] % 12 in (2, 6, 9), "it comes home"
    assert len(set(lead)) >= 6, "it is a melody"
    assert len(lead) >= 60
    programs = [message.program for track in file.tracks for message in track if message.type == "program_change"]
    assert programs == [73, 25]


def test_its_sound_is_loud_clear_and_of_the_same_length(compose):
    artifact = compose(JIG)
    heard = decode_audio(artifact.files[0].read_bytes())
    assert notes_of(artifact).length < heard.samples.shape[1] / heard.rate < notes_of(artifact).length + 2
    assert 0.3 < np.abs(heard.samples).max() < 0.95
    loud = np.abs(heard.samples).reshape(2, -1)[:, : heard.rate * 14].max(axis=0).reshape(14, -1).max(axis=1)
    assert (loud > 0.05).all(), "no second is silent"


def test_the_same_seed_is_the_same_piece_and_another_one_another(compose):
    first, again, other = compose(JIG), compose(JIG), compose(JIG, seed=2)
    assert played(first) == played(again)
    decoded = [decode_audio(made.files[0].read_bytes()).samples for made in (first, again)]
    assert (decoded[0] == decoded[1]).all()
    assert played(first) != played(other)


@pytest.mark.parametrize("prompt", [JIG, "lofi hip hop, 8 bars", "orchestral march, 8 bars"])
def test_a_real_piece_is_heard_from_every_file_as_it_was_made(compose, prompt):
    artifact = compose(prompt)
    file, made = artifact.files[0], artifact.recipes[0]
    piece = decode_audio(file.read_bytes())
    meter = pyloudnorm.Meter(piece.rate)
    for suffix in music_export.SOUND:
        back = heard(music_export.music(file, made, suffix), 2, piece.rate)
        length = min(back.shape[1], piece.samples.shape[1])
        for before, after in zip(piece.samples, back, strict=True):
            assert np.corrcoef(before[:length], after[:length])[0, 1] > 0.99, suffix
        assert abs(back.shape[1] - piece.samples.shape[1]) < 0.05 * piece.rate, suffix
        assert meter.integrated_loudness(back.T) == pytest.approx(-14, abs=0.5), suffix
        assert np.abs(back).max() <= 1, suffix
