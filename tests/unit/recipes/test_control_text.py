"""Controls in recipes and in the text of other web UIs: written, read back, and as the extension writes them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from studio.errors import StudioError
from studio.recipes import infotext, inspect, recipe, reproduce, untrusted
from studio.request_parts import PREPROCESSORS, Control
from studio.requests import ImageRequest, light

CONTROLS = (
    Control("canny-sd15", b"one", "canny", 0.75, 0.1, 0.9, "fill"),
    Control("tile, v2", b"two", "", 1.0, 0.0, 1.0, "stretch"),
)
REQUEST = ImageRequest(
    prompt="a house", model="m", width=64, height=64, steps=2, guidance_scale=1.0, scheduler="Euler", seed=7,
    strength=0.5, hires_strength=0.5, variation_seed=0, controls=CONTROLS,
)  # fmt: skip
KEPT = {hashlib.sha256(data).hexdigest(): data for data in (b"one", b"two")}
LINE = "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 64x64, Model: x, "


def made(request: ImageRequest = REQUEST, **changes: Any) -> dict[str, Any]:
    return {
        "format": recipe.FORMAT, "task": "image", "parameters": recipe.parameters(request), "seed": 7, "device": "cpu",
        "model": {"id": "m", "title": "M", "revision": "", "licence": "", "licence_url": "", "commercial": True},
        "made": "2026-01-31T12:00:00+00:00", "software": {"studio": "0.1.0"}, "finish": "stop", "seconds": 0.5,
    } | changes  # fmt: skip


def test_a_recipe_names_the_pictures_by_their_hashes_and_is_run_again_with_them() -> None:
    written = recipe.from_json(recipe.to_json(made(controlnets={"canny-sd15": "ab" * 32})))
    assert written is not None
    assert written["controlnets"] == {"canny-sd15": "ab" * 32}
    assert recipe.sources(written) == dict(zip(("controls.0", "controls.1"), KEPT, strict=True))
    assert reproduce.request(written, KEPT.get) == REQUEST
    with pytest.raises(StudioError) as caught:
        reproduce.request(written, {next(iter(KEPT)): b"one"}.get)
    assert caught.value.code == "no_source"


def test_another_controlnet_under_the_same_name_is_named() -> None:
    before, now = made(controlnets={"canny-sd15": "ab"}), made(controlnets={"canny-sd15": "cd"})
    assert [one.what for one in reproduce.differences(before, now)] == ["ControlNet canny-sd15"]


def test_what_is_over_keeps_no_pictures() -> None:
    assert [one.image for one in light(REQUEST).controls] == [b"", b""]
    assert light(REQUEST).controls[0].model == "canny-sd15"


def test_the_text_of_other_web_uis_is_written_as_they_do_and_read_back() -> None:
    text = infotext.write(made())
    assert (
        'ControlNet 0: "Module: canny, Model: canny-sd15, Weight: 0.75, Resize Mode: Resize and Fill, '
        'Guidance Start: 0.1, Guidance End: 0.9, Pixel Perfect: True, Control Mode: Balanced"'
    ) in text
    plain = made(ImageRequest(prompt="a", seed=7, width=64, height=64, controls=(CONTROLS[0],)))
    found = inspect.from_text(infotext.write(plain))
    assert found is not None
    assert found.fields["controls"] == (Control("canny-sd15", b"", "canny", 0.75, 0.1, 0.9, "fill"),)
    assert found.unknown == ()


def test_every_preprocessor_has_a_name_there_and_comes_back() -> None:
    for one in PREPROCESSORS:
        asked = Control("edges", b"", one)
        text = infotext.write(made(ImageRequest(prompt="a", seed=7, width=64, height=64, controls=(asked,))))
        found = inspect.from_text(text)
        assert found is not None
        assert (found.fields["controls"], found.unknown) == ((asked,), ()), one


@pytest.mark.parametrize(
    ("unit", "expected", "unknown"),
    [
        (  # as published pictures have it
            "Module: none, Model: qrCodeMonster_v20 [5e5778cb], Weight: 1.34, Resize Mode: Just Resize, "
            "Low Vram: False, Guidance Start: 0.23, Guidance End: 0.5, Pixel Perfect: True, Control Mode: Balanced",
            Control("qrCodeMonster_v20", b"", "", 1.34, 0.23, 0.5, "stretch"), (),
        ),
        (
            "Module: tile_resample, Model: control_v11f1e_sd15_tile_fp16 [3b860298], Weight: 0.6, "
            "Resize Mode: Crop and Resize, Processor Res: 512, Guidance Start: 0, Guidance End: 1",
            Control("control_v11f1e_sd15_tile_fp16", b"", "tile", 0.6), (),
        ),
        (  # before 2023-09, with brackets and a numbered mode
            "preprocessor: depth_leres (LeRes), model: control_v11f1p_sd15_depth, weight: 0.7, "
            "starting/ending: (0.23, 0.76), resize mode: 2, pixel perfect: True, preprocessor params: (1024, 0, 0)",
            Control("control_v11f1p_sd15_depth", b"", "depth", 0.7, 0.23, 0.76, "fill"),
            ("ControlNet 0: depth_leres (LeRes)",),
        ),
        (
            "Module: lineart_standard (from white bg & black line), Model: lines [43d4be0d], Weight: 1",
            Control("lines", b"", "lineart"), (),
        ),
        (
            "Module: depth_anything_v2, Model: t2iadapter_depth_sd15v2 [3489cd37], Weight: 1",
            Control("t2iadapter_depth_sd15v2", b"", "depth"), (),
        ),
        (
            "Module: openpose_full, Model: controlnet-union-sdxl-1.0, Weight: 1",
            Control("controlnet-union-sdxl-1.0", b"", ""), ("ControlNet 0: openpose_full",),
        ),
        ("Module: none, Model: None, Weight: 1, Resize Mode: Crop and Resize", None, ()),
    ],
)  # fmt: skip
def test_units_of_the_extension_are_read(unit: str, expected: Control | None, unknown: tuple[str, ...]) -> None:
    found = inspect.from_text(f'a cat\n{LINE}ControlNet 0: "{unit}", Version: v1.6.0')
    assert found is not None
    assert found.fields.get("controls", ()) == ((expected,) if expected else ())
    assert found.unknown == unknown


@pytest.mark.parametrize(
    "value",
    ["x", [1], [{}], [{"model": 3}], [{"model": "a", "weight": "much"}], [{"model": "a", "preprocessor": "pose"}],
     [{"model": "a", "fit": "round"}], [{"model": "a"}] * 50, [{"model": "a", "start": float("nan")}]],
)  # fmt: skip
def test_controls_of_strangers_are_taken_whole_or_not_at_all(value: object) -> None:
    """Their pictures are named by their places: of a list with a hole the wrong one would be put in."""
    found, wrong = untrusted.image_fields({"controls": value})
    assert (found, wrong) == ({}, ("controls",))


def test_numbers_of_strangers_are_moved_into_their_bounds() -> None:
    many = [{"model": "a", "weight": 9, "start": -1, "end": 7, "image": {"sha256": "x"}}] * 6
    found, wrong = untrusted.image_fields({"controls": many})
    assert found["controls"] == (Control("a", b"", "", 2.0, 0.0, 1.0),) * 4
    assert wrong == ("controls",)
