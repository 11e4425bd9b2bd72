"""Reference pictures on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from terminals import Run

from studio.cli.image import _split_reference

SMALL = ("--width", 64, "--height", 64, "--steps", 2, "--seed", 5)


@pytest.fixture
def face(tmp_path: Path) -> Path:
    Image.new("RGB", (48, 48), "navy").save(tmp_path / "face.png")
    Image.new("L", (48, 48), 255).save(tmp_path / "mask.png")
    adapters = tmp_path / "home" / "ipadapters"
    adapters.mkdir(parents=True)
    (adapters / "plus.safetensors").write_bytes(b"one")
    return tmp_path / "face.png"


def test_a_reference_reaches_the_recipe_and_the_picture_is_made_again(run: Run, face: Path, tmp_path: Path) -> None:
    mask = face.with_name("mask.png")
    result = run(
        "image", "a", *SMALL, "--reference", f"plus={face}:0.5:0.1:0.9:style", "--reference", f"plus={face}",
        "--reference-mask", f"1={mask}", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err + result.out
    made = result.json["recipe"]
    first, second = made["parameters"]["references"]
    assert first.pop("image").keys() == first.pop("mask").keys() == {"sha256", "bytes"}
    assert first == {"model": "plus", "weight": 0.5, "start": 0.1, "end": 0.9, "use": "style"}
    assert (second["weight"], second["start"], second["end"], second["use"], second["mask"]) == (1.0, 0.0, 1.0, "", "")
    assert made["ipadapters"].keys() == {"plus"}
    again = run("again", result.json["files"][0])
    assert again.code == 0, again.err
    assert "IP-Adapter" not in again.err
    (tmp_path / "home" / "ipadapters" / "plus.safetensors").write_bytes(b"another")
    assert "IP-Adapter plus was 7692c3ad3540" in run("again", result.json["files"][0]).err


def test_files_keep_their_colons() -> None:
    assert _split_reference(r"C:\faces\a.png:0.8:0:1:style") == (r"C:\faces\a.png", ["0.8", "0", "1", "style"])
    assert _split_reference(r"C:\faces\a.png") == (r"C:\faces\a.png", [])
    assert _split_reference("a.png::0.5") == ("a.png", ["", "0.5"])
    assert _split_reference("a.png:composition") == ("a.png", ["composition"])


@pytest.mark.parametrize(
    ("text", "code"),
    [("plus", 2), ("=x.png", 2), ("plus={face}:1:0:1:0.5", 2), ("plus={face}:style:1", 2), ("nobody={face}", 1)],
)
def test_what_cannot_be_understood_is_said(run: Run, face: Path, text: str, code: int) -> None:
    result = run("image", "a", *SMALL, "--reference", text.format(face=face))
    assert result.code == code
    assert "Traceback" not in result.err
    if code == 1:
        assert "plus" in result.err, "those that there are"


@pytest.mark.parametrize("text", ["2={face}", "0={face}", "x={face}", "1"])
def test_a_mask_belongs_to_a_picture(run: Run, face: Path, text: str) -> None:
    result = run("image", "a", *SMALL, "--reference", f"plus={face}", "--reference-mask", text.format(face=face))
    assert result.code == 2
    assert "Traceback" not in result.err
