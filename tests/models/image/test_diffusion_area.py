"""Only the masked part, with every kind of pipeline that paints over pictures."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tiny import Recorder
from tiny_pipelines import pixels

from studio.requests import ImageRequest

OVER = ("stable_diffusion", "latent_consistency", "icons", "stable_diffusion_xl", "z_image")
WIDE, HIGH, BOX = 90, 50, (60, 20, 80, 34)
PICTURE = np.random.default_rng(0).integers(0, 255, (HIGH, WIDE, 3), dtype=np.uint8)


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def mask() -> bytes:
    marked = Image.new("L", (WIDE, HIGH))
    marked.paste(255, BOX)
    return png(marked)


ASK = ImageRequest(
    prompt="a red heart", width=32, height=32, steps=4, guidance_scale=4.0, strength=0.7, seed=5, mask_padding=8,
    mask_blur=1, image=png(Image.fromarray(PICTURE)), mask=mask(), masked_only=True,
)  # fmt: skip


@pytest.mark.parametrize("kind", OVER)
def test_the_masked_part_is_painted_alone_and_the_rest_keeps_every_pixel(painters, kind):
    model = painters(kind)
    batch = model.run(replace(ASK, count=2), Recorder())
    inside = np.zeros((HIGH, WIDE), bool)
    inside[BOX[1] : BOX[3], BOX[0] : BOX[2]] = True
    for painted in map(np.asarray, batch.images):
        assert painted.shape == PICTURE.shape
        assert (painted[~inside] == PICTURE[~inside]).all()
        assert (painted[inside] != PICTURE[inside]).any(axis=-1).mean() > 0.7
    assert pixels(model.run(replace(ASK, seed=6), Recorder())) == pixels(batch)[1:]


@pytest.mark.parametrize("kind", ["stable_diffusion", "icons"])
def test_it_is_painted_twice_where_it_is_enlarged(painters, kind):
    context = Recorder()
    larger = painters(kind).run(replace(ASK, width=64, height=64, hires_scale=2.0, hires_strength=0.5), context)
    assert larger.images[0].size == (WIDE, HIGH)
    done, total = context.steps[-1]
    assert done == total >= 4, "two of four steps small, and two large"
    painted = np.asarray(larger.images[0])
    assert (painted[:, : BOX[0]] == PICTURE[:, : BOX[0]]).all()
    assert pixels(larger) != pixels(painters(kind).run(replace(ASK, width=64, height=64), Recorder()))


def test_what_is_kept_beside_the_mask_is_seen_and_what_was_not_cut_out_is_not(painters):
    def change(at: int) -> bytes:
        other = PICTURE.copy()
        other[:, at : at + 4] = 255 - other[:, at : at + 4]
        part = np.asarray(painters("icons").run(replace(ASK, image=png(Image.fromarray(other))), Recorder()).images[0])
        return part[BOX[1] : BOX[3], BOX[0] : BOX[2]].tobytes()

    assert change(0) != change(54)
    assert change(0) == change(20)
