"""Regions and details on the command line: from the words to the recipe, and the same picture again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from terminals import Run

SMALL = ("--width", 64, "--height", 64, "--steps", 2, "--seed", 5)


@pytest.fixture
def half(tmp_path: Path) -> Path:
    picture = Image.new("L", (32, 32))
    picture.paste(255, (0, 0, 16, 32))
    picture.save(tmp_path / "half.png")
    faces = tmp_path / "home" / "detectors" / "faces"
    faces.mkdir(parents=True)
    (faces / "config.json").write_text(
        json.dumps({"model_type": "yolos", "architectures": ["YolosForObjectDetection"]})
    )
    (faces / "model.safetensors").write_bytes(b"one")
    return tmp_path / "half.png"


def test_regions_reach_the_picture_and_its_recipe_and_it_is_made_again(run: Run, half: Path, tmp_path: Path) -> None:
    plain = run("image", "a", *SMALL, "--json").json["files"][0]
    made = run("image", "a", *SMALL, "--region", f"{half}:0.5=a red cat", "--region", "0.5,0.5,1,1=b=c", "--json")
    assert made.code == 0, made.err
    first, second = made.json["recipe"]["parameters"]["regions"]
    assert (first["prompt"], first["weight"], second["prompt"], second["weight"]) == ("a red cat", 0.5, "b=c", 1.0)
    assert first["mask"].keys() == {"sha256", "bytes"}
    assert (tmp_path / "home" / "inputs" / first["mask"]["sha256"]).read_bytes() == half.read_bytes()
    before, after = (Image.open(file).convert("RGB") for file in (plain, made.json["files"][0]))
    assert before.crop((33, 0, 64, 31)).tobytes() == after.crop((33, 0, 64, 31)).tobytes()
    assert before.crop((0, 0, 32, 64)).tobytes() != after.crop((0, 0, 32, 64)).tobytes()
    again = run("again", made.json["files"][0])
    assert again.code == 0, again.err
    assert "same" in again.out + again.err


def test_a_detector_reaches_the_recipe(run: Run, half: Path) -> None:
    made = run("image", "a", *SMALL, "--detail", "faces:0.3:0.6", "--json")
    assert made.code == 0, made.err
    told = made.json["recipe"]
    assert told["parameters"]["details"] == [
        {"detector": "faces", "strength": 0.3, "prompt": "", "confidence": 0.6}
    ]  # fmt: skip
    assert told["detectors"].keys() == {"faces"}
    assert run("again", made.json["files"][0]).code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--region", "0,0,1,1"), 2, "WHERE"), (("--region", "=a"), 2, "WHERE"),
        (("--region", "0,0,1,1="), 1, "prompt"),
        (("--region", "0.5,0,0.5,1=a"), 1, "mask"), (("--region", "0,0,1,1:2=a"), 1, "weight"),
        (("--detail", "faces:much"), 2, "NAME"), (("--detail", "nobody"), 1, "faces"),
        (("--region", "0,0,1,1=a") * 5, 1, "4"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(run: Run, half: Path, words: tuple[str, ...], code: int, said: str) -> None:
    result = run("image", "a", *SMALL, *words)
    assert result.code == code, result.err
    assert said in result.err
    assert "Traceback" not in result.err
