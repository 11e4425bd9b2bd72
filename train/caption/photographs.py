"""Telling photographs from drawings, without a photograph: leaves of many sizes, one over another, with grain.

Such pictures have the statistics of natural scenes (Lee, Mumford and Huang 2001), and networks learn to see from them
(Baradad et al. 2021). Here they only have to differ from icons as photographs do: hardly two neighbouring pixels are
equal, and no one colour covers the ground. Icons are shown soft as well: see soft.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from studio.engines.caption.networks.observer import Photographed
from train.caption import augment, data, soft
from train.caption.grain import grain
from train.caption.sources import HELD_OUT

SIDE = 224
STEPS = 600
BATCH = 64
RATE = 1e-2


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


def focus(random: np.random.Generator, near: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
    """One scene in focus, as a rounded thing in the middle, before another one that is not; (3, SIDE, SIDE) in 0..1."""
    blurred = F.interpolate(F.avg_pool2d(far[None], int(random.choice((8, 16, 28, 56)))), (SIDE, SIDE), mode="bicubic")[
        0
    ]
    if random.random() < 0.15:
        blurred = torch.from_numpy(random.random((3, 1, 1)) * 0.1).float().expand_as(blurred)
    line = torch.linspace(-1, 1, SIDE)
    across, down = random.uniform(-0.4, 0.4, 2)
    wide, high = random.uniform(0.35, 0.9, 2)
    away = ((line[None] - across) / wide).abs() ** 2.5 + ((line[:, None] - down) / high).abs() ** 2.5
    here = ((1 - away) * random.uniform(2, 40) + 0.5).clamp(0, 1)
    noise = torch.from_numpy(random.normal(size=(3, SIDE, SIDE))).float() * random.uniform(0.001, 0.012)
    return (near * here + blurred * (1 - here) + noise).clamp(0, 1)


def taken(random: np.random.Generator, picture: torch.Tensor) -> torch.Tensor:
    """A scene as a camera might hand it over: sharpened, harder, cut, grey, darker, a JPEG. (3, SIDE, SIDE) in 0..1."""
    made = picture[None]
    if random.random() < 0.5:
        made = made + random.uniform(0.3, 2) * (made - F.avg_pool2d(F.pad(made, (1, 1, 1, 1), "replicate"), 3, 1))
    made = ((made - 0.5) * random.uniform(0.8, 2.2) + 0.5).clamp(0, 1)
    if random.random() < 0.6:
        wide = int(random.integers(90, SIDE))
        left, top = random.integers(0, SIDE + 1 - wide, 2)
        made = made[..., top : top + wide, left : left + wide]
        if random.random() < 0.5:
            made = F.interpolate(made, (SIDE, SIDE), mode="bicubic").clamp(0, 1)
    if random.random() < 0.25:
        made = made.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    made = made.clamp(min=1e-4) ** float(np.exp(random.normal() * 0.5)) * random.uniform(0.5, 1)
    if random.random() < 0.4:
        made = soft.jpeg(made, int(random.integers(50, 96)))
    return F.interpolate(made, (SIDE, SIDE), mode="bilinear", antialias=True)[0].clamp(0, 1)


def pictures(folder: Path, count: int = 900) -> tuple[torch.Tensor, torch.Tensor]:
    """Measurements of scenes and of icons, and which are scenes.

    Args:
        count: of scenes as they are, of scenes that a camera took, and of soft icons; half as many of scenes with one
            thing in focus, two thirds as many of sharp icons.
    """
    random, chance = np.random.default_rng(0), torch.Generator().manual_seed(0)
    icons, entries = data.load(folder)
    seen = np.array([index for index, entry in enumerate(entries) if entry["set"] != HELD_OUT.package])

    def drawn(some: int, strength: float) -> torch.Tensor:
        which = np.sort(random.choice(seen, some, replace=False))
        kinds = torch.ones(some, dtype=torch.long)
        return augment.batch(torch.from_numpy(icons[which]), kinds, SIDE, chance, strength).pixels / 2 + 0.5

    judge = Photographed()
    rows: list[torch.Tensor] = []
    truth: list[torch.Tensor] = []

    def keep(some: torch.Tensor, photographed: bool) -> None:
        rows.append(judge.measured(some * 2 - 1))
        truth.append(torch.full((len(some),), float(photographed)))

    for start in range(0, count, BATCH):
        some = min(BATCH, count - start)
        scenes = torch.from_numpy(np.stack([scene(random) for _ in range(some)])).permute(0, 3, 1, 2).float()
        keep(scenes, True)
        keep(torch.stack([taken(random, each) for each in scenes]), True)
        pairs = [scenes[torch.from_numpy(random.integers(0, some, 2))] for _ in range(some // 2)]
        keep(torch.stack([taken(random, focus(random, near, far)) for near, far in pairs]), True)
        keep(drawn(some * 2 // 3, 0.5), False)
        keep(torch.stack([soft.soften(random, each) for each in drawn(some, 0.25)]), False)
        print(f"scenes: {start / count:.0%}", flush=True)
    return torch.cat(rows), torch.cat(truth)


def train(folder: Path) -> Any:
    """The judge, trained; some minutes, most of them for the scenes."""
    measured, truth = pictures(folder)
    judge = Photographed()
    weight = torch.where(truth > 0, 1.0, truth.sum() / (1 - truth).sum())
    optimiser = torch.optim.AdamW(judge.parameters(), RATE, weight_decay=0.05)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        value = F.binary_cross_entropy_with_logits(judge.judge(measured)[:, 0], truth, weight=weight)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    right = ((judge.judge(measured)[:, 0] > 0) == (truth > 0)).float().mean().item()
    print(f"photographs told from drawings: {right:.1%} of what was trained on", flush=True)
    torch.save(judge.state_dict(), folder / "photographs.pt")
    return judge
