"""Only the masked part: what is cut out, at which size it is painted, and what the picture is in the end."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.engines.demo.landscape import paint
from studio.engines.image import init_image
from studio.requests import ImageRequest
from studio.tasks.image import size

CARD = tiny_card(Source("local"), 1, tasks=("image",), defaults={"width": 512, "height": 512})


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


def request(box: tuple[int, int, int, int], width: int = 400, height: int = 300, **more: object) -> ImageRequest:
    mask = Image.new("L", (width, height))
    mask.paste(255, box)
    given = {"image": png(noise(width, height)), "mask": png(mask), "masked_only": True, "width": 256, "height": 256}
    return ImageRequest(**({"prompt": "hills", "seed": 1, "strength": 1.0} | given | more))  # type: ignore[arg-type]


BOXES = {
    "middle": (100, 100, 200, 150), "corner": (0, 0, 30, 30), "other corner": (390, 290, 400, 300),
    "wide": (0, 100, 400, 140), "all": (0, 0, 400, 300), "a dot": (7, 7, 8, 8),
}  # fmt: skip


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("padding", [0, 32, 512])
def test_the_picture_keeps_its_size_and_every_pixel_outside(box: tuple[int, int, int, int], padding: int) -> None:
    asked = request(box, mask_padding=padding)
    out, before = np.asarray(paint(asked, 0)), np.asarray(noise(400, 300))
    assert out.shape == before.shape
    inside = np.zeros(out.shape[:2], bool)
    inside[box[1] : box[3], box[0] : box[2]] = True
    assert (out[~inside] == before[~inside]).all()
    assert (out[inside] != before[inside]).any(axis=-1).mean() > 0.5


def test_what_is_painted_is_the_masked_part_larger_and_undistorted() -> None:
    cutout = init_image.read_source(request((100, 100, 140, 120), mask_padding=10))
    assert cutout is not None
    assert cutout.box == (90, 80, 150, 140)
    assert cutout.source.image.size == (256, 256)
    part = noise(400, 300).crop((90, 80, 150, 140)).resize((256, 256), Image.Resampling.LANCZOS)
    assert cutout.source.image.tobytes() == part.tobytes()
    assert cutout.source.mask is not None
    painted = np.asarray(cutout.source.mask) == 255
    assert painted.mean() == pytest.approx(40 * 20 / 60**2, rel=0.1)


def test_beyond_the_picture_its_edge_goes_on() -> None:
    cutout = init_image.read_source(replace(request((0, 0, 400, 300)), width=512, height=128))
    assert cutout is not None
    left = -cutout.box[0]
    assert left > 0
    columns = np.asarray(cutout.source.image)[:, : int(left * 128 / 300) - 3].astype(int)
    assert np.abs(np.diff(columns, axis=1)).max() <= 2
    assert paint(replace(request((0, 0, 400, 300)), width=512, height=128), 0).size == (400, 300)


def test_without_strength_not_a_pixel_changes() -> None:
    assert paint(request(BOXES["middle"], strength=0.0), 0).tobytes() == noise(400, 300).tobytes()


def test_without_a_mask_it_is_a_picture_as_any_other() -> None:
    assert paint(replace(request(BOXES["middle"]), mask=b""), 0).size == (256, 256)


def test_it_is_painted_in_the_shape_of_what_is_marked() -> None:
    def sides(box: tuple[int, int, int, int], **more: object) -> tuple[int, int]:
        return size.sides(replace(request(box), **{"width": None, "height": None} | more), CARD)  # type: ignore[arg-type]

    wide, high = sides((0, 100, 400, 136))  # with its padding 400 × 100
    assert (wide % 8, high % 8) == (0, 0)
    assert wide / high == pytest.approx(4, rel=0.05)
    assert wide * high == pytest.approx(512 * 512, rel=0.05)
    assert sides((100, 100, 200, 200)) == (512, 512)
    assert sides((0, 100, 400, 136), width=256) == (256, 64)
    assert sides((0, 100, 400, 136), masked_only=False) == sides((1, 1, 3, 3), masked_only=False)
