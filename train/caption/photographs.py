"""Telling photographs from drawings, without a photograph: leaves of many sizes, one over another, with grain.

Such pictures have the statistics of natural scenes (Lee, Mumford and Huang 2001), and networks learn to see from them
(Baradad et al. 2021). Here they only have to differ from icons as photographs do: hardly two neighbouring pixels are
equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from studio.engines.networks.observer import Photographed
from train.caption import augment, data
from train.caption.sources import HELD_OUT

SIDE = 224
STEPS = 600
BATCH = 64
RATE = 1e-2


def grain(random: np.random.Generator, side: int, slope: float) -> np.ndarray:
    """Noise whose power falls with frequency, (side, side, 3), zero mean and one deviation."""
    across = np.fft.fftfreq(side)
    distance = np.hypot(across[:, None], across[None])
    distance[0, 0] = 1.0
    waves = random.normal(size=(side, side, 3)) + 1j * random.normal(size=(side, side, 3))
    made = np.fft.ifft2(waves / distance[..., None] ** slope, axes=(0, 1)).real
    made = 0.7 * made.mean(2, keepdims=True) + 0.3 * made
    return (made - made.mean()) / made.std()


def scene(random: np.random.Generator, side: int = SIDE) -> np.ndarray:
    """One picture in 0..1, (side, side, 3): a ground out of focus or not, and leaves on it."""
    whole = side * 2
    base = random.random(3) * 0.8 + 0.1
    picture = base + random.uniform(0.02, 0.15) * grain(random, whole, random.uniform(1.0, 2.2))
    down, across = np.mgrid[:whole, :whole] / whole
    for _ in range(int(random.integers(0, 40))):
        size = 0.04 / random.random() ** 0.6
        wide, high = size * random.uniform(0.4, 1.6, 2)
        x, y, angle = *random.random(2), random.random() * 3.2
        u = (across - x) * np.cos(angle) + (down - y) * np.sin(angle)
        v = (down - y) * np.cos(angle) - (across - x) * np.sin(angle)
        leaf = np.abs(u / wide) ** 2.5 + np.abs(v / high) ** 2.5 < 1
        colour = np.clip(base + random.normal(size=3) * 0.3, 0, 1)
        light = 1 + random.normal() * 0.4 * (u / wide) + random.normal() * 0.4 * (v / high)
        if random.random() < 0.7:
            light = light + random.uniform(0, 0.2) * np.roll(picture[..., 0] - base[0], 31)
        picture[leaf] = (colour * light[..., None])[leaf]
    small = torch.from_numpy(np.clip(picture, 0, 1)).permute(2, 0, 1)[None].float()
    if random.random() < 0.5:
        small = F.avg_pool2d(small, 3, 1, 1)
    made = F.interpolate(small, (side, side), mode="area")[0]
    noise = random.uniform(0.002, 0.03) * random.normal(size=(1 if random.random() < 0.5 else 3, side, side))
    return np.clip(made.numpy() + noise, 0, 1).transpose(1, 2, 0)


def pictures(folder: Path, count: int = 800) -> tuple[torch.Tensor, torch.Tensor]:
    """Measurements of as many scenes as icons, and which are scenes."""
    random, chance = np.random.default_rng(0), torch.Generator().manual_seed(0)
    icons, entries = data.load(folder)
    seen = np.array([index for index, entry in enumerate(entries) if entry["set"] != HELD_OUT.package])
    judge = Photographed()
    rows: list[torch.Tensor] = []
    for start in range(0, count, BATCH):
        some = min(BATCH, count - start)
        scenes = torch.from_numpy(np.stack([scene(random) for _ in range(some)])).permute(0, 3, 1, 2).float() * 2 - 1
        which = np.sort(random.choice(seen, some, replace=False))
        drawn = augment.batch(torch.from_numpy(icons[which]), torch.ones(some, dtype=torch.long), SIDE, chance, 0.5)
        rows += [judge.measured(scenes), judge.measured(drawn.pixels)]
    truth = torch.cat([torch.full((len(row),), float(index % 2 == 0)) for index, row in enumerate(rows)])
    return torch.cat(rows), truth


def train(folder: Path) -> Any:
    """The judge, trained; a minute."""
    measured, truth = pictures(folder)
    judge = Photographed()
    optimiser = torch.optim.AdamW(judge.parameters(), RATE, weight_decay=0.05)
    for _ in range(STEPS):
        value = F.binary_cross_entropy_with_logits(judge.judge(measured)[:, 0], truth)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    right = ((judge.judge(measured)[:, 0] > 0) == (truth > 0)).float().mean().item()
    print(f"photographs told from drawings: {right:.1%} of what was trained on", flush=True)
    torch.save(judge.state_dict(), folder / "photographs.pt")
    return judge
