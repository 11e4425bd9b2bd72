"""Two small networks of the bundled captioner: what colours a picture has, and whether it is a photograph."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class Colours(nn.Module):
    """Names the colour of each pixel, or says that it belongs to the ground."""

    SIDE = 32

    def __init__(self, colours: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(9, 32, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, 1, 2, 2),
            nn.ReLU(),
            nn.Conv2d(32, colours + 1, 1),
        )
        self.ground = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, colours))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(count, 3, side, side) to the shares of colours and ground (they add up to 1) and the ground's logits."""
        small = F.interpolate(pixels, (self.SIDE, self.SIDE), mode="area")
        edge = _rim(small, 2).median(2).values
        around = edge[..., None, None].expand_as(small)
        found = self.look(torch.cat([small, around, (small - around).abs()], 1)).softmax(1)
        return found.mean((2, 3)), self.ground(edge)


class Photographed(nn.Module):
    """Whether a picture is a photograph: how often neighbouring pixels differ, by how much, at two sizes; and how much
    of it has the colour of its border.

    Neighbours alone would call a soft drawing a photograph: what was painted by a model, or enlarged, has grain too.
    """

    EDGES = (0.004, 0.012, 0.03, 0.06, 0.12, 0.25)
    APART = (0.02, 0.05, 0.1, 0.2, 0.4)

    def __init__(self) -> None:
        super().__init__()
        measures = 4 * len(self.EDGES) + 2 * len(self.APART)
        self.judge = nn.Sequential(nn.Linear(measures, 24), nn.ReLU(), nn.Linear(24, 1))

    def measured(self, pixels: torch.Tensor) -> torch.Tensor:
        """Shares of differences below each edge, (count, 34): between neighbours in the whole and in its border, fine
        and coarse; and from the colour that the border has mostly, in the whole and in the border."""
        shares = []
        for picture in (pixels, F.avg_pool2d(pixels, 2)):
            across = (picture[..., :-1, 1:] - picture[..., :-1, :-1]).abs().amax(1)
            step = torch.maximum(across, (picture[..., 1:, :-1] - picture[..., :-1, :-1]).abs().amax(1))
            rim = step.shape[-1] // 10
            border = torch.cat([step[:, :rim].flatten(1), step[:, -rim:].flatten(1)], 1)
            for part in (step.flatten(1), border):
                shares += [(part < edge).to(pixels.dtype).mean(1) for edge in self.EDGES]
        coarse = F.avg_pool2d(pixels, 4)
        edge = _rim(coarse, 3)
        mostly = edge.median(2, keepdim=True).values
        for part in (coarse.flatten(2), edge):
            apart = (part - mostly).abs().amax(1)
            shares += [(apart < most).to(pixels.dtype).mean(1) for most in self.APART]
        return torch.stack(shares, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(count, 3, side, side) in -1..1 to one logit each."""
        return self.judge(self.measured(pixels))[:, 0]


def _rim(picture: torch.Tensor, wide: int) -> torch.Tensor:
    """The pixels within `wide` of the border, (count, 3, pixels); those of the corners twice."""
    sides = (picture[..., :wide, :], picture[..., -wide:, :], picture[..., :wide], picture[..., -wide:])
    return torch.cat([side.flatten(2) for side in sides], 2)
