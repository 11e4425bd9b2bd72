"""`verify`: what a file claims, what is seen and heard, what is signed, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from terminals import Run

from studio.media import strip


@pytest.fixture(autouse=True)
def _marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_SIGN", "1")
    monkeypatch.setenv("STUDIO_EXPLICIT_LABEL", "zh-CN")
    monkeypatch.setenv("STUDIO_PRODUCER", "museum-of-x")


def painted(run: Run, path: Path) -> Path:
    assert run("image", "a fox", "--seed", 1, "--out", path).code == 0
    return path


def test_a_picture_of_ours_says_all_of_it(run: Run, tmp_path: Path) -> None:
    told = run("verify", painted(run, tmp_path / "a.png"))
    assert told.code == 0
    for said in (
        "Marked as made by a model",
        "producer museum-of-x",
        "AI生成",
        "Signed by museum-of-x, own key",
        "unchanged",
    ):
        assert said in told.out, said
    assert "proves nothing about a person" in told.err
    found = json.loads(run("verify", tmp_path / "a.png", "--json").out)
    assert (found["signed"], found["signature"]["intact"], found["explicit_label"]) == (True, True, "AI生成")
    assert found["watermark"] is None


def test_converted_files_are_signed_anew(run: Run, tmp_path: Path) -> None:
    assert json.loads(run("verify", painted(run, tmp_path / "a.webp"), "--json").out)["signature"]["intact"]
    assert run("music", "a waltz", "--duration", 1, "--out", tmp_path / "a.mp3").code == 0
    found = json.loads(run("verify", tmp_path / "a.mp3", "--json").out)
    assert (found["signature"]["intact"], found["explicit_label"], found["labels"]) == (True, "AI", 1)


def test_a_changed_file_is_said_and_is_an_error(run: Run, tmp_path: Path) -> None:
    data = bytearray(painted(run, tmp_path / "a.png").read_bytes())
    data[data.index(b"IDAT") + 60] ^= 1
    (tmp_path / "b.png").write_bytes(data)
    told = run("verify", tmp_path / "b.png")
    assert told.code == 1
    assert "changed since" in told.out


def test_another_studios_key_is_another(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = painted(run, tmp_path / "a.png")
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "other"))
    assert "another's" in run("verify", file).err


def test_a_clean_copy_shows_its_label_and_nothing_else(run: Run, tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(strip.clean(painted(run, tmp_path / "a.png").read_bytes()))
    told = run("verify", tmp_path / "b.png")
    assert told.code == 0
    assert "AI生成" in told.out
    assert "Signed" not in told.out
    assert "None of this is signed" in told.err


def test_a_label_that_is_gone_is_missed(run: Run, tmp_path: Path) -> None:
    from PIL import Image

    from studio.recipes import recipe
    from studio.recipes.embed_image import encode_png

    file = painted(run, tmp_path / "a.png")
    made = recipe.read_recipe(file.read_bytes())
    with Image.open(file) as picture:
        (tmp_path / "b.png").write_bytes(encode_png(picture.crop((0, 0, picture.width, picture.height // 2)), made))
    assert "not there any more" in run("verify", tmp_path / "b.png").err


def test_what_says_nothing_ends_in_one(run: Run, tmp_path: Path, picture: Path) -> None:
    assert run("verify", picture).code == 1
    assert run("verify", tmp_path / "gone.png").code == 1


def test_a_model_that_cannot_carry_a_watermark_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    told = run("verify", tmp_path / "a.txt", "--model", "demo-chat")
    assert told.code == 1
    assert "carry no watermark" in told.err
