"""Asker: who asks at one of the addresses that our scripts use beside Gradio's, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.errors import StudioError


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody at such an address.

    Attributes:
        who: by the name that their jobs have (Page.who).
        place: the network address.
        language: in which they are answered.
    """

    who: str
    place: str
    language: str


def table_of(message: Any, **kinds: type) -> list[Any]:
    """The fields of a message by name, each of its kind; what is missing is empty.

    Raises:
        StudioError: bad_message, where it is not what the page sends.
    """
    if not isinstance(message, dict):
        raise StudioError("bad_message")
    found = [kind() if (value := message.get(name)) is None else value for name, kind in kinds.items()]
    if not all(isinstance(value, kind) for value, kind in zip(found, kinds.values(), strict=True)):
        raise StudioError("bad_message")
    return found
