"""More pictures like one: other seeds, relatives, and what to do where it did not come from words alone."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.errors import StudioError
from studio.requests import ImageRequest, UpscaleRequest
from studio.results import Artifact
from studio.service import Studio
from tabs.image import like_this

HILLS = ImageRequest(prompt="a {red|blue|green} hill", seed=5, steps=2, width=64, height=64)


def made(studio: Studio, **changes: Any) -> Artifact:
    return studio.submit(replace(HILLS, **changes)).result()


def wanted(artifact: Artifact, how: tuple[float, float] | None, place: int = 0, **kept: bytes) -> ImageRequest:
    return like_this.wanted(
        artifact.recipes[place], artifact.files[place].read_bytes, how, lambda hash: kept.get("source")
    )


def pixels(file: Any) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGB"), np.float32)


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "orange").save(out, "PNG")
    return out.getvalue()


def test_four_like_one_have_its_words_and_other_seeds(studio: Studio) -> None:
    one = made(studio, count=3)
    four = studio.submit(wanted(one, None, 1)).result()
    assert len(four.files) == 4
    assert len({each["seed"] for each in four.recipes} | {one.recipes[1]["seed"]}) == 5
    words = {tuple(each["parameters"]["prompts"]) for each in four.recipes}
    assert words == {tuple(one.recipes[1]["parameters"]["prompts"])}


def test_relatives_share_the_noise_and_differ(studio: Studio) -> None:
    one = made(studio)
    for how in (like_this.NEAR, like_this.FAR):
        asked = wanted(one, how)
        assert (asked.seed, asked.variation, asked.image) == (5, how[0], b"")
        four = studio.submit(asked).result()
        assert len({file.read_bytes() for file in (*four.files, one.files[0])}) == 5
        assert {each["seed"] for each in four.recipes} == {5}


def test_a_relative_and_a_picture_from_a_picture_are_begun_with_themselves(studio: Studio) -> None:
    source = png()
    for one in (made(studio, variation=0.2, variation_seed=3), made(studio, image=source, strength=0.8)):
        near, far = (wanted(one, how, source=source) for how in (like_this.NEAR, like_this.FAR))
        assert near.image == far.image == one.files[0].read_bytes()
        assert (near.strength, far.strength) == (like_this.NEAR[1], like_this.FAR[1])
        first = pixels(one.files[0])
        distances = [
            np.mean([np.abs(pixels(file) - first).mean() for file in studio.submit(asked).result().files])
            for asked in (replace(near, seed=1), replace(far, seed=1))
        ]
        assert 0 < distances[0] < distances[1]


def test_an_enlarged_picture_has_relatives_of_its_painting(studio: Studio) -> None:
    one = made(studio)
    larger = studio.submit(UpscaleRequest(image=one.files[0].read_bytes(), scale=2)).result()
    asked = wanted(larger, like_this.NEAR)
    assert (asked.prompt, asked.seed, asked.width) == (HILLS.prompt, 5, 64)


def test_where_what_it_began_with_is_gone_that_is_said(studio: Studio) -> None:
    one = made(studio, image=png(), strength=0.8)
    with pytest.raises(StudioError) as caught:
        wanted(one, None)
    assert caught.value.code == "no_source"
