"""The starter that captions: icons of a set that it never saw, in both languages; its size."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.requests import CaptionRequest
from studio.results import Artifact
from studio.service import Studio
from studio.settings import Settings
from tabs.caption import result
from train.caption import photographs

SHIPPED = Path(__file__).parents[3] / "assets" / "starters" / "caption"
UNSEEN = sorted((Path(__file__).parents[2] / "data" / "caption").glob("*.png"))
"""The first 24 of the 200 icons of the score, by its seed; none was chosen. Each is called by what it shows."""
LEAST = 12
PAINTED = sorted((Path(__file__).parents[2] / "data" / "painted").glob("*.png"))
"""Pictures of the image starter that an earlier judge took for photographs."""


@pytest.fixture(scope="module")
def caption(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    home = tmp_path_factory.mktemp("home")
    with Studio(Settings(home=home, device="cpu", keep_free_gb=0)) as studio:

        def caption(image: bytes, **settings: object) -> Artifact:
            request = CaptionRequest(image=image, model="observer", **settings)  # pyright: ignore[reportArgumentType]
            *_, last = studio.submit(request).events()
            assert last.error is None, last.error
            assert last.artifact is not None
            return last.artifact

        yield caption


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def holds(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name.lower())}(?![\w-])", text.lower()) is not None


def square(colour: str, ground: str = "white") -> bytes:
    picture = Image.new("RGB", (128, 128), ground)
    picture.paste(colour, (36, 36, 92, 92))
    return png(picture)


def test_it_names_icons_in_a_style_that_it_never_saw(caption):
    said = {file.stem: caption(file.read_bytes(), length="short").text for file in UNSEEN}
    right = [name for name, text in said.items() if holds(text, name.partition("-")[2])]
    assert len(UNSEEN) == 24
    assert len(right) >= LEAST, said


def test_chinese_is_asked_for_and_longer_captions_say_more(caption):
    picture = UNSEEN[0].read_bytes()
    short, normal, long = (caption(picture, length=length).text for length in ("short", "normal", "long"))
    assert len(short) < len(normal) < len(long)
    assert "background" in normal
    assert "background" not in short
    chinese = caption(picture, length="normal", prompt="中文").text
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert not re.search(r"[a-z]{3}", chinese)
    assert "背景" in chinese
    assert caption(picture, length="normal", prompt="in Chinese").text == chinese
    assert caption(picture, length="normal", prompt="英文").text == normal


@pytest.mark.parametrize(
    ("rgb", "colour", "ground"),
    [("#da1e2d", "red", "white"), ("#2369d7", "blue", "white"), ("#3ca03c", "green", "white"),
     ("#facd2d", "yellow", "black")],
)  # fmt: skip
def test_colours_are_those_of_the_picture(caption, rgb, colour, ground):
    text = caption(square(rgb, ground), length="normal").text
    assert holds(text.partition(" on ")[0], colour)
    assert f"{ground} background" in text


@pytest.mark.parametrize("picture", PAINTED, ids=lambda file: file.stem)
def test_what_the_image_starter_paints_is_no_photograph(caption, picture):
    assert "background" in caption(picture.read_bytes(), length="normal").text


@pytest.mark.parametrize("name", result.EXAMPLES)
def test_the_pictures_that_the_page_offers_are_named_rightly_and_carry_nothing_else(caption, name):
    file = result.PICTURES / f"{name}.png"
    assert holds(caption(file.read_bytes(), length="short").text, name)
    with Image.open(file) as picture:
        assert not picture.info


def test_a_picture_without_anything_in_it_is_no_error(caption):
    assert caption(png(Image.new("RGB", (1, 1), "white"))).text
    assert caption(png(Image.new("L", (3000, 20), "gray"))).text


def test_what_has_grain_counts_as_a_photograph_and_an_icon_does_not(caption):
    made = [photographs.scene(np.random.default_rng(seed)) for seed in (1000, 1001, 1002)]
    for scene in made:
        picture = png(Image.fromarray((scene * 255).astype(np.uint8)))
        assert "a photo of" in caption(picture, length="normal").text
    assert "photo" not in caption(UNSEEN[0].read_bytes(), length="normal").text


def test_tags_are_asked_for_by_their_style(caption):
    assert caption(UNSEEN[0].read_bytes(), style="tags").text.count(", ") >= 3


def test_a_caption_is_the_same_again(caption):
    picture = UNSEEN[1].read_bytes()
    assert caption(picture).text == caption(picture).text


def test_it_is_small_and_has_no_code_and_no_pickle():
    files = {file.name: file.stat().st_size for file in SHIPPED.iterdir()}
    assert sum(files.values()) < 10_100_000  # a tenth of a megabyte of it are the words that it may say
    assert {Path(name).suffix for name in files} == {".json", ".md", ".safetensors"}
    assert not any("auto_map" in file.read_text(encoding="utf-8") for file in SHIPPED.glob("*config.json"))


def test_all_starters_together_stay_small():
    assert sum(file.stat().st_size for file in SHIPPED.parent.rglob("*") if file.is_file()) < 45_000_000
