"""Seams between what was painted and the picture that stays: soft edges, and colours that go on across them.

Everything of a seam lies inside the mask: outside of it not a pixel of the picture changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageFilter

_FROM_HALF = [max(0, 2 * value - 255) for value in range(256)]
_DEEP = [0] * 230 + [255] * 26
_ANY = [0] + [255] * 255
_RING = 12  # pixels outside of the mask in which colours are compared
_FAR = 24.0  # levels, of 255: further apart than that, another thing was painted there and not another colour


def soft_edge(mask: Image.Image, blur: float) -> Image.Image:
    """How much of what was painted shows, "L": nothing at the mask's edge, all of it further inside.

    Strokes too thin for this edge get a harder one: they would all but vanish.

    Args:
        mask: "L", 255 painted and 0 kept.
        blur: standard deviation of the edge, in pixels.
    """
    if blur <= 0:
        return mask
    edge = _faded(mask, blur)
    while True:
        reached = edge.point(_DEEP).filter(ImageFilter.BoxBlur(3 * blur)).point(_ANY)
        missed = ImageChops.subtract(mask, reached)
        if missed.getbbox() is None:
            return edge
        blur = blur / 2 if blur > 0.5 else 0.0
        edge = ImageChops.lighter(edge, ImageChops.darker(_faded(mask, blur) if blur else mask, missed))
        if not blur:
            return edge


def joined(picture: Image.Image, painted: Image.Image, mask: Image.Image, blur: float) -> Image.Image:
    """`painted` inside the mask and `picture` outside, all RGB or "L" of one size, the colours matched at the seam."""
    return Image.composite(matched(picture, painted, mask), picture, soft_edge(mask, blur))


def matched(picture: Image.Image, painted: Image.Image, mask: Image.Image) -> Image.Image:
    """`painted` with the colours that it would have if it went on from `picture` at the mask's edge.

    What the two differ by just outside of the mask is spread smoothly over its inside, as a membrane hung into its
    edge; where they differ by a thing and not by a colour, it counts for nothing.
    """
    inside = np.asarray(mask) > 0
    near = np.asarray(mask.point(_ANY).filter(ImageFilter.BoxBlur(_RING)).point(_ANY)) > 0
    apart = np.asarray(picture, np.float32) - np.asarray(painted, np.float32)
    ring = near & ~inside
    if not ring.any():
        return painted
    usual = np.median(apart[ring], axis=0)
    ring &= np.abs(apart - usual).max(axis=-1) <= _FAR
    if not ring.any() or np.abs(usual).max() > _FAR:
        return painted
    field = _membrane(apart, ring.astype(np.float32))
    found = np.asarray(painted, np.float32) + field
    return Image.fromarray(np.clip(found + 0.5, 0, 255).astype(np.uint8), painted.mode)


def _faded(mask: Image.Image, blur: float) -> Image.Image:
    """Half way at the edge of the blurred mask becomes its outside."""
    return ImageChops.darker(mask.filter(ImageFilter.GaussianBlur(blur)).point(_FROM_HALF), mask)


def _membrane(values: Any, weights: Any) -> Any:
    """`values` (height, width, 3) where `weights` (height, width) are 1, and everywhere else what lies between them.

    By halves: averages of what is known are taken until everything is known, and put back into the gaps from coarse to
    fine. One pass over the pixels, and nothing to be solved.
    """
    if weights.all() or min(weights.shape) <= 1:
        return values if weights.all() else _filled(values, weights)
    height, width = weights.shape
    even = ((0, height % 2), (0, width % 2))
    w = np.pad(weights, even)
    v = np.pad(values * weights[..., None], (*even, (0, 0)))
    w4 = w[::2, ::2] + w[1::2, ::2] + w[::2, 1::2] + w[1::2, 1::2]
    v4 = v[::2, ::2] + v[1::2, ::2] + v[::2, 1::2] + v[1::2, 1::2]
    coarse = _membrane(v4 / np.maximum(w4, 1e-6)[..., None], (w4 > 0).astype(np.float32))
    smooth = _doubled(coarse)[:height, :width]
    return np.where(weights[..., None] > 0, values, smooth)


def _filled(values: Any, weights: Any) -> Any:
    mean = (values * weights[..., None]).sum(axis=(0, 1)) / max(float(weights.sum()), 1e-6)
    return np.where(weights[..., None] > 0, values, mean)


def _doubled(values: Any) -> Any:
    """Twice as wide and high, straight lines between."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = np.stack([0.75 * padded[1:-1] + 0.25 * padded[:-2], 0.75 * padded[1:-1] + 0.25 * padded[2:]], axis=1)
    rows = rows.reshape(-1, *rows.shape[2:])
    both = np.stack([0.75 * rows[:, 1:-1] + 0.25 * rows[:, :-2], 0.75 * rows[:, 1:-1] + 0.25 * rows[:, 2:]], axis=2)
    return both.reshape(both.shape[0], -1, both.shape[-1])
