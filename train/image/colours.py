"""Which colours a picture has, in the words that people use, and pictures in other colours."""

from __future__ import annotations

import numpy as np

NAMES = {
    "red": (218, 30, 45), "orange": (245, 130, 20), "yellow": (250, 205, 45), "green": (60, 160, 60),
    "light green": (150, 215, 100), "teal": (30, 155, 150), "light blue": (125, 195, 240), "blue": (35, 105, 215),
    "dark blue": (25, 45, 110), "purple": (130, 70, 190), "pink": (245, 130, 175), "magenta": (205, 35, 145),
    "brown": (125, 75, 45), "beige": (235, 205, 165), "black": (35, 32, 38), "dark gray": (85, 88, 95),
    "gray": (150, 152, 160), "light gray": (208, 212, 218), "white": (250, 250, 250),
}  # fmt: skip
"""Anchors in sRGB; the nearest one in CIELAB names a pixel."""

_MORE = (("yellow", (255, 228, 120)), ("red", (245, 60, 70)), ("pink", (250, 185, 210)), ("purple", (185, 155, 240)))
"""Further anchors of colours that are wide."""

_SHIFTED = {
    "red": 0.985, "orange": 0.075, "yellow": 0.13, "green": 0.34, "teal": 0.49, "blue": 0.60, "purple": 0.75,
    "pink": 0.93, "magenta": 0.86,
}  # fmt: skip


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of sRGB values in 0..255, shape (..., 3)."""
    value = np.asarray(rgb, np.float32) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32)
    xyz = linear @ matrix.T / np.array([0.9505, 1.0, 1.089], np.float32)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


_LABELS = [*NAMES, *(name for name, _ in _MORE)]
_ANCHORS = lab(np.array([*NAMES.values(), *(anchor for _, anchor in _MORE)], np.float32))


def measure(picture: np.ndarray) -> list[tuple[str, float]]:
    """Colour names with their share of what is not transparent, largest first.

    Args:
        picture: uint8, (height, width, 4).
    """
    seen = picture[::2, ::2].reshape(-1, 4)
    solid = seen[seen[:, 3] > 128][:, :3]
    if len(solid) < 20:
        return []
    distance = np.square(lab(solid)[:, None] - _ANCHORS[None]).sum(-1)
    shares: dict[str, float] = {}
    for name, count in zip(_LABELS, np.bincount(distance.argmin(1), minlength=len(_LABELS)), strict=True):
        shares[name] = shares.get(name, 0.0) + float(count) / len(solid)
    return sorted(((name, share) for name, share in shares.items() if share > 0.02), key=lambda found: -found[1])


def shift(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The picture with all its hues turned so that its main one becomes another of nine; sometimes grey.

    What has no colour stays as it is. uint8, (height, width, 4) in and out.
    """
    value = picture[..., :3].astype(np.float32) / 255
    top, low = value.max(-1), value.min(-1)
    chroma = top - low
    hue = _hue(value, top, chroma)
    weight = chroma * (picture[..., 3] > 128)
    if weight.sum() < 0.02 * weight.size:
        return picture
    if random.random() < 0.08:
        grey = (value @ np.array([0.3, 0.59, 0.11], np.float32))[..., None].repeat(3, -1)
        return np.dstack([(grey * 255).round().astype(np.uint8), picture[..., 3]])
    bins = np.bincount((hue * 36).astype(int).clip(0, 35).ravel(), weights=weight.ravel(), minlength=36)
    main = (bins.argmax() + 0.5) / 36
    name = random.choice(list(_SHIFTED))
    turned = (hue + _SHIFTED[name] - main) % 1
    if name in ("red", "blue", "purple", "green", "magenta"):  # a bright yellow turned blue would be neon
        top = top * 0.9
    saturation = np.where(top > 0, (chroma / np.maximum(value.max(-1), 1e-6)), 0)
    return np.dstack([(_rgb(turned, saturation, top) * 255).round().clip(0, 255).astype(np.uint8), picture[..., 3]])


def _hue(value: np.ndarray, top: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    safe = np.maximum(chroma, 1e-6)
    red, green, blue = value[..., 0], value[..., 1], value[..., 2]
    hue = np.where(
        top == red,
        ((green - blue) / safe) % 6,
        np.where(top == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    return hue / 6 % 1


def _rgb(hue: np.ndarray, saturation: np.ndarray, top: np.ndarray) -> np.ndarray:
    """sRGB of hue, saturation and value, all in 0..1."""
    k = (np.array([5.0, 3.0, 1.0], np.float32) + hue[..., None] * 6) % 6
    return top[..., None] * (1 - saturation[..., None] * np.clip(np.minimum(k, 4 - k), 0, 1))


def on_white(pictures: np.ndarray) -> np.ndarray:
    """uint8 (..., 3): what a page shows of pictures with alpha."""
    alpha = pictures[..., 3:].astype(np.float32) / 255
    return (pictures[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
