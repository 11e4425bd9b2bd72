"""Pictures that steer the painting: the values of their fields as a request has them, and back.

Values by name, as the page holds them. Knows nothing of widgets.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from PIL import Image

from studio.catalog.card import Card
from studio.media.control_maps import control_map
from studio.media.image import decode_image
from studio.request_parts import CONTROL_FITS, PREPROCESSORS, Control, ControlFit
from studio.tasks.bounds import check_choice, check_number, check_picture
from studio.tasks.image.size import SIDE
from tabs.image import shapes, slots
from tabs.shared import uploaded
from tabs.shared.widgets import read_number, read_whole

SLOTS = 3
PARTS: Mapping[str, Any] = {
    "model": "", "picture": None, "preprocessor": "", "weight": "", "start": "", "end": "", "fit": "crop",
}  # fmt: skip
"""The fields of one slot, as they are when nothing was asked for."""


def name_of(slot: int, part: str) -> str:
    """What a slot's field is called among those of the tab; slots count from 1."""
    return f"control_{slot}_{part}"


EMPTY: Mapping[str, Any] = {
    name_of(slot, part): value for slot in range(1, SLOTS + 1) for part, value in PARTS.items()
}  # fmt: skip


def asked(sent: Mapping[str, Any]) -> bool:
    """Whether the page's own values, by the names that fields have there, steer by a picture."""
    return any(sent.get(f"image-control-{slot}-model") for slot in range(1, SLOTS + 1))


def wanted(values: Mapping[str, Any]) -> tuple[Control, ...]:
    """The controls that the fields ask for: of the slots that name a ControlNet.

    Raises:
        StudioError: not_a_number; not_uploaded, upload_too_large.
    """
    found = []
    for slot in range(1, SLOTS + 1):
        given = {part: values.get(name_of(slot, part)) or empty for part, empty in PARTS.items()}
        if not given["model"]:
            continue
        numbers = slots.read_strength("control", given)
        picture = uploaded.read_upload(given["picture"])
        found.append(Control(given["model"], picture, given["preprocessor"], fit=given["fit"], **numbers))
    return tuple(found)


def fields(controls: Sequence[Control], pictures: Sequence[str | None]) -> dict[str, Any]:
    """The fields' values for controls. What is not known is emptied.

    Args:
        pictures: a file for each, None where it is not here any more.
    """
    out = dict(EMPTY)
    for slot, (one, picture) in enumerate(zip(controls[:SLOTS], pictures, strict=False), 1):
        out |= {name_of(slot, part): getattr(one, part) for part in ("model", "preprocessor", "fit")}
        out[name_of(slot, "picture")] = picture
        out |= {name_of(slot, part): typed for part, typed in slots.typed_strength(one).items()}
    return out


def shown_map(values: Mapping[str, Any], card: Card, depth: Callable[[Image.Image], Image.Image]) -> bytes:
    """The map of a slot as a PNG file, at the size that is painted.

    Args:
        values: `picture`, `preprocessor` and `fit` of the slot; the tab's `shape`, `width`, `height`, `hires_scale`.
        depth: what makes a map of depth.

    Raises:
        StudioError: no_picture, bad_image, image_too_large, out_of_range, not_a_choice, not_uploaded, no_depth.
    """
    check_choice("preprocessor", values["preprocessor"] or "", PREPROCESSORS)
    check_choice("control_fit", values["fit"] or "crop", CONTROL_FITS)
    data = uploaded.read_upload(values["picture"])
    check_picture("control_image", data, False)
    picture = decode_image(data)
    fit = cast("ControlFit", values["fit"] or "crop")
    made = control_map(picture, values["preprocessor"] or "", _size(values, card), fit, depth)
    out = io.BytesIO()
    made.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _size(values: Mapping[str, Any], card: Card) -> tuple[int, int]:
    usual = shapes.sized("", card, 1.0)
    if values["shape"] != shapes.CUSTOM:
        return shapes.sized(values["shape"] or "", card, read_number("field.hires_scale", values["hires_scale"]) or 1.0)
    sides = [
        read_whole(f"field.{name}", values[name]) or side for name, side in zip(("width", "height"), usual, strict=True)
    ]
    for name, side in zip(("width", "height"), sides, strict=True):
        check_number(name, side, SIDE)
    return sides[0], sides[1]
