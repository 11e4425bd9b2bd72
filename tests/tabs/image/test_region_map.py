"""Regions on the page: the drawing as masks and back, and what is missing is said."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from studio.errors import StudioError
from studio.request_parts import Region
from tabs.image import region_map
from tabs.image.region_map import SIDE

LEFT = "96;" + ",".join(["1*48,0*48"] * SIDE)
BOTH = "96;" + ",".join(["1*48,2*48"] * SIDE)


def box(data: bytes) -> tuple[int, int, int, int] | None:
    return Image.open(io.BytesIO(data)).getbbox()


def values(drawing: str, **more: str) -> dict[str, str]:
    return {**region_map.EMPTY, "region_map": drawing, **more}


def test_a_drawing_is_a_mask_for_each_region() -> None:
    asked = values(BOTH, region_1_prompt=" a cat ", region_2_prompt="a dog", region_2_weight="0.5")
    one, two = region_map.wanted(asked)
    assert (one.prompt, one.weight, two.prompt, two.weight) == ("a cat", 1.0, "a dog", 0.5)
    assert (box(one.mask), box(two.mask)) == ((0, 0, 48, 96), (48, 0, 96, 96))
    assert region_map.fields((one, two), (one.mask, two.mask)) == {**asked, "region_1_prompt": "a cat"}


def test_nothing_drawn_is_no_region() -> None:
    assert region_map.wanted(values("")) == ()
    assert region_map.fields((), ()) == region_map.EMPTY
    assert not region_map.asked({})
    assert region_map.asked({"image-region-map": LEFT})


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (values(LEFT), "region_unnamed"),
        (values("", region_1_prompt="a cat"), "region_undrawn"),
        (values(LEFT, region_1_prompt="a cat", region_3_prompt="a dog"), "region_undrawn"),
        (values(LEFT, region_1_prompt="a cat", region_1_weight="much"), "not_a_number"),
        (values("96;1*9215", region_1_prompt="a"), "bad_regions"),
        (values("96;5*9216", region_1_prompt="a"), "bad_regions"),
        (values("95;1*9216", region_1_prompt="a"), "bad_regions"),
        (values("96;1*99999", region_1_prompt="a"), "bad_regions"),
        (values("x" * 70_000, region_1_prompt="a"), "bad_regions"),
        (values("96;", region_1_prompt="a"), "bad_regions"),
    ],
)
def test_what_is_missing_or_no_drawing_is_said(asked: dict[str, str], code: str) -> None:
    with pytest.raises(StudioError) as refused:
        region_map.wanted(asked)
    assert refused.value.code == code


def test_masks_of_other_programs_become_cells_and_a_lost_one_is_empty() -> None:
    mask = Image.new("L", (400, 200))
    mask.paste(255, (0, 0, 200, 100))
    out = io.BytesIO()
    mask.save(out, "PNG")
    found = region_map.fields((Region("a", b"", 0.25), Region("b")), (out.getvalue(), None))
    assert found["region_1_weight"] == "0.25"
    drawn = region_map.read(found["region_map"])
    assert drawn.keys() == {1}
    assert box(drawn[1]) == (0, 0, 48, 48)
