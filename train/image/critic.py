"""Judges of latents, by which the student hears whether it paints what was asked for.

Two small networks pair latents of real icons with captions (contrastive, as in Radford et al. 2021). Among the wrong
captions are those of the same thing in another colour. Their verdict has a gradient, which score.py's judge is never
asked for: that one looks at pixels, starts from other weights, and has no part in any training.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from train.image import captions, data
from train.image.denoiser import AS_DRAWN, Reader, group_weights
from train.run import Run

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "teal", "brown", "black", "gray")
JUDGES, BATCH, RATE, NOISE = 2, 256, 1e-3, 0.15
CAPTIONS = 8_000
_CHANNELS = 8


class Critic(nn.Module):
    """Latents and captions as directions in one space of 256 dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(_CHANNELS, 128, 3, 1, 1), nn.SiLU(),
            nn.Conv2d(128, 128, 3, 1, 1), nn.SiLU(),
            nn.Conv2d(128, 192, 3, 2, 1), nn.GroupNorm(8, 192), nn.SiLU(),
            nn.Conv2d(192, 192, 3, 1, 1), nn.GroupNorm(8, 192), nn.SiLU(),
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(192 * 16, 256),
        )  # fmt: skip
        self.hear = nn.Sequential(nn.Linear(384, 512), nn.SiLU(), nn.Dropout(0.2), nn.Linear(512, 256))
        self.sharpness = nn.Parameter(torch.tensor(2.7))

    def forward(self, latents: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        """How well each picture fits each caption.

        Args:
            latents: (pictures, 8, 8, 8).
            words: the means of captions' word vectors, (captions, 384).

        Returns:
            (pictures, captions), higher is better.
        """
        seen, said = self.look(latents).float(), self.hear(words).float()
        return functional.normalize(seen, dim=-1) @ functional.normalize(said, dim=-1).T * self.sharpness.exp()


def other_colour(said: str, random: np.random.Generator) -> str:
    """The caption with its first colour changed; where it names none, with one put before it."""
    found = re.search(rf"\b({'|'.join(COLOURS)})\b", said)
    colour = str(random.choice([name for name in COLOURS if not found or name != found[0]]))
    return f"{said[: found.start()]}{colour}{said[found.end() :]}" if found else ""


@dataclass(frozen=True)
class Said:
    """Captions as the critics hear them: the means of their word vectors, and of the same in another colour.

    Attributes:
        means, others: (count, 384). coloured: where there is such an other one.
    """

    means: torch.Tensor
    others: torch.Tensor
    coloured: torch.Tensor

    def __getitem__(self, chosen: np.ndarray) -> Said:
        return Said(self.means[chosen], self.others[chosen], self.coloured[chosen])


def listen(read: Reader, texts: list[str], random: np.random.Generator) -> Said:
    """Captions made ready. Once for many: reading takes longer than all that is done with it."""
    swapped = [other_colour(one, random) for one in texts]
    return Said(read.means(texts), read.means(swapped), torch.tensor([bool(one) for one in swapped]))


def mistakes(critics: nn.ModuleList, latents: torch.Tensor, said: Said) -> torch.Tensor:
    """The judges' mean cross-entropy of finding each picture's own caption among all and those in another colour."""
    words = torch.cat([said.means, said.others[said.coloured]])
    goal = torch.arange(len(latents), device=latents.device)
    return torch.stack([functional.cross_entropy(critic(latents, words), goal) for critic in critics]).mean()


def train(folder: Path, text_encoder: Path, minutes: float, device: str) -> nn.ModuleList:
    """The judges, trained for so many minutes on every icon that is not held out, and ready to be asked."""
    critics = nn.ModuleList(Critic() for _ in range(JUDGES)).to(device)
    kept = folder / "critics.safetensors"
    if kept.is_file():
        critics.load_state_dict(load_file(kept))
        return critics.eval().requires_grad_(False)
    latents, entries = np.load(folder / "latents.npy"), data.entries(folder)
    run = Run(folder / "critics.pt", critics, torch.optim.AdamW(critics.parameters(), RATE, weight_decay=0.1), minutes)
    random = np.random.default_rng(7 + run.step)
    which = random.choice(len(entries), CAPTIONS, p=group_weights(entries))
    colour = np.where(random.random(CAPTIONS) < AS_DRAWN, 0, random.integers(1, latents.shape[1], CAPTIONS))
    texts = [captions.caption(entries[i], int(c), random) for i, c in zip(which, colour, strict=True)]
    said = listen(Reader(text_encoder, device), texts, random)
    run.begin()
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16)
    for critic in cycle(critics):
        if not run.going():
            break
        chosen = random.choice(CAPTIONS, BATCH, replace=False)
        mirrored = (random.random(BATCH) < 0.3).astype(int)
        seen = torch.from_numpy(latents[which[chosen], colour[chosen], mirrored]).to(device).float()
        with autocast:
            value = mistakes(nn.ModuleList([critic]), seen + NOISE * torch.randn_like(seen), said[chosen])
        run.update(value, RATE, note=f"{run.step} steps")
    save_file(critics.state_dict(), kept)
    return critics.eval().requires_grad_(False)
