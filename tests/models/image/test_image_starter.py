"""The starter that paints: what was asked for in the colour that was asked for, the same again from the same seed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.requests import ImageRequest
from studio.results import Artifact
from studio.service import Studio
from studio.settings import Settings

HUES = {"red": (-20, 20), "yellow": (40, 65), "green": (80, 160), "blue": (195, 250), "purple": (255, 300)}


@pytest.fixture(scope="module")
def paint(starter_home: Path) -> Iterator[object]:
    with Studio(Settings(home=starter_home, device="cpu", keep_free_gb=0)) as studio:

        def paint(prompt: str, **settings: object) -> Artifact:
            *_, last = studio.submit(ImageRequest(prompt=prompt, model="icons", **({"seed": 1} | settings))).events()
            assert last.error is None, last.error
            assert last.artifact is not None
            return last.artifact

        yield paint


def look(artifact: Artifact, number: int = 0) -> np.ndarray:
    """RGB, (height, width, 3), 0..255."""
    return np.asarray(Image.open(io.BytesIO(artifact.files[number].read_bytes())).convert("RGB"))


def share_of(picture: np.ndarray, colour: str) -> float:
    """The share of a hue among all that has a colour."""
    hue, saturation, _ = np.moveaxis(np.asarray(Image.fromarray(picture).convert("HSV"), float), -1, 0)
    degrees, low, high = hue / 255 * 360, *HUES[colour]
    near = ((degrees - low) % 360) <= high - low
    strong = saturation > 80
    assert strong.mean() > 0.05, "there is hardly any colour"
    return float((near & strong).sum() / strong.sum())


@pytest.mark.parametrize(
    ("prompt", "colour"),
    [
        ("a red apple", "red"), ("blue heart", "blue"), ("yellow banana", "yellow"), ("一个红苹果", "red"),
        ("a purple butterfly", "purple"), ("绿色的苹果", "green"),
    ],
)  # fmt: skip
def test_the_thing_has_the_colour_that_was_asked_for(paint, prompt, colour):
    assert share_of(look(paint(prompt)), colour) > 0.5


def test_it_stands_on_white_and_fills_its_place(paint):
    picture = look(paint("blue heart"))
    assert picture.shape == (256, 256, 3)
    edge = np.concatenate([picture[:8].reshape(-1, 3), picture[:, :8].reshape(-1, 3), picture[:, -8:].reshape(-1, 3)])
    assert (edge.min(axis=1) > 225).mean() > 0.95
    dark = picture.min(axis=2) < 200
    assert 0.25 < dark.mean() < 0.8
    assert dark[80:160, 88:168].all(), "a heart has no hole"


def test_the_same_seed_paints_the_same_bytes_and_another_one_another_picture(paint):
    first, again, other = (look(paint("cat face", seed=seed)) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_four_at_once_equal_the_four_single_ones(paint):
    batch = paint("rocket", count=4)
    for number in range(4):
        single = paint("rocket", seed=1 + number)
        assert (look(batch, number) == look(single)).all()


def test_a_chinese_prompt_is_painted_as_it_was_read(paint):
    assert (look(paint("一个红苹果")) == look(paint("red apple"))).all()


def test_edges_fit_together_where_that_is_asked_for(paint):
    """The step across the edge by the mean step beside it: near 1 where the picture simply goes on."""
    one, two = (look(paint("night sky with stars", seamless="both", seed=seed)) / 255.0 for seed in (4, 5))
    for axis in (0, 1):
        beside = np.r_[0:8, one.shape[axis] - 9 : one.shape[axis] - 1]
        inner = np.abs(np.diff(one, axis=axis)).take(beside, axis).mean()
        assert (one.take(0, axis).min(axis=-1) < 0.8).mean() > 0.1, "something lies on the edge"
        assert np.abs(one.take(0, axis) - one.take(-1, axis)).mean() < 2 * inner
        assert np.abs(one.take(0, axis) - two.take(-1, axis)).mean() > 3 * inner, "edges of two pictures do not fit"
