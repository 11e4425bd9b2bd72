"""Pictures that an instruction speaks of, as each pipeline that edits takes them."""

from __future__ import annotations

from typing import Any

from PIL import Image

from studio.engines.image.init_image import left_out
from studio.media import colour
from studio.media.image import decode
from studio.requests import ImageRequest
from studio.results import Note

_SHORTEST = 64
"""Pixels of a side below which FLUX.2 klein refuses a picture."""
_SEVERAL = ("Flux2KleinPipeline", "QwenImageEditPlusPipeline")
"""Pipelines that take a list; the others would read one as a batch."""


def read_pictures(request: ImageRequest) -> tuple[tuple[Image.Image, ...], tuple[Note, ...]]:
    """The pictures of a request, RGB at their own size, and what of their files is not used.

    The pipelines bring each to the size that they read, by its own proportions.

    Raises:
        StudioError: bad_image, image_too_large.
    """
    given = [decode(data) for data in request.pictures]
    names = dict.fromkeys(name for one in given for name, _ in left_out(one))
    return tuple(_large_enough(colour.on_white(one.image)) for one in given), tuple((name, {}) for name in names)


def arguments(pipe: Any, pictures: tuple[Image.Image, ...]) -> dict[str, Any]:
    """What a pipeline's call takes of the pictures; nothing where there are none."""
    if not pictures:
        return {}
    return {"image": list(pictures) if type(pipe).__name__ in _SEVERAL else pictures[0]}


def _large_enough(picture: Image.Image) -> Image.Image:
    scale = _SHORTEST / min(picture.size)
    if scale <= 1:
        return picture
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
