"""`--preset NAME`: settings saved on the page, under everything that an option names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from terminals import Run

from studio.library.presets import Preset, Presets


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    """Save a preset as the page does."""
    (tmp_path / "home").mkdir()

    def saved(task: str, **values: Any) -> Path:
        file = tmp_path / "home" / f"{task}-presets.json"
        Presets(file).save(Preset("Mine", values))
        return file

    return saved


def given(run: Run, *arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--preset", "Mine", "--json")
    assert result.code == 0, result.out
    return result.json["recipe"]["parameters"]


def test_a_preset_fills_what_no_option_names(run: Run, saved: Any) -> None:
    saved(
        "image", width=64, height=128, steps=3, guidance_scale=2.5, negative_prompt="blur", clip_skip=1,
        scheduler="Euler a", hires_scale=2.0, prompt="stolen", seed=9,
    )  # fmt: skip
    made = given(run, "image", "a cat", "--steps", 2, "--hires", 1, "--negative", "")
    expected = {
        "prompt": "a cat", "width": 64, "height": 128, "steps": 2, "guidance_scale": 2.5, "negative_prompt": "",
        "clip_skip": 1, "scheduler": "Euler a",
    }  # fmt: skip
    assert made | expected == made
    assert made.get("hires_scale", 1) == 1


def test_pieces_code_and_captions_have_theirs(run: Run, saved: Any, code_file: Path, picture: Path) -> None:
    saved("music", duration=2, key="D minor", tempo=90, loop=True)
    made = given(run, "music", "calm", "--tempo", 100)
    assert made | {"duration": 2.0, "key": "D minor", "tempo": 100.0, "loop": True} == made
    saved("code", max_tokens=5, count=2, fill_in_middle=False)
    assert given(run, "code", f"{code_file}:2", "--candidates", 1) | {
        "max_tokens": 5,
        "fill_in_middle": False,
    } == given(run, "code", f"{code_file}:2", "--candidates", 1)
    saved("caption", length="long", forbid=["dog"], language="zh", max_tokens=30)
    made = given(run, "caption", picture, "--max-tokens", 20)
    assert made | {"length": "long", "forbid": ["dog"], "max_tokens": 20} == made


def test_a_number_of_captions_is_for_one_picture_only(run: Run, saved: Any, tmp_path: Path) -> None:
    saved("caption", count=4, length="short")
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    result = run("caption", folder, "--preset", "Mine", "--json")
    assert result.code == 0, result.out
    assert (folder / "a.txt").read_text()


def test_a_model_that_is_not_here_is_told_of_and_left(run: Run, saved: Any) -> None:
    saved("music", model="no-such-model", duration=1)
    result = run("music", "calm", "--preset", "Mine")
    assert result.code == 0
    assert "no-such-model, the model of the preset, is not on this machine" in result.err
    saved("music", model="demo-music", duration=1)
    assert "not on this machine" not in run("music", "calm", "--preset", "Mine").err
    saved("music", model="no-such-model", duration=1)
    assert "not on this machine" not in run("music", "calm", "--preset", "Mine", "-m", "demo-music").err


def test_limits_judge_what_a_file_says(run: Run, saved: Any) -> None:
    saved("music", duration=-5)
    assert run("music", "calm", "--preset", "Mine", "--json").json["error"]["code"] == "out_of_range"
    saved("image", steps=10**9)
    assert run("image", "a cat", "--preset", "Mine", "--json").json["error"]["code"] == "out_of_range"


def test_a_name_that_is_none_and_a_file_that_is_damaged(run: Run, saved: Any) -> None:
    result = run("image", "a cat", "--preset", "Gone")
    assert result.code == 1
    assert "There is no preset called “Gone”" in result.err
    file = saved("image", steps=2)
    file.write_text(json.dumps({"Mine": {}})[:-1])
    assert run("image", "a cat", "--preset", "Mine", "--json").json["error"]["code"] == "bad_file"


def test_a_public_studio_has_none(run: Run, saved: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    saved("music", duration=1)
    monkeypatch.setenv("STUDIO_PROFILE", "space")
    assert run("music", "calm", "--preset", "Mine", "--json").json["error"]["code"] == "preset_unknown"
