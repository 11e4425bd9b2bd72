"""A stored piece in other formats, from its file and its recipe alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.errors import StudioError
from studio.library import music_export
from studio.media.audio import decode_audio
from studio.recipes import recipe
from studio.recipes.embed_audio import encode_wav
from studio.results import Audio

PLAYED = {"kind": "reel", "key": "G major", "metre": "4/4", "tempo": 100.0, "bars": 1, "melody": "part bar1 d96 n0"}
MADE: dict[str, Any] = {
    "format": "atelier/1", "task": "music", "model": {"id": "composer", "title": "Composer", "licence": "Apache-2.0"},
    "parameters": {"prompt": "a reel"}, "seed": 7, "made": "2026-01-31T12:00:00+00:00", "played": PLAYED,
}  # fmt: skip


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    file = tmp_path / "piece.wav"
    tone = 0.3 * np.sin(np.arange(32_000, dtype=np.float32) / 20)
    file.write_bytes(encode_wav(Audio(np.stack([tone, tone]), 32_000), MADE))
    file.with_suffix(".mid").write_bytes(b"MThd")
    return file


def test_formats_of_notes_are_offered_where_there_are_notes() -> None:
    assert music_export.formats(MADE) == (".wav", ".flac", ".mp3", ".mid", ".abc")
    for played in ({}, {"tempo": 90.0}, {**PLAYED, "melody": "part bar1 d96"}):
        assert music_export.formats({**MADE, "played": played}) == (".wav", ".flac", ".mp3")


def test_the_stored_file_itself_is_the_wav(piece: Path) -> None:
    assert music_export.music(piece, MADE, ".wav") == piece.read_bytes()
    assert music_export.music(piece, MADE, ".mid") == b"MThd"


@pytest.mark.parametrize("suffix", [".flac", ".mp3"])
def test_sound_keeps_its_recipe(piece: Path, suffix: str) -> None:
    data = music_export.music(piece, MADE, suffix)
    assert recipe.read_recipe(data) == recipe.read_recipe(piece.read_bytes())
    assert decode_audio(data).samples.shape[0] == 2


def test_abc_needs_the_recipe_alone(tmp_path: Path) -> None:
    text = music_export.music(tmp_path / "gone.wav", MADE, ".abc").decode()
    assert "K:G" in text
    assert '"G"G8' in text


def test_what_is_not_there_is_said(piece: Path, tmp_path: Path) -> None:
    def code(file: Path, made: dict[str, Any], suffix: str) -> str:
        with pytest.raises(StudioError) as caught:
            music_export.music(file, made, suffix)
        return caught.value.code

    without = {**MADE, "played": {}}
    assert code(piece, without, ".abc") == "no_notes"
    assert code(tmp_path / "other.wav", without, ".mid") == "no_notes"
    assert code(tmp_path / "other.wav", MADE, ".wav") == "file_not_found"
    piece.write_bytes(b"RIFF....WAVE nothing")
    assert code(piece, MADE, ".mp3") == "bad_audio"
