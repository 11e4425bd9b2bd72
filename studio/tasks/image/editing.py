"""Edit with words: pictures that an instruction speaks of, and whether a model can be asked for that."""

from __future__ import annotations

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.requests import ImageRequest
from studio.tasks.bounds import check_picture
from studio.tasks.image.size import upright

LONGEST = 8
"""How many times as long as wide a picture may be: the pipelines know no longer ones."""
PICTURE_BYTES = 570_000_000
"""Memory that each takes at every step beside the picture that is painted: 538 MB with FLUX.2 klein 4B, which takes
most (bench/editing.py, in bfloat16)."""
READING_BYTES = 2_100_000_000
"""Memory that it takes to read one, given back before the first step: 2,028 MB with Qwen-Image-Edit, 1,342 MB with
FLUX.2 klein."""


def check(request: ImageRequest, card: Card, public: bool) -> None:
    """Refuse pictures that a model cannot edit by, and a model that does nothing without one.

    Raises:
        StudioError: no_editing, edit_and_start, too_many_pictures, edit_nothing, picture_too_long; not_text, too_many,
            bad_image, no_picture, image_too_large, file_too_large.
    """
    least, most = card.pictures
    if not request.pictures:
        if least and not request.image:
            raise StudioError("edit_nothing", model=card.title)
        return
    if not most:
        raise StudioError("no_editing", model=card.title)
    if request.image:
        raise StudioError("edit_and_start")
    if len(request.pictures) > most:
        raise StudioError("too_many_pictures", model=card.title, count=len(request.pictures), limit=most)
    for data in request.pictures:
        check_picture("pictures", data, public)
        width, height = upright(data)
        if max(width, height) > LONGEST * min(width, height):
            raise StudioError("picture_too_long", width=width, height=height, times=LONGEST)


def admits(request: ImageRequest, card: Card) -> bool:
    """Whether this model takes as many pictures as there are, and can do without where there are none."""
    least, most = card.pictures
    return least <= len(request.pictures) + bool(request.image) and len(request.pictures) <= most
