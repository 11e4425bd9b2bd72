"""Pictures on the command line that are edited with words."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image
from terminals import Run

SMALL = ("--steps", 2, "--seed", 5)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{name}.png" for name in ("night", "hat")]
    for file, colour in zip(files, ("blue", "red"), strict=True):
        Image.new("RGB", (160, 80), colour).save(file)
    return files


def test_pictures_reach_the_recipe_in_their_order_and_the_result_is_made_again(run: Run, pictures: list[Path]) -> None:
    result = run(
        "image", "make it night", *SMALL, *(part for file in pictures for part in ("--picture", file)), "--json"
    )
    assert result.code == 0, result.err + result.out
    made = result.json["recipe"]["parameters"]
    assert [one["sha256"] for one in made["pictures"]] == [
        hashlib.sha256(file.read_bytes()).hexdigest() for file in pictures
    ]
    assert made["width"] / made["height"] == pytest.approx(2, abs=0.05)
    again = run("again", result.json["files"][0])
    assert again.code == 0, again.err
    assert "same" in again.out + again.err
    other = run("image", "make it night", *SMALL, "--picture", pictures[1], "--picture", pictures[0], "--json")
    assert Image.open(other.json["files"][0]).tobytes() != Image.open(result.json["files"][0]).tobytes()


def test_two_ways_at_once_are_refused_in_a_sentence(run: Run, pictures: list[Path]) -> None:
    result = run("image", "a", *SMALL, "--picture", pictures[0], "--image", pictures[1])
    assert (result.code, "Traceback" in result.err) == (1, False)
    assert "start from" in result.err
    assert run("image", "a", *SMALL, *(("--picture", str(pictures[0])) * 5)).code == 1
