"""The last level of the autoencoder: 256 x 256 pictures from the same 8 x 8 latents, with edges that are edges.

What a flat icon looks like close up is learnt from the same drawings at that size. Where 512 numbers do not say where
an edge runs, the mean of all answers is a blur; so a second network that tells drawings from our pictures by small
pieces (Isola et al. 2017) has its word, also about what the denoiser painted, for which there is no right answer.
"""

# diffusers is imported lazily and typed more narrowly than it is used:
# pyright: reportPrivateImportUsage=false, reportArgumentType=false
from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from train.image import autoencoder, data
from train.image.norm import quicken
from train.run import Run

BATCH, PIECES, RATE, NOISE = 12, 12, 1e-3, 0.1
SIDE = 96
"""Pixels a side of the pieces by which drawings are told from our pictures."""
ALONE = 0.4
"""The first share of the budget, in which only the distance from the drawing counts."""
HEARD = 0.05


def sorter() -> nn.Sequential:
    """A network that says of every small piece of a picture whether it was drawn (above 0) or made by us (below)."""
    return nn.Sequential(
        nn.Conv2d(3, 24, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(24, 48, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(48, 96, 3, 1, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(96, 1, 3, 1, 1),
    )  # fmt: skip


def train(folder: Path, shipped: Path, minutes: float, device: str) -> None:
    """Teach the outer level for so many minutes, from the last checkpoint if there is one, and write `crisp`."""
    from diffusers import AutoencoderKL

    pictures = data.large(folder)
    own = (folder / "vae").is_dir()
    small: Any = AutoencoderKL.from_pretrained(folder / "vae" if own else shipped / "vae").float().to(device).eval()
    again = small.config.sample_size == 2 * data.SIZE  # what is shipped has this level; its inner ones stay
    model = quicken(copy.deepcopy(small) if again else autoencoder.grow(small, autoencoder.LARGE).to(device))
    kept = [*model.encoder.down_blocks[1:], model.encoder.mid_block, model.encoder.conv_norm_out]
    for part in (*kept, model.encoder.conv_out, model.quant_conv):
        part.requires_grad_(False)
    judge = sorter().to(device)
    both = nn.ModuleDict({"model": model, "sorter": judge})
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    run = Run(folder / "crisp.pt", both, torch.optim.AdamW(learning, RATE, weight_decay=1e-4), minutes, average=0.995)
    judging = torch.optim.AdamW(judge.parameters(), RATE / 2, betas=(0.5, 0.99))
    random, autocast = np.random.default_rng(run.step), torch.autocast(torch.device(device).type, torch.bfloat16)
    painted, border = _painted(folder), border_weights(pictures.shape[2]).to(device)
    while run.going():
        wanted = autoencoder.batch(pictures, random, BATCH).to(device).contiguous(memory_format=torch.channels_last)
        with autocast, torch.no_grad():
            seen = wanted if again else functional.avg_pool2d(wanted, 2)
            latents = small.encode(seen).latent_dist.mean.float()
        given = latents + NOISE * torch.rand(BATCH, 1, 1, 1, device=device) * 2 * torch.randn_like(latents)
        with autocast:
            made = model.decode(given).sample.float()
            near = functional.mse_loss(model.encode(wanted[:2]).latent_dist.mean.float(), latents[:2])
        value = autoencoder.loss(made, wanted, torch.zeros(1), torch.zeros(1)) + 0.2 * near
        value = value + ((made - wanted).abs() * border).mean()
        said = 0.0
        if run.fraction > ALONE:
            ours = made
            if len(painted):
                some = torch.from_numpy(painted[random.choice(len(painted), BATCH // 3)]).float().to(device)
                with autocast:
                    ours = torch.cat([made, model.decode(some).sample.float()])
            ours = _pieces(ours, random)
            with autocast:
                told = judge(ours.detach()), judge(_pieces(wanted, random))
            lesson = functional.relu(1 + told[0].float()).mean() + functional.relu(1 - told[1].float()).mean()
            lesson.backward()
            judging.step()
            judging.zero_grad(set_to_none=True)
            judge.requires_grad_(False)
            with autocast:
                said = -judge(ours).float().mean()
            judge.requires_grad_(True)
            value = value + HEARD * min(1.0, (run.fraction - ALONE) * 10) * said
        error = float((made - wanted).detach().abs().mean())
        run.update(value, RATE, note=f"L1 {error:.4f}  latents {float(near):.4f}  drawn {float(said):.2f}")
    model.load_state_dict({name[6:]: value for name, value in run.average.items() if name.startswith("model.")})
    model.save_pretrained(folder / "crisp")


def border_weights(side: int) -> torch.Tensor:
    """How much more a pixel counts near the border, and most in the corners, (1, 1, side, side).

    Layers that are padded with zeros see little there, and paint a grey speck where every drawing is white.
    """
    place = torch.arange(side)
    near = torch.exp(-torch.minimum(place, side - 1 - place) / 4.0)
    return (2 * (near[:, None] + near[None]) + 30 * near[:, None] * near[None])[None, None]


def _pieces(pictures: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """One piece of each picture at a random place."""
    places = random.integers(0, pictures.shape[-1] - SIDE + 1, (len(pictures), 2))
    return torch.stack([one[:, y : y + SIDE, x : x + SIDE] for one, (y, x) in zip(pictures, places, strict=True)])


def _painted(folder: Path) -> np.ndarray:
    """The ends of the ways that were recorded: latents that the denoiser made, (count, 8, 8, 8); none before that."""
    found = [np.load(file)["ways"][:, -1] for file in sorted((folder / "ways").glob("*.npz"))]
    return np.concatenate(found) if found else np.zeros((0, 8, 8, 8), np.float16)
