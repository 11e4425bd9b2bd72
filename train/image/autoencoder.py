"""The autoencoder: 128 x 128 pictures to 8 x 8 latents of 8 channels and back.

It grows: the inner four levels learn on pictures of half the size, four times as fast, which is where shapes and
above all hues are learnt (a full-size one had lost most hues after the same time); then one level is put round them.
After training its 1 x 1 convolutions take over the mean and the spread of each latent channel, so that the
latents of the data are standard normal in every channel and `scaling_factor` is 1.
"""

# diffusers is imported lazily and typed more narrowly than it is used:
# pyright: reportPrivateImportUsage=false, reportArgumentType=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from train.image import data
from train.image.run import Run

INNER = (16, 32, 64, 128)
WHOLE = (16, *INNER)
LATENT = 8
BATCH = 32
RATE, LATER_RATE = 1.5e-3, 1e-3
GROWN = 0.6
"""Share of the time that the inner levels get alone."""
SAMPLES = 16
"""Batches of 64 by which the spread of the latents is measured."""


def build(channels: tuple[int, ...] = WHOLE) -> Any:
    """An untrained AutoencoderKL, 2.6 M parameters; 16 times smaller on each side with five levels, 8 with four."""
    from diffusers import AutoencoderKL

    count = len(channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * count,
        up_block_types=("UpDecoderBlock2D",) * count,
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=LATENT,
        norm_num_groups=8,
        sample_size=data.SIZE,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def grow(inner: Any) -> Any:
    """A five-level autoencoder round a trained four-level one: every weight that fits is taken over."""
    whole = build()
    state, known = whole.state_dict(), inner.state_dict()
    last = len(INNER) - 1
    for name, value in known.items():
        moved = name
        for level in range(len(INNER)):
            moved = moved.replace(f"encoder.down_blocks.{level}.", f"encoder.down_blocks.{level + 1}!", 1)
        moved = moved.replace("!", ".")
        if name.startswith(("encoder.conv_in", "decoder.conv_norm_out", "decoder.conv_out")):
            continue
        if moved.startswith(f"decoder.up_blocks.{last}.") and state[moved].shape != value.shape:
            continue
        state[moved] = value
    whole.load_state_dict(state)
    return whole


def loss(made: torch.Tensor, wanted: torch.Tensor, mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """Pixels, edges (differences of neighbours), colours of areas and hues, and a little KL."""
    error = made - wanted
    edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    areas = functional.avg_pool2d(error, 8).abs().mean()
    hues = functional.avg_pool2d(error - error.mean(1, keepdim=True), 4).abs().mean()
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    return error.abs().mean() + error.square().mean() + 0.5 * edges + areas + 2 * hues + 1e-4 * kl


def batch(pictures: np.ndarray, random: np.random.Generator, count: int) -> torch.Tensor:
    """Random pictures in -1..1, (count, 3, 128, 128): half of them as drawn, half in other colours, half mirrored."""
    which = random.integers(0, len(pictures), count)
    colour = np.where(random.random(count) < 0.5, 0, random.integers(1, pictures.shape[1], count))
    made = torch.from_numpy(pictures[which, colour]).permute(0, 3, 1, 2).float() / 127.5 - 1
    mirrored = torch.from_numpy(random.random(count) < 0.5).view(-1, 1, 1, 1)
    return torch.where(mirrored, made.flip(3), made)


def train(folder: Path, minutes: float, device: str) -> None:
    """Train for so many minutes, from the last checkpoint if there is one; each part's learning rate falls to zero."""
    pictures, _ = data.load(folder)
    inner = build(INNER).to(device)
    _train(folder / "autoencoder_inner.pt", inner, pictures, minutes * GROWN, RATE, device, half=True)
    model = grow(inner.cpu()).to(device)
    _train(folder / "autoencoder.pt", model, pictures, minutes * (1 - GROWN), LATER_RATE, device, half=False)
    normalise(model, pictures, device)
    model.save_pretrained(folder / "vae")


def _train(
    file: Path, model: Any, pictures: np.ndarray, minutes: float, rate: float, device: str, *, half: bool
) -> None:
    run = Run(file, model, torch.optim.AdamW(model.parameters(), rate, weight_decay=1e-4), minutes, again=False)
    random = np.random.default_rng(run.step)
    while run.going():
        wanted = batch(pictures, random, BATCH).to(device)
        if half:
            wanted = functional.avg_pool2d(wanted, 2)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            posterior = model.encode(wanted).latent_dist
            made = model.decode(posterior.sample()).sample
        value = loss(made.float(), wanted, posterior.mean.float(), posterior.logvar.float())
        error = float((made.float() - wanted).detach().abs().mean())
        run.update(value, rate, note=f"L1 {error:.4f}")


@torch.no_grad()
def normalise(model: Any, pictures: np.ndarray, device: str) -> None:
    """Make the latents of the data standard normal in each channel, without changing a single picture."""
    random = np.random.default_rng(0)
    found = torch.cat([model.encode(batch(pictures, random, 64).to(device)).latent_dist.mean for _ in range(SAMPLES)])
    mean, spread = found.mean((0, 2, 3)), found.std((0, 2, 3))
    into, out = model.quant_conv, model.post_quant_conv  # moments: first the means, then the log variances
    out.bias.add_(out.weight[:, :, 0, 0] @ mean)
    out.weight.mul_(spread.view(1, -1, 1, 1))
    into.weight[:LATENT].div_(spread.view(-1, 1, 1, 1))
    into.bias[:LATENT].sub_(mean).div_(spread)
    into.bias[LATENT:].sub_(2 * spread.log())
