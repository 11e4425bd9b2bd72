"""Icons as they might be drawn elsewhere: other colours, outlines, shadows, sizes, places and grounds.

Everything that a picture is said to show is measured after the change, so that no label is wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from train.image import colours

KINDS = ("photograph", "flat", "glossy", "cartoon", "outlined", "silhouette")
COLOURS = tuple(colours.NAMES)
_LABELS = [*colours.NAMES, *(name for name, _ in colours._MORE)]
_TO_NAME = torch.tensor([COLOURS.index(name) for name in _LABELS])
_ANCHORS = torch.tensor(np.asarray(colours._ANCHORS))
_LUMA = torch.tensor([0.3, 0.59, 0.11])


@dataclass
class Batch:
    """Pictures, (count, 3, side, side) in -1..1; their kinds; shares of colours, (count, 20), the last the ground's;
    the ground's colour."""

    pixels: torch.Tensor
    kinds: torch.Tensor
    shares: torch.Tensor
    ground: torch.Tensor


def lab(rgb: torch.Tensor) -> torch.Tensor:
    """CIELAB of sRGB in 0..1, shape (..., 3); the same formulas as train/image/colours.py."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055).clamp(min=0) ** 2.4)
    matrix = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ matrix.T / torch.tensor([0.9505, 1.0, 1.089])
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def named(rgb: torch.Tensor) -> torch.Tensor:
    """The number of the nearest colour name, for sRGB in 0..1, shape (..., 3)."""
    flat = lab(rgb.reshape(-1, 3))
    return _TO_NAME[torch.cdist(flat, _ANCHORS).argmin(1)].view(rgb.shape[:-1])


def shares(rgba: torch.Tensor) -> torch.Tensor:
    """(count, 4, side, side) in 0..1 to (count, 20): shares of colours and, last, of what is transparent."""
    some = rgba[..., 1::3, 1::3]
    names = named(some[:, :3].permute(0, 2, 3, 1)).flatten(1)
    names = torch.where(some[:, 3].flatten(1) > 0.5, names, len(COLOURS))
    return F.one_hot(names, len(COLOURS) + 1).float().mean(1)


def batch(icons: torch.Tensor, kinds: torch.Tensor, side: int, chance: torch.Generator, strength: float = 1.0) -> Batch:
    """Icons, uint8 (count, height, width, 4), changed at random.

    Args:
        kinds: which of KINDS each is as it was drawn.
        strength: 0 leaves them as they are, on white.
    """
    count = len(icons)
    rgba = icons.permute(0, 3, 1, 2).float() / 255

    def some(share: float) -> torch.Tensor:
        return torch.rand(count, generator=chance) < share * strength

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, generator=chance) * (high - low) + low

    kinds = kinds.clone()
    rgb, alpha = rgba[:, :3], rgba[:, 3:]
    rgb = _recoloured(rgb, some(0.45), some(0.08), chance)
    tone = torch.where(some(0.5), uniform(0.7, 1.35), 1.0).view(-1, 1, 1, 1)
    rgb = rgb.clamp(1e-4, 1) ** tone
    ink = _ink(rgb, alpha)
    for which, whole in ((some(0.10), False), (some(0.06), True)):
        if which.any():
            line = torch.rand(count, 3, 1, 1, generator=chance) * 0.35
            drawn = ink * 1.0
            rgb[which] = torch.where(drawn > 0.5, line, rgb)[which] if not whole else line.expand_as(rgb)[which]
            alpha = alpha.clone()
            alpha[which] = torch.maximum(alpha, drawn)[which] if not whole else drawn[which]
            kinds[which] = KINDS.index("outlined")
    if (shadow := some(0.03)).any():
        rgb[shadow] = (torch.rand(count, 3, 1, 1, generator=chance) * 0.6).expand_as(rgb)[shadow]
        kinds[shadow] = KINDS.index("silhouette")
    rgba = _moved(torch.cat([rgb * alpha, alpha], 1), side, strength, chance)
    solid = rgba[:, 3:].clamp(1e-3, 1)
    plain = torch.cat([(rgba[:, :3] / solid).clamp(0, 1), rgba[:, 3:]], 1)
    ground = _ground(count, side, some(0.45), chance)
    pixels = rgba[:, :3] + ground * (1 - rgba[:, 3:])
    told = named(ground.mean((2, 3)))
    pixels = _worn(pixels, side, some, uniform, chance)
    return Batch(pixels.clamp(0, 1) * 2 - 1, kinds, shares(plain), told)


def _recoloured(rgb: torch.Tensor, turned: torch.Tensor, grey: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """Hues turned about the axis of greys, colours stronger or weaker; some grey."""
    count = len(rgb)
    angle = torch.where(turned, torch.rand(count, generator=chance) * 2 * math.pi, 0.0)
    vivid = torch.where(turned, torch.rand(count, generator=chance) * 0.8 + 0.5, 1.0)
    vivid = torch.where(grey, 0.0, vivid)
    third, root = 1 / 3, math.sqrt(1 / 3)
    cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
    ones, eye = torch.full((3, 3), third), torch.eye(3)
    cross = root * torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    turn = cos * eye + (1 - cos) * ones + sin * cross
    luma = _LUMA.expand(3, 3)
    turn = (luma + vivid.view(-1, 1, 1) * (eye - luma)) @ turn
    return torch.einsum("nij,njhw->nihw", turn, rgb).clamp(0, 1)


def _ink(rgb: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Where a pen would go: edges of shapes and of brightness. (count, 1, height, width) in 0..1."""
    seen = torch.cat([(rgb * _LUMA.view(1, 3, 1, 1)).sum(1, keepdim=True) * alpha, alpha], 1)
    across = (F.pad(seen, (0, 2)) - F.pad(seen, (2, 0)))[..., 1:-1].abs()
    down = (F.pad(seen, (0, 0, 0, 2)) - F.pad(seen, (0, 0, 2, 0)))[..., 1:-1, :].abs()
    edge = (across + down).amax(1, keepdim=True)
    return ((F.max_pool2d(edge, 3, 1, 1) - 0.12) * 5).clamp(0, 1)


def _moved(rgba: torch.Tensor, side: int, strength: float, chance: torch.Generator) -> torch.Tensor:
    """Turned a little, larger or smaller, elsewhere; at the size that is trained on."""
    count = len(rgba)

    def between(low: float, high: float) -> torch.Tensor:
        return torch.rand(count, generator=chance) * (high - low) + low

    angle = torch.randn(count, generator=chance) * 0.12 * strength
    scale = 1 + strength * (between(0.92, 1.5) - 1)
    wide = 1 + strength * between(-0.12, 0.12)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    room = 0.25 * strength * scale
    across = torch.stack([cos * wide, -sin, room * between(-1, 1)], 1)
    matrix = torch.stack([across, torch.stack([sin * wide, cos, room * between(-1, 1)], 1)], 1)
    grid = F.affine_grid(matrix, [count, 4, side, side], align_corners=False)
    return F.grid_sample(rgba, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _ground(count: int, side: int, coloured: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """White, or a colour that may change a little across the picture. (count, 3, side, side)."""
    first = torch.rand(count, 3, 1, 1, generator=chance)
    dark = torch.rand(count, 1, 1, 1, generator=chance)
    first = torch.where(dark < 0.2, first * 0.15, torch.where(dark < 0.4, 0.85 + first * 0.15, first))
    slope = torch.randn(count, 3, 2, generator=chance) * 0.12 * (torch.rand(count, 1, 1, generator=chance) < 0.4)
    line = torch.linspace(-1, 1, side)
    made = first + slope[..., :1, None] * line.view(1, 1, -1, 1) + slope[..., 1:, None] * line.view(1, 1, 1, -1)
    return torch.where(coloured.view(-1, 1, 1, 1), made.clamp(0, 1), 1.0)


def _worn(pixels: torch.Tensor, side: int, some: Any, uniform: Any, chance: torch.Generator) -> torch.Tensor:
    """Blurred, coarse, noisy, pale, or partly covered."""
    if (soft := some(0.15)).any():
        pixels[soft] = F.avg_pool2d(F.pad(pixels[soft], (1, 1, 1, 1), "replicate"), 3, 1)
    if (coarse := some(0.15)).any():
        small = F.interpolate(pixels[coarse], scale_factor=0.5, mode="area")
        pixels[coarse] = F.interpolate(small, (side, side), mode="bilinear")
    if (noisy := some(0.2)).any():
        pixels[noisy] += torch.randn(pixels[noisy].shape, generator=chance) * 0.04
    if (pale := some(0.2)).any():
        pixels[pale] = (pixels * uniform(0.7, 1.0, 1, 1, 1) + uniform(0, 0.2, 1, 1, 1))[pale]
    for index in some(0.15).nonzero().flatten().tolist():
        high, wide, top, left = (int(torch.randint(side // 8, side // 3, (), generator=chance)) for _ in range(4))
        top, left = top * 2, left * 2
        pixels[index, :, top : top + high, left : left + wide] = torch.rand(3, 1, 1, generator=chance)
    return pixels
