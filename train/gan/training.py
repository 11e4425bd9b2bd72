"""The game: the discriminator learns to tell, the generator learns not to be told; both in one step.

Hinge losses, and one that asks for as much difference between two pictures of a word as two icons have (mode seeking,
Mao et al. 2019, with an end to it); the moving average of the generator is what is kept. On the way it paints the same
noises again and again, with the losses of that moment: the film of the training.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from studio.engines.lab.networks.generator import NOISE, Generator
from train.gan import data
from train.gan.discriminator import Discriminator, moved, reader, seen_by
from train.image.denoiser import Reader
from train.run import Run

BATCH, RATE, AVERAGE = 20, 1.2e-3, 0.996
MISMATCHED = 0.5
"""What a real picture under another's word counts, against one that was painted: both are wrong."""
SETTLED = 1_000
"""Steps in which difference counts for nothing: asked for from the start, noise bends all words alike, and none gets a
shape of its own."""
SEEKING, ENOUGH = 1.5, 0.75
"""What a lack of difference counts then, and how much of the icons' own is enough for each pair."""
SHOWN = ("cat face", "penguin", "sunflower", "mushroom", "strawberry", "hamburger", "bus", "rocket", "house", "star",
         "red heart", "guitar", "umbrella", "frog", "banana", "panda")  # fmt: skip
"""Words of the film, one picture each."""
FRAMES = 40


class Game(nn.Module):
    """Both networks, so that one optimiser and one checkpoint hold them."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.words = words
        self.generator, self.discriminator = Generator(words), Discriminator(words)

    def losses(
        self, reading: Any, real: torch.Tensor, word: torch.Tensor, chance: torch.Generator, seeking: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The generator's loss, whose gradients reach it alone, and the discriminator's, likewise.

        Args:
            seeking: what a lack of difference counts.
        """
        noise = torch.randn(len(real), NOISE, generator=chance)
        painted = self.generator(noise, word)
        alike = torch.relu(1 - apart(painted) / (ENOUGH * apart(real).mean() + 1e-6)).mean()
        fake = moved(painted, chance, 2)
        seen = seen_by(reading, fake)
        self.discriminator.requires_grad_(False)
        told = self.discriminator(fake, seen, word)
        self.discriminator.requires_grad_(True)
        real = moved(real, chance, 2)
        with torch.no_grad():
            known = seen_by(reading, real)
        other = torch.randint(1, self.words, (len(word) // 2,), generator=chance).repeat_interleave(2)
        unreal = self.discriminator(fake.detach(), [each.detach() for each in seen], word)
        for_real, for_others = self.discriminator(real, known, word, (word + other) % self.words)
        wrong = torch.relu(1 + unreal).mean() + MISMATCHED * torch.relu(1 + for_others).mean()
        caught = torch.relu(1 - for_real).mean() + wrong / (1 + MISMATCHED)
        return seeking * alike - told.mean(), caught


def apart(pictures: torch.Tensor) -> torch.Tensor:
    """How far the two pictures of each pair are from each other: the mean difference of their parts of 4 pixels a side.

    Smaller parts would let noise of single pixels pass for another picture.
    """
    coarse = nn.functional.avg_pool2d(pictures, 4)
    return (coarse[0::2] - coarse[1::2]).abs().mean((1, 2, 3))


def train(folder: Path, text_encoder: Path, captioner: Path, minutes: float, device: str) -> None:
    """Play for so many minutes, from the last checkpoint if there is one; write frames and losses on the way."""
    icons = data.load(folder)
    game: Any = Game(len(icons.names)).to(device)
    game.to(memory_format=torch.channels_last)
    names = [each["name"] for each in icons.names]
    game.generator.meanings.copy_(Reader(text_encoder, device).means(names))
    reading = reader(captioner).to(device)
    optimiser = torch.optim.Adam(game.parameters(), RATE, betas=(0.0, 0.99), fused=True)
    run = Run(folder / "gan.pt", game, optimiser, minutes, average=AVERAGE)
    film = Film(folder / "film", names)
    random, chance = np.random.default_rng(run.step), torch.Generator().manual_seed(run.step)
    run.begin()
    while run.going():
        film.look(run, game)
        real, word = data.batch(icons, BATCH, random)
        seeking = SEEKING if run.step >= SETTLED else 0.0
        pictures = real.to(device), word.to(device)
        of_generator, of_discriminator = game.losses(reading, *pictures, chance, seeking)
        film.heard(of_generator.item(), of_discriminator.item())
        note = f"generator {film.losses[0]:+.3f}  discriminator {film.losses[1]:.3f}"
        run.update(of_generator + of_discriminator, RATE, note=note)
    film.look(run, game, last=True)


class Film:
    """Frames of the same noises, one for each fortieth of the budget, earlier ones closer together.

    Each is `NNNNNN.npy` (uint8, 16 x 64 x 64 x 3) by the step, with a line in `losses.jsonl`.
    """

    def __init__(self, folder: Path, names: list[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self.losses = folder, [0.0, 2.0]
        self._words = torch.tensor([names.index(name) for name in SHOWN])
        self._noise = torch.randn(len(SHOWN), NOISE, generator=torch.Generator().manual_seed(1))
        self._due = len(list(folder.glob("*.npy")))

    def heard(self, *losses: float) -> None:
        """Both losses of a step; what is written is their average over about fifty."""
        self.losses = [was + 0.02 * (now - was) for was, now in zip(self.losses, losses, strict=True)]

    @torch.no_grad()
    def look(self, run: Run, game: Game, last: bool = False) -> None:
        """Paint a frame where one is due."""
        if not last and run.fraction < (self._due / FRAMES) ** 2:
            return
        self._due += 1
        generator = Generator(len(game.generator.meanings)).eval()
        generator.load_state_dict({k: run.average[f"generator.{k}"].cpu() for k in generator.state_dict()})
        made = ((generator(self._noise, self._words) + 1) * 127.5).round().clamp(0, 255).byte()
        np.save(self._folder / f"{run.step:06}.npy", made.permute(0, 2, 3, 1).numpy())
        line = {"step": run.step, "pictures": run.step * BATCH, "generator": round(self.losses[0], 4),
                "discriminator": round(self.losses[1], 4)}  # fmt: skip
        with (self._folder / "losses.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
