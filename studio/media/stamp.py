"""Stamp of a picture: words on a dark plate in its lower right corner, put there and found again.

The words are masks (assets/label), so that no font is needed; the plate hides what lies below, so that they are read on
any ground. A stamp is found by its pixels alone, at any size: also in a picture that was enlarged since.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SHARE, LEAST = 0.055, 12
"""Height of the words: of the picture's shorter side, and in pixels; less where they would not fit its width."""
_MASKS = Path(__file__).resolve().parent.parent.parent / "assets" / "label"
_PLATE, _INK = (17, 17, 17), (255, 255, 255)
_MARGIN = 0.5
"""Of the words' height, on each side of them: heights are even, so that an enlarged stamp has the same proportions."""
_SIDE = 400
"""Of a picture in which a stamp is looked for, its shorter side; one with less is looked at as it is."""
_KNOWN = 16
"""Height of the words when they are compared."""
_ALIKE, _STRONG = 0.75, 0.66
"""How alike plate and picture have to be, and how strong the contrast: half painted over it is no stamp any more."""
_SMALLEST, _LARGEST, _STEP = 0.04, 0.36, 1.015
"""Heights that are tried, as shares of the shorter side, each so many times the one before."""


def stamped(picture: Image.Image, words: str) -> Image.Image:
    """A copy with the stamp on it, in the picture's own mode (RGB or RGBA).

    Args:
        words: the name of a mask.
    """
    plate = _plate(words, _height(picture.size, words))
    new = picture.copy()
    new.paste(plate.convert(new.mode), (new.width - plate.width, new.height - plate.height))
    return new


def framed(picture: Image.Image, words: str) -> Image.Image:
    """A copy that is higher by a strip with the stamp in it, so that nothing is hidden."""
    from PIL import Image

    plate = _plate(words, _height(picture.size, words))
    new = Image.new("RGB", (picture.width, picture.height + plate.height), "white")
    new.paste(picture, (0, 0))
    new.paste(plate, (new.width - plate.width, picture.height))
    return new


def find(picture: Image.Image, words: str) -> float:
    """How high the words of a stamp in the corner are, as a share of the picture's shorter side; 0.0 where none is."""
    import numpy as np
    from PIL import Image

    known = _levels(_plate(words, _KNOWN))
    wide = picture.convert("RGBA")
    whole = Image.new("RGB", wide.size, (128, 128, 128))
    whole.paste(wide, (0, 0), wide)
    corner = whole.crop(_corner(picture.size)).convert("L")
    scale = min(1.0, _SIDE / min(picture.size))
    if scale < 1:
        size = (max(1, round(corner.width * scale)), max(1, round(corner.height * scale)))
        corner = corner.resize(size, Image.Resampling.BOX)
    side, mask = min(picture.size) * scale, _mask(words)
    best, found = _ALIKE, 0.0
    for number in range(math.ceil(math.log(_LARGEST / _SMALLEST) / math.log(_STEP))):
        share = _SMALLEST * _STEP**number
        high = side * share * (1 + 2 * _MARGIN)
        across = side * share * (mask.width / mask.height + 2 * _MARGIN)
        if across > corner.width or high > corner.height:
            break
        box = (corner.width - across, corner.height - high, corner.width, corner.height)
        seen = _levels(corner.resize((known.shape[1], known.shape[0]), Image.Resampling.BILINEAR, box=box))
        alike = float(np.corrcoef(seen.ravel(), known.ravel())[0, 1]) if seen.std() > _STRONG * known.std() else 0.0
        if alike > best:
            best, found = alike, share
    return found


def apart(
    picture: Image.Image, words: str
) -> tuple[Image.Image, Image.Image, tuple[float, float, float, float]] | None:
    """For who draws a picture anew: the picture with an empty plate, the plate as large as its mask, and its box in the
    picture (left, top, right, bottom); None where no stamp is found."""
    if not (share := find(picture, words)):
        return None
    mask = _mask(words)
    high, across = (share * min(picture.size) * (part + 2 * _MARGIN) for part in (1, mask.width / mask.height))
    box = (picture.width - across, picture.height - high, float(picture.width), float(picture.height))
    bare = picture.copy()
    bare.paste(_PLATE if bare.mode == "RGB" else (*_PLATE, 255), (round(box[0]), round(box[1]), *picture.size))
    return bare, _plate(words, mask.height), box


def _height(size: tuple[int, int], words: str) -> int:
    wanted = max(math.ceil(SHARE * min(size)), LEAST)
    fitting = [step for step in range(wanted + wanted % 2, 3, -2) if _measures(words, step)[0] <= size[0]]
    return min(fitting[0] if fitting else 4, max(4, size[1] // 4 * 2))


def _measures(words: str, height: int) -> tuple[int, int]:
    """Width and height of the plate round words of this height."""
    mask, margin = _mask(words), max(1, round(height * _MARGIN))
    return max(1, round(mask.width * height / mask.height)) + 2 * margin, height + 2 * margin


def _plate(words: str, height: int) -> Image.Image:
    from PIL import Image

    across, high = _measures(words, height)
    margin = (high - height) // 2
    letters = _mask(words).resize((across - 2 * margin, height), Image.Resampling.LANCZOS)
    plate = Image.new("RGB", (across, high), _PLATE)
    plate.paste(_INK, (margin, margin), letters)
    return plate


def _corner(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where the largest stamp that is looked for can be."""
    high = min(size[1], math.ceil(min(size) * _LARGEST * (1 + 2 * _MARGIN)) + 2)
    return 0, size[1] - high, size[0], size[1]


def _levels(picture: Image.Image) -> np.ndarray:
    import numpy as np

    return np.asarray(picture.convert("L"), np.float32)


@functools.cache
def _mask(words: str) -> Image.Image:
    from PIL import Image

    with Image.open(_MASKS / f"{words}.png") as mask:
        return mask.convert("L")
