"""Pictures to be edited with words: the values of their fields as a request has them, and back.

Values by name, as the page holds them. Knows nothing of widgets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.tasks.image.limits import PICTURES
from tabs.shared import uploaded

SLOTS = int(PICTURES.high)
USE, EDIT = "start_use", "edit"
"""The field that says what pictures are for, and its value for editing; empty, one is changed by painting over it."""


def name_of(slot: int) -> str:
    """What a slot's field is called among those of the tab; slots count from 1."""
    return f"edit_{slot}"


EMPTY: Mapping[str, Any] = {name_of(slot): None for slot in range(1, SLOTS + 1)}


def files(values: Mapping[str, Any]) -> list[str | None]:
    """The file in each slot; None where it is empty, or holds what no page may name."""
    return [_file(values.get(name)) for name in EMPTY]


def chosen(values: Mapping[str, Any], card: Card) -> bool:
    """Whether the fields edit with words: that was chosen, and the model can or has to say that it cannot."""
    return values.get(USE) == EDIT and (card.pictures[1] > 0 or any(values.get(name) for name in EMPTY))


def wanted(values: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The pictures in the slots, in their order. Raises StudioError: not_uploaded, upload_too_large."""
    return tuple(filter(None, (uploaded.read_upload(values.get(name)) for name in EMPTY)))


def closed(held: Sequence[str | None]) -> list[str | None]:
    """The same files without a gap between them: a picture is called by its number."""
    found = [file for file in held if file]
    return [*found, *[None] * (len(held) - len(found))]


def earlier(held: Sequence[str | None], place: int) -> list[str | None]:
    """The same files, that at `place` (from 0) before the one ahead of it."""
    moved = list(held)
    if place > 0:
        moved[place - 1], moved[place] = moved[place], moved[place - 1]
    return closed(moved)


def added(held: Sequence[str | None], file: str, most: int) -> list[str | None]:
    """The same files and one more, in the place of the last where a model takes no more than these."""
    found = [one for one in held if one][: max(most, 1)]
    found = [*found[: max(most, 1) - 1], file] if len(found) >= max(most, 1) else [*found, file]
    return [*found, *[None] * (len(held) - len(found))]


def _file(sent: Any) -> str | None:
    try:
        place = uploaded.path(sent)
    except StudioError:
        return None
    return None if place is None else str(place)
