"""Reference pictures: the values of their fields as a request has them, and back.

Values by name, as the page holds them. Knows nothing of widgets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.request_parts import Reference
from tabs.image import slots
from tabs.shared import uploaded

SLOTS = 4
PARTS: Mapping[str, Any] = {
    "model": "", "picture": None, "weight": "", "start": "", "end": "", "use": "", "mask": None,
}  # fmt: skip
"""The fields of one slot, as they are when nothing was asked for."""


def name_of(slot: int, part: str) -> str:
    """What a slot's field is called among those of the tab; slots count from 1."""
    return f"reference_{slot}_{part}"


EMPTY: Mapping[str, Any] = {
    name_of(slot, part): value for slot in range(1, SLOTS + 1) for part, value in PARTS.items()
}  # fmt: skip


def asked(sent: Mapping[str, Any]) -> bool:
    """Whether the page's own values, by the names that fields have there, show a picture to the model."""
    return any(sent.get(f"image-reference-{slot}-model") for slot in range(1, SLOTS + 1))


def wanted(values: Mapping[str, Any]) -> tuple[Reference, ...]:
    """The references that the fields ask for: of the slots that name an IP-Adapter.

    Raises:
        StudioError: not_a_number; not_uploaded, upload_too_large.
    """
    found = []
    for slot in range(1, SLOTS + 1):
        given = {part: values.get(name_of(slot, part)) or empty for part, empty in PARTS.items()}
        if not given["model"]:
            continue
        numbers = slots.read_strength("reference", given)
        picture, mask = (uploaded.read_upload(given[part]) for part in ("picture", "mask"))
        found.append(Reference(given["model"], picture, use=given["use"], mask=mask, **numbers))
    return tuple(found)


def fields(references: Sequence[Reference], files: Sequence[tuple[str | None, str | None]]) -> dict[str, Any]:
    """The fields' values for references. What is not known is emptied.

    Args:
        files: picture and mask of each, None where it is not here any more.
    """
    out = dict(EMPTY)
    for slot, (one, (picture, mask)) in enumerate(zip(references[:SLOTS], files, strict=False), 1):
        out |= {name_of(slot, "model"): one.model, name_of(slot, "use"): one.use}
        out |= {name_of(slot, "picture"): picture, name_of(slot, "mask"): mask}
        out |= {name_of(slot, part): typed for part, typed in slots.typed_strength(one).items()}
    return out
