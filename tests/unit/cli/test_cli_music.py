"""Music on the command line: what was played is said, and what cannot be read is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terminals import Run
from witnesses import recorded

from studio.engines.demo.fake import FakeModel
from studio.recipes.embed_audio import encode_flac, encode_mp3, encode_wav
from studio.results import Audio, Output

PLAYED = {"kind": "waltz", "key": "E♭ minor", "metre": "3/4", "tempo": 92.5, "bars": 8, "players": ["flute", "harp"],
          "loop": True, "melody": "part bar1 d72 n0"}  # fmt: skip
MODEL = {"id": "m", "title": "Model", "licence": "MIT"}
SOUND = Audio(np.full((1, 8000), 0.1, np.float32), 8000)


def test_what_was_played_is_said_after_the_file_and_in_the_document(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("music", "a reel", "--duration", 2).err.startswith("2.0 s\n"), "a model of sound knows nothing else"
    compose = FakeModel.run

    def known(model: FakeModel, *given: Any) -> Output:
        output = compose(model, *given)
        return replace(output, audio=tuple(replace(one, played=PLAYED) for one in output.audio))

    monkeypatch.setattr(FakeModel, "run", known)
    assert "E♭ minor · 3/4 · ♩ ≈ 92 · 8 bars · flute, harp · loop · 2.0 s\n" in run("music", "a", "-d", 2).err
    (played,) = run("music", "a", "--duration", 2, "--json").json["played"]
    assert played == {name: value for name, value in PLAYED.items() if name != "melody"} | {"seconds": 2.0}


@pytest.mark.parametrize("encode", [encode_wav, encode_flac, encode_mp3])
def test_info_tells_what_a_piece_turned_out_to_be(run: Run, tmp_path: Path, encode: Any) -> None:
    asked = {"tempo": 0.0, "bars": 0, "sound_keep": 0.0, "sound_use": "continue", "key": "Eb minor"}
    made = {"format": "atelier/1", "task": "music", "model": MODEL, "parameters": {"prompt": "a waltz", **asked},
            "seed": 7, "made": "2026-01-31T12:00:00+00:00", "played": PLAYED}  # fmt: skip
    file = tmp_path / "piece"
    file.write_bytes(encode(SOUND, made))
    lines = run("info", file).out.splitlines()
    assert "Played: E♭ minor · 3/4 · ♩ ≈ 92 · 8 bars · flute, harp · loop · 1.0 s" in lines
    assert "key: Eb minor" in lines
    assert not [line for line in lines if line.startswith(("tempo:", "bars:", "sound_"))], "nothing was asked there"
    played = run("info", file, "--json").json["played"]
    assert played.pop("seconds") == pytest.approx(1.0, abs=0.1)
    assert played == {name: value for name, value in PLAYED.items() if name != "melody"}
    assert "played" not in run("info", file, "--json").json["recipe"].get("parameters", {})


def test_a_key_in_a_note_is_in_the_readers_language(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_LANGUAGE", "zh-CN")
    compose = FakeModel.run

    def noted(model: FakeModel, *given: Any) -> Output:
        return replace(compose(model, *given), notes=(("mode_played", {"asked": "d lydian", "key": "D major"}),))

    monkeypatch.setattr(FakeModel, "run", noted)
    assert "D 大调" in run("music", "a", "-d", 2).err


def test_a_wrong_choice_lists_those_that_there_are(run: Run) -> None:
    error = run("music", "a", "--metre", "13/8").err
    assert "Choose one of: 2/4, 3/4, 4/4, 6/8, 9/8." in error
    assert run("image", "a", "--sampler", "nosuch").err.count(": ,") == 0


@pytest.mark.parametrize(
    "words", [("music", "a", "--sound"), ("caption",), ("upscale",), ("info",), ("image", "a", "--image")]
)
def test_a_file_of_nothing_is_named_and_not_passed_over(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "nothing.wav").write_bytes(b"")
    result = run(*words, tmp_path / "nothing.wav")
    assert result.code == 1
    assert "nothing.wav is empty" in result.err
    assert "Type something" not in result.err


def test_a_sound_of_another_format_is_named_with_what_to_do(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "memo.m4a"
    recorded(file, np.zeros((1, 8000), np.float32), 8000)
    result = run("music", "a", "--sound", file)
    assert result.code == 1
    assert "This file is M4A / MP4, which is not read here. Convert it to WAV" in result.err


def test_no_picture_asks_for_a_picture(run: Run) -> None:
    result = run("caption", "-", stdin=b"")
    assert result.code == 1
    assert "Choose a picture" in result.err
