"""The ground that a thing stands on, told from the picture: what its border is made of, and all that hangs together
with it. Taken away, it leaves the thing on nothing, with soft edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.errors import StudioError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

_ALIKE = 26.0
"""Distance in 8-bit RGB below which a pixel is the ground; paper, compression and soft shadows vary that much."""
_FAINT = 80.0
"""The same for the outermost pixels, two of 128."""
_EVEN = 0.6
"""The least share of the border that must be ground: where it is less, the picture has no ground of its own."""
_EDGE = 60.0
"""Distance from the ground at which a pixel of something thin is wholly there."""
_WIDTH = 5
"""Pixels by which colours of the inside are carried over its edge."""


def cut_out(picture: Image.Image) -> Image.Image:
    """The picture in mode RGBA, its ground transparent.

    What is enclosed by the thing stays, also where it has the ground's colour: the white of an eye is no ground. A
    picture that is transparent already comes back as it is.

    Raises:
        StudioError: no_ground where its border is not of one colour.
    """
    import numpy as np
    from PIL import Image

    if picture.mode == "RGBA" and (np.asarray(picture.getchannel("A")) < 255).any():
        return picture
    pixels = np.asarray(picture.convert("RGB")).astype(np.float32)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = np.median(border, axis=0)
    if (np.linalg.norm(border - ground, axis=1) < _ALIKE).mean() < _EVEN:
        raise StudioError("no_ground")
    distance = np.linalg.norm(pixels - ground, axis=2)
    alike = distance < _ALIKE
    wide = max(2, min(alike.shape) // 64)
    for frame in (np.s_[:wide], np.s_[-wide:], np.s_[:, :wide], np.s_[:, -wide:]):
        alike[frame] |= distance[frame] < _FAINT  # models leave a faint line along the border
    _without_specks(alike, 2 * wide)
    outside = _connected(alike)
    near = _grown(outside, 2) & ~outside
    beside, known = _spread(pixels, ~_grown(outside, 3))
    # A pixel of the edge is as much there as it is far from the ground on the way to the thing's colour beside it, and
    # gets that colour: else the old ground would shine around the thing on another one.
    whole = np.where(known, np.maximum(np.linalg.norm(beside - ground, axis=2), _ALIKE), _EDGE)
    share = np.where(outside, 0.0, np.where(near, np.clip(distance / whole, 0.0, 1.0), 1.0))
    colour = np.where(((near | outside) & known)[..., None], beside, pixels)
    return Image.fromarray(np.dstack([colour, share * 255]).round().clip(0, 255).astype(np.uint8), "RGBA")


def _without_specks(alike: np.ndarray, size: int) -> None:
    """Make each corner of so many pixels ground where ground goes round it: models leave specks there."""
    import numpy as np

    for down in (slice(None), slice(None, None, -1)):
        for across in (slice(None), slice(None, None, -1)):
            corner = alike[down, across][: size + 1, : size + 1]
            if np.concatenate([corner[-1], corner[:, -1]]).all():
                corner[:] = True


def _connected(alike: np.ndarray) -> np.ndarray:
    """The part of a mask that hangs together with the border: spreading along rows and columns to its end."""
    import numpy as np

    reached = np.zeros_like(alike)
    for frame in (np.s_[:1], np.s_[-1:], np.s_[:, :1], np.s_[:, -1:]):
        reached[frame] = alike[frame]
    before = -1
    while (now := int(reached.sum())) != before:
        before = now
        for view in (np.s_[:, :], np.s_[:, ::-1]):
            for free, gone in ((alike[view], reached[view]), (alike.T[view], reached.T[view])):
                place = np.arange(free.shape[1], dtype=np.int32)[None]
                wall = np.maximum.accumulate(np.where(free, -1, place), axis=1)
                last = np.maximum.accumulate(np.where(gone, place, -1), axis=1)
                np.logical_or(gone, free & (last > wall), out=gone)
    return reached


def _spread(pixels: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours of the inside carried over its edge, and where there are any; what is thin has no inside."""
    import numpy as np
    from PIL import Image, ImageFilter

    blur = ImageFilter.BoxBlur(_WIDTH)
    weight = np.asarray(Image.fromarray(inside.astype(np.uint8) * 255).filter(blur)).astype(np.float32) / 255
    kept = Image.fromarray((pixels * inside[..., None]).round().astype(np.uint8)).filter(blur)
    return np.asarray(kept).astype(np.float32) / np.maximum(weight, 0.05)[..., None], weight > 0.05


def _grown(mask: np.ndarray, by: int) -> np.ndarray:
    import numpy as np
    from PIL import Image, ImageFilter

    wide = Image.fromarray(mask.astype("uint8") * 255).filter(ImageFilter.MaxFilter(2 * by + 1))
    return np.asarray(wide) > 0
