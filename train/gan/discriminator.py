"""What tells icons from the generator's pictures.

Most of it is not learnt: the caption starter's reader of drawings looks, and small heads judge what it sees at four
sizes (Projected GANs, Sauer et al. 2021). That reader has spent hours on what icons are; an hour in all is not enough
to learn that again. One head sees the pixels themselves, whose colours and edges the reader leaves out.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from train.caption.drawing import loosen

TAPS = ((0, 16), (2, 24), (4, 40), (10, 112))
"""Blocks whose outputs are judged, and their channels: at 32, 16, 8 and 4 pixels a side."""
WIDTH = 64


def reader(captioner: Path) -> Any:
    """The reader of drawings of the caption starter, as far as it is needed; it does not learn."""
    from transformers import VisionEncoderDecoderModel

    from studio.engines.caption.networks import observer

    observer.register()
    whole: Any = VisionEncoderDecoderModel.from_pretrained(captioner)
    seen = whole.float().encoder.drawing
    seen.blocks = seen.blocks[: TAPS[-1][0] + 1]
    return loosen(seen).eval().requires_grad_(False)


def seen_by(reading: Any, pixels: torch.Tensor) -> list[torch.Tensor]:
    """What the reader makes of (count, 3, 64, 64) at each tap."""
    x = functional.relu6(reading.stem(functional.pad(pixels, (0, 1, 0, 1))))
    found, taps = [], {at for at, _ in TAPS}
    for at, block in enumerate(reading.blocks):
        x = block(x)
        if at in taps:
            found.append(x)
    return found


def _filter(before: int, after: int, kernel: int, stride: int = 1) -> nn.Module:
    return parametrizations.spectral_norm(nn.Conv2d(before, after, kernel, stride, (kernel - 1) // 2))


def _linear(before: int, after: int) -> nn.Module:
    return parametrizations.spectral_norm(nn.Linear(before, after))


class Head(nn.Module):
    """A judge of one kind of numbers: how real each place looks, how well the whole fits the word, and how a picture
    differs from the other one of its pair. A generator that has one picture a word is told by the last at once
    (minibatch discrimination, Salimans et al. 2016, in pairs of one word)."""

    def __init__(self, body: nn.Module, width: int, words: int) -> None:
        super().__init__()
        self.body = body
        self.real = _filter(width, 1, 1)
        self.fits = nn.Embedding(words, 2 * width)
        nn.init.zeros_(self.fits.weight)
        self.heed = nn.Parameter(torch.zeros(()))
        self.differs = nn.Sequential(_linear(3 * width, width), nn.LeakyReLU(0.2), _linear(width, 1))

    def forward(self, x: torch.Tensor, *words: torch.Tensor) -> list[torch.Tensor]:
        x = self.body(x)
        real = self.real(x).mean((1, 2, 3))
        whole = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        places = (x[0::2] - x[1::2]).abs().mean((2, 3))
        apart = torch.cat([places, (whole[0::2] - whole[1::2]).abs()], 1)
        real = real + self.heed * self.differs(apart)[:, 0].repeat_interleave(2)
        return [real + (whole * self.fits(word)).sum(1) for word in words]


class Discriminator(nn.Module):
    """All judges; each says of each picture how real it looks, given its word and the other picture of that word.

    Pictures come in pairs: the first and the second are of one word, the third and the fourth, and so on.
    """

    def __init__(self, words: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList()
        for place, (_, channels) in enumerate(TAPS):
            first = _filter(channels, WIDTH, 4, 2) if place < len(TAPS) - 1 else _filter(channels, WIDTH, 1)
            steps = [first, nn.LeakyReLU(0.2), _filter(WIDTH, WIDTH, 1), nn.LeakyReLU(0.2)]
            self.heads.append(Head(nn.Sequential(*steps), WIDTH, words))
        steps = []
        for before, after in pairwise((3, 24, 48, 96)):
            steps += [_filter(before, after, 4, 2), nn.LeakyReLU(0.2)]
        self.pixels = Head(nn.Sequential(*steps, _filter(96, 96, 3), nn.LeakyReLU(0.2)), 96, words)

    def forward(self, pixels: torch.Tensor, seen: list[torch.Tensor], *words: torch.Tensor) -> torch.Tensor:
        """(judges, count) for one set of words, (sets, judges, count) for several; higher is more real."""
        found = [head(each, *words) for head, each in zip(self.heads, seen, strict=True)]
        found.append(self.pixels(pixels, *words))
        said = torch.stack([torch.stack(each) for each in zip(*found, strict=True)])
        return said if len(words) > 1 else said[0]


def moved(pixels: torch.Tensor, chance: torch.Generator, alike: int = 1) -> torch.Tensor:
    """Each picture shifted by up to an eighth, a little brighter or paler, and a part of some covered: what a
    discriminator of few pictures sees, so that it cannot learn them by heart (DiffAugment, Zhao et al. 2020).

    Args:
        alike: so many that follow one another are treated alike, so that what tells them apart is their own.
    """
    count, _, height, width = pixels.shape

    def drawn(low: int, above: int) -> torch.Tensor:
        return torch.randint(low, above, (count // alike, 2), generator=chance).repeat_interleave(alike, 0)

    def share() -> torch.Tensor:
        return torch.rand(count // alike, 1, 1, 1, generator=chance).repeat_interleave(alike, 0)

    wide = torch.nn.functional.pad(pixels, (8, 8, 8, 8), value=1.0)
    at = drawn(0, 17)
    rows = at[:, :1] + torch.arange(height)
    columns = at[:, 1:] + torch.arange(width)
    every = torch.arange(count)[:, None, None]
    made = wide.permute(0, 2, 3, 1)[every, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    light = (share() - 0.5) * 0.2
    grey = made.mean(1, keepdim=True)
    rich = 0.8 + 0.4 * share()
    made = (made - grey) * rich + grey + light
    corner, some = drawn(-12, 52), share()[:, 0] < 0.3
    inside_rows = (torch.arange(height) >= corner[:, :1]) & (torch.arange(height) < corner[:, :1] + 24)
    inside_columns = (torch.arange(width) >= corner[:, 1:]) & (torch.arange(width) < corner[:, 1:] + 24)
    covered = inside_rows[:, :, None] & inside_columns[:, None, :] & some
    return made.masked_fill(covered[:, None], 0.0)
