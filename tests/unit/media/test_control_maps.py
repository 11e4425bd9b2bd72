"""Maps for ControlNets: as another program makes them, and what holds for every picture.

tests/data/control holds a picture and what OpenCV 5.0.0 makes of it: cv2.Canny(picture, 100, 200), and lineart_standard
and scribble_xdog in the words of controlnet_aux, whose blurs are cv2.GaussianBlur.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from studio.media.control_maps import MAKERS, canny, control_map
from studio.request_parts import PREPROCESSORS

DATA = Path(__file__).resolve().parents[2] / "data" / "control"
PICTURES = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))


def opened(name: str) -> Image.Image:
    return Image.open(DATA / f"{name}.png").convert("RGB")


@pytest.mark.parametrize(("name", "off"), [("canny", 0), ("scribble", 0), ("lineart", 1)])
def test_maps_are_those_of_opencv(name: str, off: int) -> None:
    made = np.asarray(MAKERS[name](opened("picture"))).astype(int)
    assert np.abs(made - np.asarray(opened(name))).max() <= off


@settings(max_examples=20, deadline=None)
@given(PICTURES, st.sampled_from(sorted(MAKERS)))
def test_a_map_has_the_size_of_its_picture_and_is_the_same_each_time(values: np.ndarray, name: str) -> None:
    picture = Image.fromarray(values)
    made = MAKERS[name](picture)
    assert (made.size, made.mode) == (picture.size, "RGB")
    assert made.tobytes() == MAKERS[name](picture).tobytes()


@settings(max_examples=20, deadline=None)
@given(PICTURES)
def test_edges_do_not_know_light_from_dark(values: np.ndarray) -> None:
    """What lies between two colours is an edge whichever is the lighter one; weak ones hang on strong ones."""
    edges = np.asarray(canny(Image.fromarray(values)))
    assert set(np.unique(edges)) <= {0, 255}
    sure = np.asarray(canny(Image.fromarray(values), 200, 200))
    assert (edges >= sure).all(), "more is an edge where less has to change"


def test_a_plain_picture_has_no_edges_and_a_square_has_one_all_around() -> None:
    plain = Image.new("RGB", (40, 30), "#405060")
    for name in ("canny", "lineart", "scribble"):
        assert not np.asarray(MAKERS[name](plain)).any(), name
    ImageDraw.Draw(plain).rectangle((10, 8, 29, 21), fill="white")
    edges = np.asarray(canny(plain))[..., 0] > 0
    rows, columns = np.nonzero(edges)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) in [(7, 22, 9, 30), (8, 22, 10, 30), (7, 21, 9, 29)]
    assert not edges[12:18, 14:26].any()


def test_colours_are_fields_and_tiles_are_without_details() -> None:
    picture = opened("picture").resize((256, 128))
    grid = np.asarray(MAKERS["color_grid"](picture))
    fields = grid.reshape(2, 64, 4, 64, 3)
    assert (fields == fields[:, :1, :, :1]).all()
    tile = np.asarray(MAKERS["tile"](picture)).astype(int)
    rough = np.abs(np.diff(np.asarray(picture).astype(int), axis=1)).mean()
    assert np.abs(np.diff(tile, axis=1)).mean() < rough / 2
    assert (np.asarray(MAKERS["invert"](picture)) == 255 - np.asarray(picture)).all()
    grey = np.asarray(MAKERS["luminance"](picture))
    assert (grey[..., 0] == grey[..., 1]).all()


@pytest.mark.parametrize("fit", ["crop", "fill", "stretch"])
@pytest.mark.parametrize("size", [(64, 64), (96, 32), (24, 80)])
def test_a_map_comes_to_the_size_that_is_painted(fit: str, size: tuple[int, int]) -> None:
    made = control_map(opened("picture"), "canny", size, fit)  # type: ignore[arg-type]
    assert made.size == size


def test_a_margin_is_no_edge_and_keeps_the_whole_picture() -> None:
    picture = Image.new("RGB", (40, 40), "white")
    ImageDraw.Draw(picture).rectangle((0, 15, 39, 24), fill="#101010")
    whole = np.asarray(control_map(picture, "canny", (80, 40), "fill"))[..., 0]
    assert not whole[:, :19].any()
    assert not whole[:, 61:].any(), "the edge of the picture became a line"
    assert whole[:, 25:55].any()
    plain = np.asarray(control_map(picture, "", (80, 40), "fill"))
    assert (plain[:, 20:60] == np.asarray(picture)).all()
    assert (plain[:, :20] == 255).all(), "the margin has the colour of most of the edge"


@pytest.mark.parametrize("size", [(100, 100), (150, 100), (512, 512), (700, 700)])
def test_an_edge_is_one_line_at_every_size(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(picture).rectangle((90, 60, 210, 160), fill="#203050")
    made = np.asarray(control_map(picture, "canny", size))[..., 0]
    assert np.count_nonzero(made[size[1] // 2]) == np.count_nonzero(made[:, size[0] // 2]) == 2


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    picture = opened("picture")
    for fit in ("crop", "fill", "stretch"):
        assert control_map(picture, "", picture.size, fit).tobytes() == picture.tobytes()  # type: ignore[arg-type]


def test_what_may_be_asked_for_is_what_can_be_made() -> None:
    assert (*MAKERS, "depth") == PREPROCESSORS, "depth is made by a network"


def test_depth_is_made_by_what_is_handed_in_and_fitted_like_every_map() -> None:
    picture = Image.new("RGB", (40, 40), "white")
    made = control_map(picture, "depth", (80, 40), "fill", lambda one: Image.new("RGB", one.size, "#202020"))
    assert made.size == (80, 40)
    assert made.getcolors() == [(80 * 40, (32, 32, 32))], "its margin goes on with it"
