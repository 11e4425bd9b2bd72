"""The recipe of the image starter: captions that are true, a run that goes on, a pipeline that loads."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from train.image import autoencoder, captions, colours, denoiser
from train.image.norm import quicken
from train.run import Run

ENTRY = {
    "label": "red apple", "tags": ["fruit", "food"], "rarity": [1.0, 0.5], "style": "flat style",
    "colours": [[("red", 0.9)], [("teal", 0.8), ("white", 0.1)]],
}  # fmt: skip


def _square(rgb: tuple[int, int, int]) -> np.ndarray:
    picture = np.zeros((128, 128, 4), np.uint8)
    picture[30:100, 30:100] = (*rgb, 255)
    return picture


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((220, 30, 40), "red"), ((40, 100, 220), "blue"), ((250, 210, 60), "yellow"), ((40, 40, 40), "black")],
)
def test_a_colour_is_called_by_its_name(rgb: tuple[int, int, int], name: str) -> None:
    assert colours.measure(_square(rgb))[0][0] == name


def test_what_is_transparent_has_no_colour() -> None:
    assert colours.measure(np.zeros((128, 128, 4), np.uint8)) == []


def test_turning_hues_keeps_the_shape_and_changes_the_colour() -> None:
    picture, random = _square((220, 30, 40)), np.random.default_rng(0)
    named = {colours.measure(turned := colours.shift(picture, random))[0][0] for _ in range(30)}
    assert (turned[..., 3] == picture[..., 3]).all()
    assert {"blue", "yellow"} <= named


def test_a_recoloured_picture_is_never_called_by_its_old_colour() -> None:
    random = np.random.default_rng(0)
    said = [captions.caption(ENTRY, 1, random) for _ in range(300)]
    assert not any("red" in words.replace("colored", "") for words in said)
    assert all("teal" in words for words in said)


def test_captions_of_one_icon_differ() -> None:
    random = np.random.default_rng(0)
    assert len({captions.caption(ENTRY, 0, random) for _ in range(100)}) > 30


def test_latents_are_standard_normal_and_pictures_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = autoencoder.build(autoencoder.INNER).eval()
    with torch.no_grad():
        model.quant_conv.bias.add_(3.0)
    pictures = np.random.default_rng(0).integers(0, 256, (8, 4, 128, 128, 3), np.uint8)
    some = functional.avg_pool2d(autoencoder.batch(pictures, np.random.default_rng(1), 8), 2)
    monkeypatch.setattr(autoencoder, "SAMPLES", 2)
    with torch.no_grad():
        before = model.decode(model.encode(some).latent_dist.mean).sample
        autoencoder.normalise(model, pictures, "cpu")
        after = model.decode(latents := model.encode(some).latent_dist.mean).sample
    assert torch.allclose(before, after, atol=1e-3)
    assert latents.mean((0, 2, 3)).abs().max() < 0.3
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 0.3


def test_a_grown_autoencoder_keeps_what_was_learnt() -> None:
    inner = autoencoder.build(autoencoder.INNER)
    whole = autoencoder.grow(inner)
    old, new = inner.state_dict(), whole.state_dict()
    assert torch.equal(
        old["encoder.down_blocks.0.resnets.0.conv1.weight"], new["encoder.down_blocks.1.resnets.0.conv1.weight"]
    )
    assert torch.equal(
        old["decoder.up_blocks.0.resnets.0.conv1.weight"], new["decoder.up_blocks.0.resnets.0.conv1.weight"]
    )
    assert torch.equal(old["quant_conv.weight"], new["quant_conv.weight"])
    assert whole.decode(torch.zeros(1, 8, 8, 8)).sample.shape == (1, 3, 128, 128)


def test_the_quick_normalisation_is_pytorchs_own_to_rounding() -> None:
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.GroupNorm(8, 16), torch.nn.SiLU())
    quick = quicken(copy.deepcopy(plain))
    grads = []
    for model in (plain, quick):
        x = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(1)).requires_grad_()
        model(x).pow(2).sum().backward()
        grads.append([x.grad, *(parameter.grad for parameter in model.parameters())])
    for one, other in zip(*grads, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-3)


def test_a_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    def run() -> tuple[Any, Run]:
        torch.manual_seed(0)
        model = torch.nn.Linear(2, 2)
        return model, Run(tmp_path / "run.pt", model, torch.optim.AdamW(model.parameters()), 1.0, average=0.9)

    model, first = run()
    for _ in range(3):
        first.update(model(torch.ones(2)).sum(), 1e-3, note="")
    first.save()
    other, second = run()
    assert second.step == 3
    assert torch.equal(other.weight, model.weight)
    assert torch.equal(second.average["weight"], first.average["weight"])


def test_the_schedule_ends_in_noise_and_every_time_is_inside_it() -> None:
    signal, noise, times = denoiser.schedule("cpu")
    assert signal[-1] < 0.01
    assert noise[-1] > 0.9999
    assert 0 <= int(times.min()) < int(times.max()) <= 999
