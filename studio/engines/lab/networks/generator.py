"""The generator of a small GAN: a word and noise to an icon of 64 pixels, in one pass.

The noise is not painted from as it is: a mapping network (Karras et al. 2019) turns it, with the word, into a style
that scales and shifts every layer. Truncation pulls that style towards the mean style of the word.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

NOISE, STYLE, MEANING = 64, 128, 384
"""Numbers of noise, of a style, and of what a word means (the mean of all-MiniLM-L6-v2's word vectors)."""
WIDTHS = (160, 128, 64, 32, 16)
"""Channels at 4, 8, 16, 32 and 64 pixels a side."""
SIDE = 64
MEAN_OF = 256
"""Styles whose mean is what truncation pulls towards."""


class Styled(nn.Module):
    """A convolution whose result is normalised in each pixel, then scaled and shifted by the style.

    Args:
        up: twice as many pixels a side come out. They are made after the convolution, which costs a quarter of before.
    """

    def __init__(self, before: int, after: int, up: bool = False) -> None:
        super().__init__()
        self._up = up
        self.filter = nn.Conv2d(before, after, 3, 1, 1, bias=False)
        self.style = nn.Linear(STYLE, 2 * after)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        x = self.filter(x)
        if self._up:
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = x * (x.square().mean(1, keepdim=True) + 1e-6).rsqrt()
        scale, shift = self.style(style)[..., None, None].chunk(2, 1)
        return functional.leaky_relu(x * (1 + scale) + shift, 0.2)


class Generator(nn.Module):
    """Noise and the number of a word to pixels.

    Args:
        words: how many words there are; `meanings` holds a row of 384 numbers for each.
    """

    meanings: torch.Tensor

    def __init__(self, words: int) -> None:
        super().__init__()
        self.register_buffer("meanings", torch.zeros(words, MEANING))
        self.meaning = nn.Linear(MEANING, NOISE)
        self.mapping = nn.Sequential(
            nn.Linear(2 * NOISE, STYLE), nn.LeakyReLU(0.2), nn.Linear(STYLE, STYLE), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.start = nn.Parameter(torch.randn(1, WIDTHS[0], 4, 4))
        self.layers = nn.ModuleList([Styled(WIDTHS[0], WIDTHS[0])])
        for before, after in pairwise(WIDTHS):
            self.layers.extend((Styled(before, after, up=True), Styled(after, after)))
        self.paint = nn.Conv2d(WIDTHS[-1], 3, 3, 1, 1)

    def styles(self, noise: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
        """(count, 64) noise and (count, 384) meanings to styles, (count, 128)."""
        meaning = functional.normalize(self.meaning(functional.normalize(said, dim=-1)), dim=-1) * NOISE**0.5
        noise = functional.normalize(noise, dim=-1) * NOISE**0.5
        return self.mapping(torch.cat([noise, meaning], 1))

    def pixels(self, styles: torch.Tensor) -> torch.Tensor:
        """(count, 128) to (count, 3, 64, 64) in -1..1."""
        x = self.start.expand(len(styles), -1, -1, -1)
        for layer in self.layers:
            x = layer(x, styles)
        return self.paint(x).tanh()

    def forward(self, noise: torch.Tensor, word: torch.Tensor) -> torch.Tensor:
        """(count, 64) noise and (count,) numbers of words to (count, 3, 64, 64) in -1..1."""
        return self.pixels(self.styles(noise, self.meanings[word]))


def truncated(network: Generator, noise: torch.Tensor, said: torch.Tensor, truncation: float) -> torch.Tensor:
    """Styles of noise (count, 64) and meanings (count, 384), pulled towards the mean style of each meaning.

    Args:
        truncation: 1 leaves them where they are, 0 makes them the mean: surer pictures, and all alike.
    """
    styles = network.styles(noise, said)
    if truncation == 1:
        return styles
    many = torch.randn(MEAN_OF, NOISE, generator=torch.Generator().manual_seed(0)).to(noise)
    means = torch.stack([network.styles(many, each.expand(MEAN_OF, -1)).mean(0) for each in said])
    return means + (styles - means) * truncation


def load_generator(folder: Path) -> tuple[Generator, list[dict[str, str]]]:
    """The network in single precision, and its words (`name`, `chinese`) by number."""
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    network = Generator(len(words))
    network.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
    return network.eval().requires_grad_(False), words
