"""Pictures on the command line that are held to other pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from terminals import Run

from studio.cli.image import _split_control

SMALL = ("--width", 64, "--height", 64, "--steps", 2, "--seed", 5)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    picture = Image.new("RGB", (48, 48), "white")
    ImageDraw.Draw(picture).rectangle((12, 20, 36, 44), fill="black")
    picture.save(tmp_path / "house.png")
    networks = tmp_path / "home" / "controlnets"
    networks.mkdir(parents=True)
    (networks / "edges.safetensors").write_bytes(b"one")
    return tmp_path / "house.png"


def test_a_control_reaches_the_recipe_and_the_picture_is_made_again(run: Run, house: Path, tmp_path: Path) -> None:
    result = run("image", "a", *SMALL, "--control", f"edges={house}:canny:0.5:0.1:0.9:fill", "--json")
    assert result.code == 0, result.err + result.out
    made = result.json["recipe"]
    (given,) = made["parameters"]["controls"]
    assert given.pop("image").keys() == {"sha256", "bytes"}
    assert given == {
        "model": "edges", "preprocessor": "canny", "weight": 0.5, "start": 0.1, "end": 0.9, "fit": "fill",
    }  # fmt: skip
    assert made["controlnets"].keys() == {"edges"}
    assert "origin" not in made
    file = result.json["files"][0]
    again = run("again", file)
    assert again.code == 0, again.err
    assert "ControlNet" not in again.err
    (tmp_path / "home" / "controlnets" / "edges.safetensors").write_bytes(b"another")
    assert "ControlNet edges was 7692c3ad3540" in run("again", file).err


def test_what_stands_behind_the_file_may_be_left_out(run: Run, house: Path) -> None:
    made = run("image", "a", *SMALL, "--control", f"edges={house}", "--control", f"edges={house}:invert", "--json")
    given = made.json["recipe"]["parameters"]["controls"]
    assert [(one["preprocessor"], one["weight"], one["end"], one["fit"]) for one in given] == [
        ("", 1.0, 1.0, "crop"), ("invert", 1.0, 1.0, "crop"),
    ]  # fmt: skip


def test_depth_without_its_network_is_one_sentence_that_says_where_to_put_it(
    run: Run, house: Path, tmp_path: Path
) -> None:
    result = run("image", "a", *SMALL, "--control", f"edges={house}:depth:0.5")
    assert result.code == 1
    assert str(tmp_path / "home" / "preprocessors") in result.err
    assert "Traceback" not in result.err


def test_windows_paths_keep_their_colon() -> None:
    assert _split_control(r"C:\maps\a.png:canny:1") == [r"C:\maps\a.png", "canny", "1"]
    assert _split_control(r"C:\maps\a.png") == [r"C:\maps\a.png"]
    assert _split_control("a.png::0.5") == ["a.png", "", "0.5"]
    assert _split_control("a.png:none:0.5") == ["a.png", "none", "0.5"]


@pytest.mark.parametrize(
    ("text", "code"), [("edges", 2), ("=x.png", 2), ("edges={house}:canny:much", 2), ("nobody={house}", 1)]
)
def test_what_cannot_be_understood_is_said(run: Run, house: Path, text: str, code: int) -> None:
    result = run("image", "a", *SMALL, "--control", text.format(house=house))
    assert result.code == code
    assert "Traceback" not in result.err
    if code == 1:
        assert "edges" in result.err, "those that there are"
