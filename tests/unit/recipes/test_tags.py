"""Tempo, key, metre and loop points as programs of others find them in our files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import recipe_of
from witnesses import program

from studio.recipes import recipe
from studio.recipes.embed_audio import encode_flac, encode_mp3, encode_wav
from studio.results import Audio

PLAYED = {"tempo": 92.75, "key": "E♭ minor", "metre": "6/8", "bars": 4}
SOUND = Audio(np.sin(np.arange(2 * 40_000) / 9).reshape(2, -1).astype(np.float32) / 3, 32_000)


def recipe_with(**played: Any) -> dict[str, Any]:
    return recipe_of("music", {"duration": 8.0}, played={**PLAYED, **played})


def by_exiftool(path: Path, data: bytes) -> dict[str, Any]:
    path.write_bytes(data)
    done = subprocess.run([program("exiftool"), "-j", "-n", "-u", "-b", path], capture_output=True, check=True)
    return json.loads(done.stdout)[0]


def by_ffprobe(path: Path, data: bytes) -> dict[str, str]:
    path.write_bytes(data)
    command = [program("ffprobe"), "-v", "error", "-show_entries", "format_tags", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["format"].get("tags", {})
    return {name.casefold(): value for name, value in found.items()}


def test_a_loop_tells_a_sampler_where_it_loops_and_a_sequencer_how_fast_it_is(tmp_path: Path) -> None:
    found = by_exiftool(tmp_path / "a.wav", encode_wav(SOUND, recipe_with(loop=True)))
    assert found["NumSampleLoops"] == 1
    assert found["MIDIUnityNote"] == 63
    assert found["AcidizerFlags"] == 0b110, "a loop that stretches, with a root note"
    assert (found["RootNote"], found["Beats"], found["Meter"]) == (63, 12, "8 6"), "unit, then count"
    assert found["Tempo"] == pytest.approx(92.75 * 1.5), "sequencers count quarters"
    raw = (tmp_path / "a.wav").read_bytes()
    loop = raw[raw.index(b"smpl") + 8 + 36 :][:24]
    assert np.frombuffer(loop, "<u4").tolist() == [0, 0, 0, SOUND.samples.shape[1] - 1, 0, 0]


def test_a_piece_that_ends_has_no_loop_points(tmp_path: Path) -> None:
    found = by_exiftool(tmp_path / "a.wav", encode_wav(SOUND, recipe_with(metre="4/4", key="")))
    assert "NumSampleLoops" not in found
    assert (found["AcidizerFlags"], found["Beats"], found["Meter"], found["Tempo"]) == (1, 16, "4 4", 92.75)


def test_where_only_the_tempo_is_known_beats_follow_from_the_length(tmp_path: Path) -> None:
    made = recipe_of("music", {}, played={"tempo": 120.0})
    found = by_exiftool(tmp_path / "a.wav", encode_wav(SOUND, made))
    assert (found["Beats"], found["Meter"]) == (2, "4 4"), "a second and a quarter"
    assert "Beats" not in by_exiftool(tmp_path / "b.wav", encode_wav(SOUND, recipe_of("music", {})))


@pytest.mark.parametrize(
    ("key", "short"), [("E♭ minor", "Ebm"), ("F♯ major", "F#"), ("D dorian", "Dm"), ("G mixolydian", "G")]
)
def test_flac_and_mp3_have_tempo_and_key_where_players_look(key: str, short: str, tmp_path: Path) -> None:
    made = recipe_with(key=key)
    flac = by_ffprobe(tmp_path / "a.flac", encode_flac(SOUND, made))
    assert (flac["bpm"], flac["key"], flac["initialkey"]) == ("92.75", key, short)
    assert json.loads(flac["comment"]) == made
    mp3 = by_ffprobe(tmp_path / "a.mp3", encode_mp3(SOUND, made))
    assert (mp3["tbpm"], mp3["tkey"]) == ("93", short), "whole beats, as ID3 wants them"
    exif = by_exiftool(tmp_path / "b.mp3", encode_mp3(SOUND, made))
    assert (exif["BeatsPerMinute"], exif["InitialKey"]) == (93, short)


@pytest.mark.parametrize("encode", [encode_wav, encode_flac, encode_mp3])
def test_a_file_without_tempo_and_key_says_nothing_of_them(encode: Any, tmp_path: Path) -> None:
    data = encode(SOUND, recipe_of("music", {}))
    assert recipe.read_recipe(data) is not None
    assert not {"bpm", "key", "initialkey", "tbpm", "tkey"} & by_ffprobe(tmp_path / "a", data).keys()
    assert by_ffprobe(tmp_path / "b", encode(SOUND)).get("comment") is None
