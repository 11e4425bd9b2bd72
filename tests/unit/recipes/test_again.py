"""A picture is made again from its recipe, and what is not the same is named."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from PIL import Image

from studio.errors import StudioError
from studio.recipes import embed_image, recipe, reproduce
from studio.requests import ImageRequest, UpscaleRequest

REQUEST = ImageRequest(
    prompt="a {red|blue} cat", prompts=("a red cat",), model="m", width=64, height=64, steps=2, guidance_scale=1.0,
    scheduler="Euler", seed=7, strength=0.5, hires_strength=0.5, variation_seed=0, image=b"picture",
)  # fmt: skip
KEPT = {hashlib.sha256(b"picture").hexdigest(): b"picture"}


def made(task: str = "image", parameters: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "format": recipe.FORMAT,
        "task": task,
        "model": {"id": "m", "title": "M", "revision": "abc", "licence": "", "licence_url": "", "commercial": True},
        "parameters": recipe.parameters(REQUEST) if parameters is None else parameters,
        "seed": 7,
        "made": "2026-01-31T12:00:00+00:00",
        "software": {"studio": "0.1.0", "torch": "2.13.0"},
        "device": "cpu",
        "finish": "stop",
        "seconds": 0.5,
    } | changes


def png(*dots: tuple[int, int, int], size: tuple[int, int] = (10, 10)) -> bytes:
    """A black picture with some pixels in other colours."""
    image = Image.new("RGB", size)
    for place, dot in enumerate(dots):
        image.putpixel((place, 0), dot)
    return embed_image.encode_png(image)


def test_the_request_is_the_one_that_made_it_with_its_pictures() -> None:
    assert reproduce.request(made(), KEPT.get) == REQUEST


def test_an_enlarged_picture_is_enlarged_from_the_same_one() -> None:
    wanted = UpscaleRequest(image=b"picture", model="m", scale=2)
    assert reproduce.request(made("upscale", recipe.parameters(wanted)), KEPT.get) == wanted


@pytest.mark.parametrize(
    ("of", "code"),
    [
        (made(), "no_source"),
        (made("upscale", recipe.parameters(UpscaleRequest(image=b"picture"))), "no_source"),
        (made("upscale", {"scale": 2}), "no_recipe"),
        (made("music", {"prompt": "a reel"}), "no_recipe"),
        (made("image", {}), "no_recipe"),
    ],
)
def test_what_cannot_be_made_again_says_why(of: dict[str, Any], code: str) -> None:
    with pytest.raises(StudioError) as caught:
        reproduce.request(of, lambda _: None)
    assert caught.value.code == code


def test_equal_pixels_are_the_same_whatever_else_is_not() -> None:
    compared = reproduce.compare(png(), made(hardware="A"), png(), made(device="cuda:0", hardware="B"))
    assert (compared.same, compared.share, compared.largest) == (True, 0.0, 0)
    assert compared.differences == (
        reproduce.Difference("device", "cpu", "cuda:0"),
        reproduce.Difference("hardware", "A", "B"),
    )


def test_the_share_and_the_size_of_the_difference_are_measured() -> None:
    compared = reproduce.compare(png((9, 0, 0), (0, 200, 1)), made(), png((7, 0, 0)), made())
    assert (compared.same, compared.share, compared.largest) == (False, 0.02, 200)
    assert compared.differences == ()


def test_pictures_of_two_sizes_are_not_the_same() -> None:
    compared = reproduce.compare(png(), made(), png(size=(5, 10)), made())
    assert (compared.same, compared.sizes) == (False, ((10, 10), (5, 10)))


def test_what_both_recipes_speak_of_and_is_not_the_same_is_named() -> None:
    now = made(
        model={**made()["model"], "revision": "def"},
        software={"studio": "0.1.0", "torch": "2.14.0", "xllamacpp": "1"},
        parameters={**made()["parameters"], "steps": 3, "prompts": ["a blue cat"]},
        seed=8,
    )
    found = {one.what: (one.before, one.now) for one in reproduce.compare(png(), made(), png(), now).differences}
    assert found == {
        "revision": ("abc", "def"), "torch": ("2.13.0", "2.14.0"), "steps": ("2", "3"), "seed": ("7", "8"),
        "prompts": ('["a red cat"]', '["a blue cat"]'),
    }  # fmt: skip


def test_a_recipe_from_before_a_setting_existed_is_not_said_to_differ() -> None:
    old = made("image", {"prompt": "a cat", "steps": 2}, software={}, model={"id": "m", "revision": ""})
    now = made("image", {**made()["parameters"], "prompt": "a cat"})
    assert reproduce.compare(png(), old, png(), now).differences == ()


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
def test_the_second_picture_is_written_like_the_first(form: str) -> None:
    encode = {"png": embed_image.encode_png, "webp": embed_image.encode_webp, "jpeg": embed_image.encode_jpeg}[form]
    assert reproduce.picture_format(encode(Image.new("RGB", (8, 8)))) == form
