"""Maps that a ControlNet reads, made of pictures: edges, lines, colours. Pixels only, without any network.

Each is what the program in which people know it calls by the same name, computed in the same way: `canny` as OpenCV
does (thresholds 100 and 200), `lineart` as lineart_standard, `scribble` as scribble_xdog, `color_grid` as
t2ia_color_grid of the ControlNet extension. Lines are white on black, as the networks were taught.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

from studio.request_parts import ControlFit

if TYPE_CHECKING:
    import numpy as np

_Size = tuple[int, int]
_LOW, _HIGH = 100, 200
_TAN22 = 13573
"""The tangent of 22.5 degrees in 1 / 32768."""
_CELL = 64
"""Side of a field of the colour grid, in pixels."""
_COARSE = 4
"""How much smaller the picture for `tile` becomes in between: what is left is where things are, not their details."""


_Maker = Callable[[Image.Image], Image.Image]


def control_map(
    picture: Image.Image, preprocessor: str, size: _Size, fit: ControlFit = "crop", depth: _Maker | None = None
) -> Image.Image:
    """The map for a painting of `size`, RGB.

    With a margin (`fill`) the map is made of the picture alone and the margin added then, or its edge would become a
    line.

    Args:
        picture: RGB.
        preprocessor: one of studio.request_parts.PREPROCESSORS; "" takes the picture as it is.
        depth: what makes "depth", which needs a network.
    """
    made = depth if preprocessor == "depth" and depth is not None else MAKERS[preprocessor]
    way = _resampling(picture.size, size)
    if fit == "stretch":
        return made(picture.resize(size, way))
    if fit == "crop":
        return made(ImageOps.fit(picture, size, way))
    inner = made(ImageOps.contain(picture, size, way))
    whole = Image.new("RGB", size, _border(inner))
    whole.paste(inner, ((size[0] - inner.width) // 2, (size[1] - inner.height) // 2))
    return whole


def _resampling(old: _Size, new: _Size) -> Image.Resampling:
    """How a picture is brought to another size: by Lanczos an edge would ring, and each ring be an edge of its own."""
    larger = max(after / before for before, after in zip(old, new, strict=True)) > 1
    return Image.Resampling.BICUBIC if larger else Image.Resampling.HAMMING


def canny(picture: Image.Image, low: int = _LOW, high: int = _HIGH) -> Image.Image:
    """Edges of one pixel: where brightness changes most, as far as they hang together with a strong one.

    Args:
        low, high: least change along an edge, and at one of its places; sums of both directions, as 8-bit values.
    """
    import numpy as np

    across, down = _sobel(np.asarray(picture, np.int32))
    size = np.abs(across) + np.abs(down)
    strongest = size.argmax(axis=2)[..., None]  # of the channels the one that changes most
    across, down, size = (np.take_along_axis(one, strongest, 2)[..., 0] for one in (across, down, size))
    ridge = (size > low) & _highest(across, down, size)
    return _grey(_grown(ridge & (size > high), ridge) * np.uint8(255))


def lineart(picture: Image.Image) -> Image.Image:
    """What is darker than its surroundings, as soft lines."""
    import numpy as np

    values = np.asarray(picture, np.float32)
    depth = (_blurred(values, 6.0) - values).min(axis=2).clip(0, 255)
    marked = depth[depth > 8]
    depth = depth / max(16.0, float(np.median(marked)) if marked.size else 0.0) * 127
    return _grey(depth.clip(0, 255).astype(np.uint8))


def scribble(picture: Image.Image) -> Image.Image:
    """Thick strokes where somebody would draw them: the difference of two blurs, cut hard."""
    import numpy as np

    values = np.asarray(picture, np.float32)
    apart = (255 - (_blurred(values, 5.0) - _blurred(values, 0.5)).min(axis=2)).clip(0, 255).astype(np.uint8)
    return _grey(((255 - apart.astype(np.int32)) * 2 > 32) * np.uint8(255))


def tile(picture: Image.Image) -> Image.Image:
    """The picture without its details, for networks that put new ones in."""
    small = max(1, picture.width // _COARSE), max(1, picture.height // _COARSE)
    return picture.resize(small, Image.Resampling.BOX).resize(picture.size, Image.Resampling.BICUBIC)


def color_grid(picture: Image.Image) -> Image.Image:
    """Fields of one colour each."""
    small = max(1, picture.width // _CELL), max(1, picture.height // _CELL)
    return picture.resize(small, Image.Resampling.BICUBIC).resize(picture.size, Image.Resampling.NEAREST)


def _plain(picture: Image.Image) -> Image.Image:
    return picture


MAKERS: Mapping[str, _Maker] = {
    "": _plain,
    "canny": canny,
    "lineart": lineart,
    "scribble": scribble,
    "tile": tile,
    "color_grid": color_grid,
    "luminance": lambda picture: picture.convert("L").convert("RGB"),
    "invert": ImageOps.invert,
}
"""Each by its name: RGB in, RGB of the same size out. "" for a picture that is a map already. Depth is not here."""


def _border(picture: Image.Image) -> tuple[int, int, int]:
    """The colour that lies in the middle of those along the edge."""
    import numpy as np

    values = np.asarray(picture)
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    red, green, blue = (int(one) for one in np.median(edge, axis=0))
    return red, green, blue


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values).convert("RGB")


def _sobel(values: Any) -> tuple[Any, Any]:
    """How much each channel changes to the right and downwards, (height, width, channels), int32."""
    import numpy as np

    wide = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    tall = wide[:-2] + 2 * wide[1:-1] + wide[2:]
    long = wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]
    return tall[:, 2:] - tall[:, :-2], long[2:] - long[:-2]


def _highest(across: Any, down: Any, size: Any) -> Any:
    """Where the change is greater than on both sides of the edge, in the one of four directions that is nearest.

    Of two that are equal the right and the lower one counts, as in OpenCV; in whole numbers, so that no rounding
    decides.
    """
    import numpy as np

    wide = np.pad(size, 1)
    height, width = size.shape

    def beside(y: int, x: int) -> Any:
        return wide[1 + y : 1 + y + height, 1 + x : 1 + x + width]

    flat, steep = np.abs(across).astype(np.int64) * _TAN22, np.abs(down).astype(np.int64) << 15
    level = steep < flat
    upright = steep > flat + (np.abs(across).astype(np.int64) << 16)
    falling = (across ^ down) >= 0
    sideways = (size > beside(0, -1)) & (size >= beside(0, 1))
    lengthways = (size > beside(-1, 0)) & (size >= beside(1, 0))
    fall = (size > beside(-1, -1)) & (size > beside(1, 1))
    rise = (size > beside(-1, 1)) & (size > beside(1, -1))
    return np.where(level, sideways, np.where(upright, lengthways, np.where(falling, fall, rise)))


def _grown(sure: Any, possible: Any) -> Any:
    """The possible places that hang together with a sure one, corner to corner. Grows from the newest places only."""
    import numpy as np

    height, width = possible.shape
    line = width + 2
    free = np.pad(possible, 1).ravel()
    found = np.pad(sure, 1).ravel()
    around = np.array([y * line + x for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x])
    newest = np.flatnonzero(found)
    while newest.size:
        near = np.unique((newest[:, None] + around).ravel())
        newest = near[free[near] & ~found[near]]
        found[newest] = True
    return found.reshape(height + 2, line)[1:-1, 1:-1]


def _blurred(values: Any, sigma: float) -> Any:
    """A Gaussian over (height, width, channels), mirrored at the edges."""
    import numpy as np

    reach = max(1, round(sigma * 4))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        length = values.shape[axis]
        around = [(reach, reach) if one == axis else (0, 0) for one in range(values.ndim)]
        wide = np.pad(values, around, mode="reflect" if length > reach else "edge")
        values = sum(weight * _part(wide, place, length, axis) for place, weight in enumerate(weights))
    return values


def _part(values: Any, begin: int, length: int, axis: int) -> Any:
    return values[begin : begin + length] if axis == 0 else values[:, begin : begin + length]
