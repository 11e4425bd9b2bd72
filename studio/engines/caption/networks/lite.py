"""EfficientNet-Lite0 (Tan and Le 2019; without squeeze-excite, with ReLU6), its normalisations folded in.

Convolutions of one pixel and the classifier keep their weights in eight bits, one scale for each channel that comes
out: a quarter of the bytes for the same answers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

BLOCKS = (
    (3, 1, 16, 1), (3, 2, 24, 6), (3, 1, 24, 6), (5, 2, 40, 6), (5, 1, 40, 6), (3, 2, 80, 6), (3, 1, 80, 6),
    (3, 1, 80, 6), (5, 1, 112, 6), (5, 1, 112, 6), (5, 1, 112, 6), (5, 2, 192, 6), (5, 1, 192, 6), (5, 1, 192, 6),
    (5, 1, 192, 6), (3, 1, 320, 6),
)  # fmt: skip
"""EfficientNet-Lite0: kernel, stride, width and expansion of its blocks (Tan and Le 2019, without squeeze-excite)."""


class Pixelwise(nn.Module):
    """A convolution of one pixel whose weight is kept in eight bits, with a scale for each channel that comes out."""

    weight: torch.Tensor

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(after, before, dtype=torch.int8))
        self.scale = nn.Parameter(torch.ones(after))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight.to(x.dtype) * self.scale.to(x.dtype)[:, None]
        if x.dim() == 2:
            return F.linear(x, weight, self.bias)
        return F.conv2d(x, weight[..., None, None], self.bias)


class Block(nn.Module):
    """Expand, filter each channel, project; with a way round where the sizes allow it."""

    def __init__(self, before: int, kernel: int, stride: int, after: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        self.expand = Pixelwise(before, inner) if expansion > 1 else None
        self.filter = nn.Conv2d(inner, inner, kernel, stride, 0 if stride > 1 else kernel // 2, groups=inner)
        self.project = Pixelwise(inner, after)
        self._round = stride == 1 and before == after
        self._pad = (kernel // 2 - 1, kernel // 2) * 2 if stride > 1 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = F.relu6(self.expand(x)) if self.expand is not None else x
        made = F.pad(made, self._pad) if self._pad else made
        made = self.project(F.relu6(self.filter(made)))
        return x + made if self._round else made


class Lite(nn.Module):
    """EfficientNet-Lite0, its normalisations folded into its convolutions."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2)
        widths = [32, *(width for _, _, width, _ in BLOCKS)]
        self.blocks = nn.ModuleList(
            Block(before, kernel, stride, after, expansion)
            for before, (kernel, stride, after, expansion) in zip(widths, BLOCKS, strict=False)
        )
        self.head = Pixelwise(320, 1280)
        self.classify = Pixelwise(1280, classes)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """(count, 3, side, side) in -1..1 to (count, 1280)."""
        x = F.relu6(self.stem(F.pad(pixels, (0, 1, 0, 1))))
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x)).mean((2, 3))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """To (count, classes)."""
        return self.classify(self.features(pixels))
