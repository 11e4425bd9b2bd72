"""Pictures whose opposite edges fit together, measured across the edge, and pipelines that are what they were after."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import Recorder
from tiny_pipelines import pixels

from studio.engines.image import seamless
from studio.errors import Cancelled
from studio.requests import ImageRequest

UNETS = ("stable_diffusion", "latent_consistency", "icons", "stable_diffusion_xl")
ASK = ImageRequest(prompt="moss", width=64, height=64, steps=3, guidance_scale=4.0, seed=5)


def steps_across(picture: Image.Image) -> tuple[float, float, float, float]:
    """Mean difference across the left and right edge, the top and bottom one, and of neighbours across and down."""
    seen = np.asarray(picture, float)
    return (
        float(np.abs(seen[:, 0] - seen[:, -1]).mean()),
        float(np.abs(seen[0] - seen[-1]).mean()),
        float(np.abs(np.diff(seen, axis=1)).mean()),
        float(np.abs(np.diff(seen, axis=0)).mean()),
    )


def patched(model: object) -> list[object]:
    pipe = model._family.pipe  # type: ignore[attr-defined]
    layers = [*pipe.unet.modules(), *pipe.vae.modules()]
    return [layer for layer in layers if "_conv_forward" in vars(layer)]


@pytest.mark.parametrize("kind", UNETS)
def test_a_shifted_picture_is_the_picture_of_shifted_noise(painters, kind):
    """The edge is no place: what the autoencoder makes of latents that are rolled is its picture, rolled."""
    pipe = painters(kind)._family.pipe
    latents = torch.randn(1, pipe.vae.config.latent_channels, 16, 16, generator=torch.Generator().manual_seed(0))
    scale = pipe.vae_scale_factor
    for way, shift in (("both", (5, 3)), ("x", (0, 3)), ("y", (5, 0))):
        with torch.no_grad(), seamless.wrapped(pipe, way):
            plain, rolled = (pipe.vae.decode(each).sample for each in (latents, latents.roll(shift, (2, 3))))
        assert torch.allclose(plain.roll((shift[0] * scale, shift[1] * scale), (2, 3)), rolled, atol=1e-4), way
    with torch.no_grad(), seamless.wrapped(pipe, "x"):
        down = pipe.vae.decode(latents.roll(5, 2)).sample
    assert not torch.allclose(plain.roll(5 * scale, 2), down, atol=1e-2)


@pytest.mark.parametrize("kind", UNETS)
def test_it_is_another_picture_and_the_next_one_is_as_ever(painters, kind):
    model = painters(kind)
    plain = pixels(model.run(ASK, Recorder()))
    batch = model.run(replace(ASK, seamless="both", count=2), Recorder())
    assert pixels(batch)[0] != plain[0]
    assert pixels(model.run(replace(ASK, seamless="both", seed=6), Recorder())) == pixels(batch)[1:]
    assert (
        len({*pixels(batch)[:1], *(pixels(model.run(replace(ASK, seamless=way), Recorder()))[0] for way in "xy")}) == 3
    )
    assert patched(model) == []
    assert pixels(model.run(ASK, Recorder())) == plain


def test_stop_and_errors_leave_the_layers_as_they_were(painters, monkeypatch):
    model = painters("icons")
    plain = pixels(model.run(ASK, Recorder()))
    with pytest.raises(Cancelled):
        model.run(replace(ASK, seamless="both"), Recorder(stop_after=1))
    assert patched(model) == []
    with monkeypatch.context() as broken:
        broken.setattr(model, "_picture", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model.run(replace(ASK, seamless="both"), Recorder())
    assert patched(model) == []
    assert pixels(model.run(ASK, Recorder())) == plain


def test_models_without_convolutions_say_that_they_cannot(painters):
    model = painters("z_image")
    asked = model.run(replace(ASK, width=32, height=32, seamless="both"), Recorder())
    assert ("no_seamless", {}) in asked.notes
    assert pixels(asked) == pixels(model.run(replace(ASK, width=32, height=32), Recorder()))


def test_a_part_that_is_put_back_fits_where_it_is_put(painters):
    file, marked = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (80, 80), "green").save(file, "PNG")
    mask = Image.new("L", (80, 80))
    mask.paste(255, (20, 20, 50, 50))
    mask.save(marked, "PNG")
    given = {"image": file.getvalue(), "mask": marked.getvalue(), "strength": 0.8}
    painted = painters("icons").run(replace(ASK, **given, masked_only=True, seamless="both"), Recorder())
    assert ("no_seamless", {}) in painted.notes


def test_it_is_never_decoded_in_tiles(painters):
    model = painters("stable_diffusion")
    model.run(replace(ASK, tiling=True, seamless="both"), Recorder())
    assert not model._family.pipe.vae.use_tiling


def test_enlarging_sees_the_other_edge():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 24, 3), dtype=np.uint8))
    for way in ("both", "x", "y"):
        larger = np.asarray(seamless.enlarged(noise, (48, 80), way), int)
        turned = Image.fromarray(np.roll(np.asarray(noise), 7, axis=0 if way == "y" else 1))
        again = np.roll(np.asarray(seamless.enlarged(turned, (48, 80), way), int), -14, axis=0 if way == "y" else 1)
        assert np.abs(larger - again).max() <= 1
    assert (
        seamless.enlarged(noise, (48, 80), "").tobytes() == noise.resize((48, 80), Image.Resampling.LANCZOS).tobytes()
    )
