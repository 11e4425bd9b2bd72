"""What is put into a picture goes on from it: soft edges inside the mask, colours that match, no change outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from studio.media import masks, seams

SIDE = 96


def smooth(seed: int = 0, side: int = SIDE) -> np.ndarray:
    """A picture without edges: (height, width, 3), 40..200."""
    waves = np.random.default_rng(seed).normal(size=(3, 3)) / 25
    y, x = np.mgrid[:side, :side]
    return 120 + 80 * np.stack([np.sin(a * x + b * y + 40 * c) for a, b, c in waves], axis=-1)


def picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).round().astype(np.uint8))


def disc(radius: int, side: int = SIDE) -> Image.Image:
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((side // 2 - radius, side // 2 - radius, side // 2 + radius, side // 2 + radius), 255)
    return mask


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 4, 64]), st.integers(1, 40), st.integers(1, 40))
def test_outside_of_any_mask_not_a_pixel_changes(seed: int, blur: int, width: int, height: int) -> None:
    random = np.random.default_rng(seed)
    first, second = (random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2))
    mask = (random.random((height, width)) < 0.4).astype(np.uint8) * 255
    out = np.asarray(seams.joined(Image.fromarray(first), Image.fromarray(second), Image.fromarray(mask), blur))
    assert (out[mask == 0] == first[mask == 0]).all()


def test_the_edge_is_as_soft_as_it_was_asked_and_the_middle_is_all_there() -> None:
    row = [np.asarray(seams.soft_edge(disc(40), blur))[SIDE // 2, : SIDE // 2].astype(int) for blur in (0, 2, 6)]
    assert [line[-1] for line in row] == [255] * 3
    rising = [int((line < 200).sum() - (line == 0).sum()) for line in row]
    assert rising[0] < rising[1] < rising[2]
    assert all((np.diff(line) >= 0).all() for line in row)


@pytest.mark.parametrize("width", [1, 2, 5, 9])
def test_a_stroke_thinner_than_its_blur_is_painted_all_the_same(width: int) -> None:
    mask = disc(20)
    ImageDraw.Draw(mask).rectangle((0, 5, SIDE, 5 + width - 1), 255)
    edge = np.asarray(seams.soft_edge(mask, 16))
    assert edge[5 + width // 2, 10] > 220
    assert edge[SIDE // 2, SIDE // 2] > 220


@pytest.mark.parametrize("cast", ["none", "brighter", "slanted", "flat"])
def test_colours_go_on_across_the_seam(cast: str) -> None:
    truth, mask = smooth(), disc(24)
    slope = np.linspace(-20, 20, SIDE)[:, None, None]
    painted = {
        "none": truth, "brighter": truth + np.array([12, -9, 5]), "slanted": truth + slope,
        "flat": (truth - 120) * 0.85 + 120,
    }[cast]  # fmt: skip
    out = np.asarray(seams.matched(picture(truth), picture(painted), mask), float)
    inside = np.asarray(mask) > 0
    edge = inside & ~(np.asarray(disc(21)) > 0)
    before, after = (np.abs(each - truth)[edge].mean() for each in (painted, out))
    assert after < max(before / 4, 0.7)
    assert np.abs(out - truth)[inside].mean() <= max(np.abs(painted - truth)[inside].mean(), 0.7)


def test_a_thing_that_crosses_the_edge_is_no_colour_to_match() -> None:
    truth, mask = smooth(), disc(24)
    painted = truth.copy()
    painted[44:52, 60:] = (250, 10, 10)  # only the painted one has it, inside and outside
    out = np.asarray(seams.matched(picture(truth), picture(painted), mask), float)
    assert np.abs(out[46:50, 62:70] - (250, 10, 10)).mean() < 6
    other = picture(255 - truth)  # nothing outside is what it was
    assert np.abs(np.asarray(seams.matched(picture(truth), other, mask), int) - np.asarray(other, int)).max() < 25


def test_a_mask_without_an_outside_leaves_what_was_painted() -> None:
    whole = Image.new("L", (SIDE, SIDE), 255)
    painted = picture(smooth(1))
    assert seams.joined(picture(smooth()), painted, whole, 0).tobytes() == painted.tobytes()


def test_the_box_round_a_mask_has_the_shape_that_is_painted_and_lies_in_the_picture() -> None:
    mask = Image.new("L", (300, 200))
    mask.paste(127, (0, 0, 300, 200))  # less than half counts for nothing
    assert masks.marked_box(mask) is None
    mask.paste(255, (280, 10, 300, 60))
    assert masks.marked_box(mask) == (280, 10, 300, 60)
    assert masks.marked_box(mask, 32) == (248, 0, 300, 92)
    assert masks.shaped_box((248, 0, 300, 92), 1.0, mask.size) == (208, 0, 300, 92)
    assert masks.shaped_box((0, 0, 300, 50), 0.5, mask.size) == (0, -200, 300, 400)
