"""Masks as other programs write them, and what they mark."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from studio.errors import StudioError
from studio.media import masks
from studio.requests import ImageRequest
from studio.service import Studio

SIZE = (128, 96)
BOX = (16, 8, 63, 55)


def png(picture: Image.Image, **more: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", **more)
    return out.getvalue()


def boxed(mode: str, ground: Any, paint: Any) -> Image.Image:
    picture = Image.new(mode, SIZE, ground)
    ImageDraw.Draw(picture).rectangle(BOX, fill=paint)
    return picture


def with_holes() -> Image.Image:
    picture = Image.merge("RGB", [Image.linear_gradient("L").resize(SIZE).rotate(turn) for turn in (0, 90, 180)])
    picture.putalpha(boxed("L", 255, 0))
    return picture


def palette() -> Image.Image:
    picture = boxed("P", 0, 1)
    picture.putpalette([0, 0, 0, 255, 255, 255])
    return picture


MASKS = {
    "white on black": boxed("RGB", "black", "white"),
    "grey": boxed("L", 0, 255),
    "one bit": boxed("1", 0, 1),
    "palette": palette(),
    "16 bits": Image.fromarray(np.asarray(boxed("L", 0, 255)).astype(np.uint16) * 257),
    "red on black": boxed("RGB", "black", "red"),
    "soft": boxed("L", 0, 255).filter(ImageFilter.GaussianBlur(1)),
    "opaque layer": boxed("RGBA", (0, 0, 0, 255), (255, 255, 255, 255)),
    "white on nothing": boxed("RGBA", (0, 0, 0, 0), (255, 255, 255, 255)),
    "white on white nothing": boxed("RGBA", (255, 255, 255, 0), (255, 255, 255, 255)),
    "black on nothing": boxed("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)),
    "colour on nothing": boxed("RGBA", (0, 0, 0, 0), (255, 84, 38, 200)),
    "a picture with holes": with_holes(),
}


@pytest.mark.parametrize("name", MASKS)
def test_the_box_is_marked_and_nothing_else(name: str) -> None:
    found = masks.read_mask(png(MASKS[name]))
    assert (found.mode, found.size) == ("L", SIZE)
    marked = np.asarray(found) >= masks.HALF
    expected = np.asarray(boxed("L", 0, 255)) > 0
    assert (marked != expected).mean() < (0.02 if name == "soft" else 1e-9)


def test_of_black_and_white_paint_on_nothing_only_the_white_counts() -> None:
    picture = boxed("RGBA", (0, 0, 0, 0), (255, 255, 255, 255))
    ImageDraw.Draw(picture).rectangle((20, 12, 40, 20), fill=(0, 0, 0, 255))
    found = masks.read_mask(png(picture))
    assert (found.getpixel((17, 9)), found.getpixel((30, 15)), found.getpixel((1, 1))) == (255, 0, 0)


@pytest.mark.parametrize(
    "empty",
    [
        Image.new("L", SIZE),
        Image.new("L", SIZE, 127),
        Image.new("RGBA", SIZE),
        boxed("RGBA", (0, 0, 0, 255), (9, 9, 9, 255)),
    ],
)
def test_a_mask_that_marks_nothing_is_refused_before_a_model_is_loaded(studio: Studio, empty: Image.Image) -> None:
    request = ImageRequest(prompt="hills", image=png(boxed("RGB", "red", "blue")), mask=png(empty), steps=1)
    with pytest.raises(StudioError) as caught:
        studio.submit(request)
    assert caught.value.code == "mask_empty"
    assert studio.jobs() == ()


def test_only_what_is_marked_is_painted_anew(studio: Studio) -> None:
    start = boxed("RGB", "red", "blue")
    mask = png(MASKS["white on nothing"])
    request = ImageRequest(prompt="hills", image=png(start), mask=mask, strength=1.0, steps=1, width=128, height=96)
    found = np.asarray(Image.open(studio.submit(request).result().files[0]), int)
    apart = np.abs(found - np.asarray(start, int)).max(axis=2) > 0
    inside = np.asarray(boxed("L", 0, 255)) > 0
    assert not apart[~inside].any()
    assert apart[inside].mean() > 0.9
