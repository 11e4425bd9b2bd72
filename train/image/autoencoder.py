"""The autoencoder: 128 x 128 pictures to 8 x 8 latents of 8 channels and back.

It grows. The inner four levels learn on pictures of half the size, four times as fast, which is where shapes and
above all hues are learnt (a full-size one had lost most hues after the same time). Their 1 x 1 convolutions then take
over the mean and the spread of each latent channel, so that the latents of the data are standard normal and
`scaling_factor` is 1. The denoiser needs no more than that. Last, one level is put round them for pictures of full
size, while the latents stay what they are.
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
from train.image.norm import quicken
from train.run import Run

INNER = (16, 32, 64, 128)
WHOLE = (16, *INNER)
LARGE = (16, *WHOLE)
LATENT = 8
BATCH = 32
RATE = 2e-3
NOISE = 0.1
SAMPLES = 16
"""Batches of 64 by which the spread of the latents is measured."""


def build(channels: tuple[int, ...] = WHOLE) -> Any:
    """An untrained AutoencoderKL of 2.6 M parameters: 64 pixels a side with four levels, twice that with each more."""
    from diffusers import AutoencoderKL

    count = len(channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * count,
        up_block_types=("UpDecoderBlock2D",) * count,
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=LATENT,
        norm_num_groups=8,
        sample_size=8 << (count - 1),
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def grow(inner: Any, channels: tuple[int, ...] = WHOLE) -> Any:
    """An autoencoder of one level more round a trained one: every weight that fits is taken over."""
    whole = build(channels)
    state, known = whole.state_dict(), inner.state_dict()
    levels = len(channels) - 1
    last = levels - 1
    for name, value in known.items():
        moved = name
        for level in range(levels):
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
    """Train the inner levels for so many minutes, from the last checkpoint if there is one, and write `inner`."""
    pictures, _ = data.load(folder)
    model = build(INNER).to(device)
    quicken(model)
    run = Run(folder / "inner.pt", model, torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-4), minutes)
    random = np.random.default_rng(run.step)
    while run.going():
        wanted = functional.avg_pool2d(batch(pictures, random, BATCH).to(device), 2)
        wanted = wanted.contiguous(memory_format=torch.channels_last)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            posterior = model.encode(wanted).latent_dist
            made = model.decode(posterior.sample()).sample
        value = loss(made.float(), wanted, posterior.mean.float(), posterior.logvar.float())
        error = float((made.float() - wanted).detach().abs().mean())
        run.update(value, RATE, note=f"L1 {error:.4f}")
    normalise(model, pictures, device)
    model.save_pretrained(folder / "inner")


def finish(folder: Path, minutes: float, device: str) -> None:
    """Put the outer level round the trained inner ones, for so many minutes, and write `vae`.

    The latents stay: the new encoder learns to give those of the inner one, the whole decoder to paint from them,
    a little noise added, as a denoiser's are never quite right.
    """
    from diffusers import AutoencoderKL

    pictures, _ = data.load(folder)
    inner: Any = AutoencoderKL.from_pretrained(folder / "inner").to(device).eval()
    model = grow(inner).to(device)
    quicken(model)
    kept = [*model.encoder.down_blocks[1:], model.encoder.mid_block, model.encoder.conv_norm_out]
    for part in (*kept, model.encoder.conv_out, model.quant_conv):
        part.requires_grad_(False)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    run = Run(folder / "vae.pt", model, torch.optim.AdamW(learning, RATE, weight_decay=1e-4), minutes)
    random = np.random.default_rng(run.step)
    while run.going():
        wanted = batch(pictures, random, BATCH).to(device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            with torch.no_grad():
                latents = inner.encode(functional.avg_pool2d(wanted, 2)).latent_dist.mean
            made = model.decode(latents + NOISE * torch.randn_like(latents)).sample.float()
            some = wanted[: BATCH // 4]
            near = functional.mse_loss(model.encode(some).latent_dist.mean.float(), latents[: BATCH // 4].float())
        value = loss(made, wanted, torch.zeros(1), torch.zeros(1)) + 0.2 * near
        error = float((made - wanted).detach().abs().mean())
        run.update(value, RATE, note=f"L1 {error:.4f}  latents {float(near):.4f}")
    model.save_pretrained(folder / "vae")


@torch.no_grad()
def normalise(model: Any, pictures: np.ndarray, device: str) -> None:
    """Make the latents of the data standard normal in each channel, without changing a single picture."""
    random = np.random.default_rng(0)
    some = (functional.avg_pool2d(batch(pictures, random, 64), 2).to(device) for _ in range(SAMPLES))
    found = torch.cat([model.encode(each).latent_dist.mean for each in some])
    mean, spread = found.mean((0, 2, 3)), found.std((0, 2, 3))
    into, out = model.quant_conv, model.post_quant_conv  # moments: first the means, then the log variances
    out.bias.add_(out.weight[:, :, 0, 0] @ mean)
    out.weight.mul_(spread.view(1, -1, 1, 1))
    into.weight[:LATENT].div_(spread.view(-1, 1, 1, 1))
    into.bias[:LATENT].sub_(mean).div_(spread)
    into.bias[LATENT:].sub_(2 * spread.log())
