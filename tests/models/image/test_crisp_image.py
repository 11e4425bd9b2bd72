"""The recipe of the decoder for 256 pixels: one level more, the same latents, an ordinary autoencoder."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from train import run
from train.image import autoencoder, crisp, data, denoiser


def test_a_level_more_takes_over_what_is_known() -> None:
    small = autoencoder.build(autoencoder.WHOLE)
    large = autoencoder.grow(small, autoencoder.LARGE)
    assert (small.config.sample_size, large.config.sample_size) == (128, 256)
    known, grown = small.state_dict(), large.state_dict()
    assert torch.equal(
        grown["decoder.mid_block.resnets.0.conv1.weight"], known["decoder.mid_block.resnets.0.conv1.weight"]
    )
    inner = "down_blocks.{}.resnets.0.conv1.weight"
    assert torch.equal(grown["encoder." + inner.format(4)], known["encoder." + inner.format(3)])
    assert large.decode(torch.zeros(1, 8, 8, 8)).sample.shape == (1, 3, 256, 256)


def test_it_learns_and_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import AutoencoderKL  # pyright: ignore[reportPrivateImportUsage]

    autoencoder.build(autoencoder.WHOLE).save_pretrained(tmp_path / "vae")
    drawn = np.random.default_rng(0).integers(0, 256, (3, 4, 256, 256, 3), np.uint8)
    monkeypatch.setattr(data, "large", lambda _: drawn)
    monkeypatch.setattr(crisp, "BATCH", 3)
    ticks = count()  # a clock that a busy machine does not hurry
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(ticks) * 0.3))
    sorted_ = []
    pieces = crisp._pieces
    monkeypatch.setattr(crisp, "_pieces", lambda *given: sorted_.append(pieces(*given)) or sorted_[-1])
    (tmp_path / "ways").mkdir()
    np.savez(tmp_path / "ways" / "00000.npz", ways=np.zeros((4, 5, 8, 8, 8), np.float16))
    crisp.train(tmp_path, tmp_path / "none", 0.03, "cpu")
    assert {tuple(one.shape) for one in sorted_} == {
        (4, 3, 96, 96),
        (3, 3, 96, 96),
    }  # ours with a painted one; drawn ones
    made = AutoencoderKL.from_pretrained(tmp_path / "crisp")
    with torch.no_grad():
        assert made.decode(torch.zeros(1, 8, 8, 8)).sample.shape == (1, 3, 256, 256)  # pyright: ignore
        assert made.encode(torch.zeros(1, 3, 256, 256)).latent_dist.mean.shape == (1, 8, 8, 8)  # pyright: ignore


def test_what_is_shipped_is_taught_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its level for 256 pixels is there already; corners of a drawing count most."""
    from diffusers import AutoencoderKL  # pyright: ignore[reportPrivateImportUsage]

    autoencoder.build(autoencoder.LARGE).save_pretrained(tmp_path / "shipped" / "vae")
    monkeypatch.setattr(data, "large", lambda _: np.full((3, 4, 256, 256, 3), 255, np.uint8))
    monkeypatch.setattr(crisp, "BATCH", 2)
    ticks = count()
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(ticks) * 0.3))
    crisp.train(tmp_path, tmp_path / "shipped", 0.02, "cpu")
    assert AutoencoderKL.from_pretrained(tmp_path / "crisp").config["sample_size"] == 256
    weights = crisp.border_weights(256)[0, 0]
    assert weights[0, 0] > 3 * weights[0, 128] > 100 * weights[128, 128]


def test_latents_are_made_by_an_autoencoder_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 4, 128, 128, 3), np.uint8)
    monkeypatch.setattr(data, "load", lambda _: (pictures, []))
    for name, levels in (("small", autoencoder.WHOLE), ("large", autoencoder.LARGE)):
        autoencoder.build(levels).save_pretrained(tmp_path / name / "vae")
        denoiser.encode(tmp_path, tmp_path / name, "cpu")
        assert np.load(tmp_path / "latents.npy").shape == (2, 4, 2, 8, 8, 8)
