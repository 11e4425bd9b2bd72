"""Pictures on the command line: every way to paint, grids, larger ones, what they tell, and made again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from terminals import Run

from studio.recipes import inspect, recipe

SMALL = ("--width", 64, "--height", 64, "--steps", 2)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def foreign(path: Path) -> Path:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat\nSteps: 20, Sampler: DPM fast, CFG scale: 7, Seed: 5, Size: 64x64, Model: x")
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


# ---- painting


def test_every_way_to_paint_reaches_the_recipe(run: Run, picture: Path, tmp_path: Path, home: Path) -> None:
    mask = tmp_path / "mask.png"
    Image.new("L", (8, 8), 255).save(mask)
    (home / "styles").mkdir(parents=True)
    (home / "styles" / "mine.txt").write_text("{prompt}, in ink\nNegative prompt: colour")
    (home / "loras").mkdir()
    (home / "loras" / "fog.safetensors").touch()
    result = run(
        "image", "a {b}", "--style", "mine", "--image", picture, "--mask", mask, "--strength", 0.4, "--variation", 0.2,
        "--variation-seed", 9, "--clip-skip", 1, "--lora", "fog:0.5", "--hires", 2, "--hires-strength", 0.3, "--tiling",
        "--masked-only", "--mask-padding", 8, "--mask-blur", 2, "--seamless", "both",
        "--width", 128, "--height", 128, "--seed", 5, "--json",
    )  # fmt: skip
    assert result.code == 0, result.out
    given = result.json["recipe"]["parameters"]
    expected = {
        "prompt": "a {b}", "prompts": ["a {b}, in ink"], "negative_prompt": "colour", "styles": ["mine"],
        "strength": 0.4, "variation": 0.2, "variation_seed": 9, "clip_skip": 1, "tiling": True, "hires_scale": 2.0,
        "masked_only": True, "mask_padding": 8, "mask_blur": 2, "seamless": "both",
        "hires_strength": 0.3, "loras": [{"name": "fog", "weight": 0.5}],
    }  # fmt: skip
    assert given | expected == given
    assert recipe.sources(result.json["recipe"]).keys() == {"image", "mask"}


def test_a_decoder_of_ones_own_and_a_refiner_reach_the_recipe(run: Run, home: Path) -> None:
    for folder, name in (("vaes", "softer"), ("refiners", "second half")):
        (home / folder).mkdir(parents=True)
        (home / folder / f"{name}.safetensors").write_bytes(b"")
    result = run("image", "a", *SMALL, "--vae", "softer", "--refiner", "second half", "--refiner-at", 0.6, "--json")
    assert result.code == 0, result.out
    given = result.json["recipe"]["parameters"]
    assert (given["vae"], given["refiner"], given["refiner_at"]) == ("softer", "second half", 0.6)
    assert "second half" in run("image", "a", *SMALL, "--refiner", "third").err, "what there is is named"


def test_a_lora_without_a_weight_counts_once_and_a_strange_one_is_refused(run: Run, home: Path) -> None:
    (home / "loras").mkdir(parents=True)
    (home / "loras" / "fog.safetensors").touch()
    made = run("image", "a", *SMALL, "--lora", "fog", "--json").json["recipe"]
    assert made["parameters"]["loras"] == [{"name": "fog", "weight": 1.0}]
    assert run("image", "a", "--lora", "fog:much").code == 2
    assert "fog:much" in run("image", "a", "--lora", "fog:much").err


def test_files_are_named_by_the_pattern(run: Run, home: Path) -> None:
    result = run("image", "a cat", *SMALL, "--seed", 5, "--names", "mine/[seed] [prompt]")
    assert result.out.splitlines() == [str(home / "outputs" / "image" / "mine" / "5 a cat.png")]


def test_names_and_formats_may_be_settings(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_FILE_NAMES", "mine/[seed]")
    monkeypatch.setenv("STUDIO_PICTURE_FORMAT", "webp")
    assert Path(run("image", "a", *SMALL, "--seed", 5).out.strip()) == home / "outputs" / "image" / "mine" / "5.webp"
    monkeypatch.setenv("STUDIO_PICTURE_FORMAT", "bmp")
    assert run("image", "a", *SMALL, "--json").json["error"]["code"] == "bad_setting"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_a_file_that_is_asked_for_in_a_format_never_was_in_a_lossy_other_one(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plain = run("image", "a", *SMALL, "--seed", 5, "--json").json["files"][0]
    monkeypatch.setenv("STUDIO_PICTURE_FORMAT", "jpeg")
    assert run("image", "a", *SMALL, "--seed", 5, "--out", tmp_path / name).code == 0
    with Image.open(tmp_path / name) as image, Image.open(plain) as original:
        assert image.format == {"a.png": "PNG", "a.jpg": "JPEG", "a.webp": "WEBP"}[name]
        assert (image.tobytes() == original.tobytes()) == (name == "a.png")
    assert run("again", tmp_path / name).code == 0, "no format went through another lossy one"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_clean_files_say_nothing_and_the_studio_still_knows(run: Run, tmp_path: Path, home: Path, name: str) -> None:
    result = run("image", "a secret", *SMALL, "--clean", "--out", tmp_path / name, "--json")
    assert inspect.read_settings((tmp_path / name).read_bytes()) is None
    assert b"secret" not in (tmp_path / name).read_bytes()
    assert result.json["recipe"]["parameters"]["prompt"] == "a secret"
    (kept,) = (home / "outputs" / "image").rglob("*.png")
    assert inspect.read_settings(kept.read_bytes()) is None
    assert run("again", kept).code == 0, "its recipe lies beside it"
    assert "prompt: a secret" in run("info", kept).out


# ---- grids


def test_a_grid_is_a_picture_for_each_value_and_a_sheet(run: Run, tmp_path: Path) -> None:
    result = run(
        "image", "a cat", *SMALL, "--seed", 5, "--grid-x", "steps=1-3", "--grid-y", "guidance=1,7",
        "--names", "g/[steps] [cfg]", "--out", f"{tmp_path}/grid/", "--json",
    )  # fmt: skip
    assert [Path(file).stem for file in result.json["files"]] == ["1 1", "2 1", "3 1", "1 7", "2 7", "3 7"]
    assert Path(result.json["sheet"]) == tmp_path / "grid" / "1 1-grid.png"
    assert Path(result.json["sheet"]).exists()
    for file, own in zip(result.json["files"], result.json["recipes"], strict=True):
        assert recipe.read_recipe(Path(file).read_bytes()) == own
        assert run("again", file).code == 0


def test_the_sheet_comes_last_and_beside_the_file_that_was_asked_for(run: Run, tmp_path: Path) -> None:
    result = run("image", "a cat", *SMALL, "--grid-x", "replace=cat,dog", "--out", tmp_path / "a.png")
    assert [Path(line).name for line in result.out.splitlines()] == ["a.png", "a-2.png", "a-grid.png"]


@pytest.mark.parametrize(
    "arguments", [("--grid-y", "steps=1,2"), ("--grid-x", "steps"), ("--grid-x", "steps=1,2", "--grid-y", "steps")]
)
def test_a_grid_that_cannot_be_understood_is_wrong_usage(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("image", "a", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "grid" in result.err or "FIELD=V1,V2" in result.err


# ---- larger


def test_a_picture_is_made_larger(run: Run, picture: Path, tmp_path: Path) -> None:
    result = run("upscale", picture, "--scale", 2, "--out", tmp_path / "large.webp")
    assert (result.code, result.out.strip()) == (0, str(tmp_path / "large.webp"))
    with Image.open(tmp_path / "large.webp") as image:
        assert image.size == (16, 16)
    assert "seed" not in result.err, "nothing was drawn by chance"


def test_an_enlarged_picture_can_be_made_again(run: Run, picture: Path) -> None:
    assert run("again", run("upscale", picture, "--scale", 2).out.strip()).code == 0


# ---- what a picture tells


def test_info_shows_our_recipe(run: Run) -> None:
    file = run("image", "a {b}", *SMALL, "--seed", 5, "--scheduler", "Euler a").out.strip()
    lines = run("info", file).out.splitlines()
    assert lines[0] == "Written by: Atelier"
    assert {"prompt: a {b}", "seed: 5", "scheduler: Euler a", "width: 64"} <= set(lines)
    assert not [line for line in lines if line.startswith(("strength", "hires", "variation", "tiling"))]
    whole = run("info", file, "--json").json
    assert whole["recipe"] == recipe.read_recipe(Path(file).read_bytes())
    assert (whole["form"], whole["fields"]["seed"], whole["broken"]) == ("atelier", 5, False)


def test_info_shows_what_a_picture_was_made_from_and_zeros_that_mean_something(run: Run, picture: Path) -> None:
    file = run("image", "a", *SMALL, "--seed", 0, "--guidance", 0, "--image", picture, "--strength", 0.25).out.strip()
    lines = run("info", file).out.splitlines()
    assert {"seed: 0", "guidance_scale: 0.0", "strength: 0.25"} <= set(lines)
    assert [line for line in lines if line.startswith("image: ") and line.endswith("bytes)")]


def test_info_shows_what_other_programs_wrote(run: Run, tmp_path: Path) -> None:
    result = run("info", foreign(tmp_path / "x.png"))
    assert {"Written by: AUTOMATIC1111", "Model: x", "prompt: a cat", "steps: 20"} <= set(result.out.splitlines())
    assert "Sampler: DPM fast" in result.out, "a setting that we lack is named"
    assert run("info", "-", stdin=(tmp_path / "x.png").read_bytes(), tty=False).out == result.out


def test_info_of_damaged_settings_says_so(run: Run, tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", '{"sui_image_params": {"prompt": ')
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png", pnginfo=info)
    result = run("info", tmp_path / "x.png")
    assert "could not be read" in result.err
    assert run("info", tmp_path / "x.png", "--json").json["broken"] is True


@pytest.mark.parametrize("word", ["info", "again"])
def test_a_picture_that_says_nothing_is_one_clear_error(run: Run, picture: Path, word: str) -> None:
    result = run(word, picture, "--json")
    assert (result.code, result.json["error"]["code"]) == (
        1,
        {"info": "nothing_to_restore", "again": "no_recipe"}[word],
    )
    assert run(word, "nosuch.png", "--json").json["error"]["code"] == "file_not_found"


# ---- made again


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_the_same_recipe_gives_the_same_pixels_in_every_format(run: Run, tmp_path: Path, name: str) -> None:
    run("image", "a {red|blue} cat", *SMALL, "-n", 2, "--seed", 5, "--out", tmp_path / name)
    for file in (tmp_path / name, (tmp_path / name).with_stem("a-2")):
        result = run("again", file)
        assert (result.code, Path(result.out.strip()).exists()) == (0, True)
        assert "The same pixels." in result.err


def test_what_was_painted_from_a_picture_is_painted_from_it_again(run: Run, picture: Path, home: Path) -> None:
    file = run("image", "a", *SMALL, "--image", picture, "--strength", 0.5).out.strip()
    assert run("again", file).code == 0
    for kept in (home / "inputs").iterdir():
        kept.unlink()
    assert run("again", file, "--json").json["error"]["code"] == "no_source"


def changed(file: str, path: Path, **changes: Any) -> Path:
    """The same pixels with another recipe."""
    made = recipe.read_recipe(Path(file).read_bytes())
    assert made is not None
    parameters = {**made["parameters"], **changes.pop("parameters", {})}
    info = PngImagePlugin.PngInfo()
    info.add_text("recipe", recipe.to_json({**made, **changes, "parameters": parameters}))
    with Image.open(file) as image:
        image.save(path, pnginfo=info)
    return path


def test_other_pixels_are_told_with_what_else_is_not_the_same(run: Run, tmp_path: Path) -> None:
    file = run("image", "a", *SMALL, "--seed", 5).out.strip()
    other = changed(file, tmp_path / "x.png", seed=6, device="cuda", software={"studio": "0.0.1"})
    result = run("again", other)
    assert result.code == 1
    assert "of the pixels differ" in result.err
    assert "device was cuda and is cpu now." in result.err
    assert "studio was 0.0.1 and is" in result.err
    found = run("again", other, "--json").json
    assert (found["same"], found["share"] > 0, found["largest"] > 0) == (False, True, True)
    assert {one["what"] for one in found["differences"]} == {"device", "studio"}


def test_other_pixels_without_a_known_reason_are_told_as_that(run: Run, tmp_path: Path) -> None:
    file = run("image", "a", *SMALL, "--seed", 5).out.strip()
    assert "as far as the recipe tells" in run("again", changed(file, tmp_path / "x.png", seed=6)).err


def test_another_file_in_the_place_of_an_adaptation_is_told(run: Run, home: Path) -> None:
    (home / "loras").mkdir(parents=True)
    (home / "loras" / "fog.safetensors").write_bytes(b"one")
    file = run("image", "a <lora:fog:0.5>", *SMALL, "--seed", 5).out.strip()
    assert "lora" not in run("again", file).err
    (home / "loras" / "fog.safetensors").write_bytes(b"another")
    assert "lora fog was 7692c3ad3540" in run("again", file).err


def test_another_size_is_told_as_a_size(run: Run, tmp_path: Path) -> None:
    file = run("image", "a", *SMALL, "--seed", 5).out.strip()
    larger = changed(file, tmp_path / "x.png", parameters={"width": 128})
    assert "It was 64 × 64 and is 128 × 64 now." in run("again", larger).err


def test_a_recipe_passes_the_same_limits_as_everything_else(run: Run, tmp_path: Path) -> None:
    file = run("image", "a", *SMALL, "--seed", 5).out.strip()
    for parameters, code in (({"steps": 10**9}, "out_of_range"), ({"prompt": 7}, "no_recipe")):
        strange = changed(file, tmp_path / "x.png", parameters=parameters)
        assert run("again", strange, "--json").json["error"]["code"] == code
    gone = changed(file, tmp_path / "x.png", model={"id": "nosuch"})
    assert run("again", gone, "--json").json["error"]["code"] == "unknown_model"


def test_the_second_picture_goes_where_it_is_wanted(run: Run, tmp_path: Path) -> None:
    file = run("image", "a", *SMALL, "--seed", 5).out.strip()
    result = run("again", file, "--out", tmp_path / "b.png")
    assert result.out.strip() == str(tmp_path / "b.png")
    assert Image.open(io.BytesIO((tmp_path / "b.png").read_bytes())).size == (64, 64)


def test_a_model_that_is_not_here_is_named_with_the_command_that_fetches_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_DEMO", "0")
    models = json.loads(run("models", "--task", "image", "--json").out)["models"]
    absent = next(model["id"] for model in models if model["state"] == "absent" and not model["starter"])
    result = run("image", "a", "--model", absent)
    assert result.code == 1
    assert f"python -m studio models download {absent}" in result.err
