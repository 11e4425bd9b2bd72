"""What `info` says of enlarged pictures and of other programs', and what `upscale` keeps."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, PngImagePlugin
from terminals import Run

from studio.recipes import recipe

SMALL = ("--width", 64, "--height", 64, "--steps", 2)


def told(path: Path, **texts: str) -> Path:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def test_an_enlarged_picture_tells_its_painting(run: Run) -> None:
    file = run("image", "a cat", *SMALL, "--seed", 2**64 - 1).out.strip()
    lines = run("info", run("upscale", file, "--scale", 2).out.strip()).out.splitlines()
    assert {"prompt: a cat", f"seed: {2**64 - 1}", "width: 64", "steps: 2"} <= set(lines)
    assert any(line.startswith("Model: Demo painter") for line in lines)
    assert "Enlarged: ×2 Demo upscaler" in lines


def test_what_lies_beside_a_picture_lies_beside_the_larger_one(run: Run) -> None:
    file = run("image", "a secret cat", *SMALL, "--clean").out.strip()
    big = Path(run("upscale", file, "--scale", 2).out.strip())
    assert b"secret" not in big.read_bytes()
    assert "prompt: a secret cat" in run("info", big).out.splitlines()


def test_a_picture_painted_over_another_tells_what_that_was(run: Run) -> None:
    first = run("image", "a cat", *SMALL).out.strip()
    second = run("image", "a dog", *SMALL, "--image", first).out.strip()
    lines = run("info", second).out.splitlines()
    assert {"prompt: a dog", "Started from: a cat"} <= set(lines)
    assert (recipe.read_recipe(Path(second).read_bytes()) or {})["origin"]["parameters"]["prompt"] == "a cat"


def test_a_program_whose_settings_cannot_be_read_is_named(run: Run, tmp_path: Path) -> None:
    result = run("info", told(tmp_path / "x.png", workflow='{"nodes": [], "links": []}'))
    assert (result.code, result.out.splitlines()) == (0, ["Written by: ComfyUI"])
    assert "not in a form that is read" in result.err
    whole = run("info", tmp_path / "x.png", "--json").json
    assert (whole["unread"], whole["broken"], whole["fields"]) == (True, False, {})
    assert "not known here" in run("info", told(tmp_path / "y.png", parameters=json.dumps({"a": 1}))).out


def test_a_seed_that_cannot_be_is_the_one_thing_that_is_named(run: Run, tmp_path: Path) -> None:
    text = f"a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: {2**64}, Size: 64x64"
    result = run("info", told(tmp_path / "x.png", parameters=text))
    assert f"Not usable as it stands: seed: {2**64}" in result.out.splitlines()
    assert {"prompt: a cat", "steps: 20"} <= set(result.out.splitlines())
    assert not result.err


def test_a_seed_beyond_all_bounds_is_refused_with_the_bounds_in_full(run: Run) -> None:
    result = run("image", "a cat", *SMALL, "--seed", 2**64, "--json")
    assert result.json["error"]["code"] == "out_of_range"
    assert str(2**64 - 1) in json.dumps(result.json)
