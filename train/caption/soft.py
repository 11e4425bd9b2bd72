"""Soft drawings: icons as a small picture model paints them, or as they come enlarged or from a JPEG.

Such a drawing has grain where it should be flat, and still one colour for its ground.
"""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image

from train.caption.grain import grain


def soften(random: np.random.Generator, picture: torch.Tensor) -> torch.Tensor:
    """A drawing, (3, side, side) in 0..1, made soft: fewer pixels, clouds in its colours, sometimes a faint frame."""
    side, made = picture.shape[-1], picture[None]
    few = int(random.integers(48, 160))
    made = F.interpolate(made, (few, few), mode="bilinear", antialias=True)
    rim = torch.cat([made[..., :2, :].flatten(2), made[..., -2:, :].flatten(2)], 2)
    apart = (made - rim.median(2).values[..., None, None]).abs().amax(1, keepdim=True)
    inked = F.max_pool2d((apart > 0.04).float(), 3, 1, 1)
    clouds = torch.from_numpy(grain(random, few, random.uniform(0.8, 2.5))).permute(2, 0, 1)[None].float()
    made = made + random.uniform(0, 0.04) * clouds * (inked + random.uniform(0, 0.2) * (1 - inked))
    if random.random() < 0.4:
        frame = torch.ones(few, few)
        frame[1:-1, 1:-1] = 0
        made = made + random.uniform(-0.12, 0.12) * frame
    larger = int(random.choice((few, 128, 192, 256, 384)))
    if larger > few:
        made = F.interpolate(made, (larger, larger), mode=str(random.choice(("bilinear", "bicubic"))))
    if random.random() < 0.3:
        made = jpeg(made, int(random.integers(50, 96)))
    return F.interpolate(made.clamp(0, 1), (side, side), mode="bilinear", antialias=True)[0].clamp(0, 1)


def jpeg(picture: torch.Tensor, quality: int) -> torch.Tensor:
    """(1, 3, height, width) in 0..1 through a JPEG file."""
    file = io.BytesIO()
    pixels = (picture[0].clamp(0, 1).permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.asarray(Image.open(file)).copy()).permute(2, 0, 1)[None].float() / 255
