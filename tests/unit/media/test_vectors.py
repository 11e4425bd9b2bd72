"""Pictures without their ground, and as vectors: drawn by another program and compared with what they came from."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from studio.errors import StudioError
from studio.media import ground, vectors
from studio.recipes import recipe

SHEET = Path(__file__).resolve().parents[3] / "docs" / "icons.png"
BOUND = 10.0
"""Mean distance in 255 levels that a drawing may have from its picture, both on white."""


def rendered(svg: str) -> Image.Image:
    """What resvg makes of it."""
    import resvg_py

    return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA")


def on(colour: str, picture: Image.Image) -> np.ndarray:
    paper = Image.new("RGBA", picture.size, colour)
    paper.alpha_composite(picture.convert("RGBA"))
    return np.asarray(paper.convert("RGB")).astype(int)


def ring(size: int = 128, paper: str = "white") -> Image.Image:
    """A red ring with soft edges on paper; its hole has the paper's colour."""
    large = Image.new("RGB", (size * 4, size * 4), paper)
    draw = ImageDraw.Draw(large)
    draw.ellipse((size * 0.6, size * 0.6, size * 3.4, size * 3.4), "#c02020")
    draw.ellipse((size * 1.4, size * 1.4, size * 2.6, size * 2.6), paper)
    return large.resize((size, size), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("paper", ["white", "#203050", "#f0e8d0"])
def test_the_ground_goes_and_what_the_thing_encloses_stays(paper: str) -> None:
    picture = ring(paper=paper)
    cut = ground.cut_out(picture)
    alpha = np.asarray(cut.getchannel("A"))
    assert alpha[0, 0] == alpha[2, 64] == 0
    assert alpha[64, 30] == alpha[64, 64] == 255  # the ring, and its hole
    assert np.abs(on(paper, cut) - np.asarray(picture).astype(int)).max() < 40  # it can be put back
    rows, columns = np.mgrid[:128, :128] - 63.5
    rim = on("#000000", cut)[(np.hypot(rows, columns) > 42) & (alpha > 0)]
    assert (rim[:, 1] < 90).all(), "something of the old ground shines around the thing"


def test_a_picture_without_a_ground_is_refused_and_one_that_is_cut_out_stays() -> None:
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    with pytest.raises(StudioError) as refused:
        ground.cut_out(noise)
    assert refused.value.code == "no_ground"
    cut = ground.cut_out(ring())
    assert ground.cut_out(cut).tobytes() == cut.tobytes()
    assert ground.cut_out(Image.new("RGB", (1, 1), "white")).size == (1, 1)


def test_a_speck_in_a_corner_is_ground_and_a_thing_that_reaches_it_is_none() -> None:
    picture = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(picture).ellipse((30, 30, 98, 98), "red")
    for place in ((0, 0), (127, 0), (1, 126)):
        picture.putpixel(place, (120, 120, 130))
    cut = ground.cut_out(picture)
    assert [cut.getpixel(place)[3] for place in ((0, 0), (127, 0), (1, 126))] == [0, 0, 0]  # type: ignore[index]
    ImageDraw.Draw(picture).polygon([(0, 0), (60, 0), (0, 60)], "red")
    assert ground.cut_out(picture).getpixel((0, 0)) == (255, 0, 0, 255)


@pytest.mark.parametrize("place", [0, 3, 4, 11, 15, 29, 42, 62])
def test_what_the_starter_painted_becomes_few_shapes_that_look_alike(place: int) -> None:
    left, top = 8 + place % 8 * 200, 8 + place // 8 * 222
    with Image.open(SHEET) as sheet:
        picture = sheet.convert("RGB").crop((left, top, left + 192, top + 192))
    made = vectors.trace(picture)
    assert 0 < made.paths <= vectors.MOST_PATHS
    assert made.svg.count("<path ") == made.paths
    assert made.cut
    drawn = rendered(made.svg)
    assert drawn.size == picture.size
    assert drawn.getpixel((0, 0)) == (0, 0, 0, 0)
    assert np.abs(on("white", drawn) - np.asarray(picture).astype(int)).mean() < BOUND


def test_a_large_flat_picture_is_drawn_at_its_own_size() -> None:
    picture = ring(900)
    made = vectors.trace(picture)
    drawn = rendered(made.svg)
    assert drawn.size == (900, 900)
    assert np.abs(on("white", drawn) - np.asarray(picture).astype(int)).mean() < 3
    assert made.paths < 12


def test_a_photograph_is_refused() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 300, 3), np.uint8)
    with pytest.raises(StudioError) as refused:
        vectors.trace(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2)))
    assert refused.value.code == "not_flat"


def test_a_picture_of_nothing_but_ground_is_refused() -> None:
    with pytest.raises(StudioError):
        vectors.trace(Image.new("RGB", (64, 64), "white"))


@pytest.mark.parametrize("words", ["a <b> & \"c\" 'd'", "火箭 ]]> --> </metadata>", "\N{GRINNING FACE} \\ &lt;"])
def test_the_recipe_comes_back_out_of_the_file(words: str) -> None:
    told = {"schema": 1, "task": "image", "parameters": {"prompt": words}}
    svg = vectors.trace(ring(), json.dumps(told, ensure_ascii=False)).svg
    assert json.loads(vectors.read_recipe(svg.encode())) == told
    assert rendered(svg).size == (128, 128)
    assert vectors.read_recipe(b"<svg></svg>") == vectors.read_recipe(b"") == ""
    assert recipe.read_recipe(b"<svg" + b"<" * 1000) is None
