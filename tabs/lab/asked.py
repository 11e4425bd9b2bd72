"""Values of a message of the lab's scripts, each held to its kind and its bounds before anything is computed."""

from __future__ import annotations

import math
from typing import Any

from studio.errors import StudioError
from studio.lab.looking import Looker
from tabs.shared.asker import Asker


class Asked:
    """A message by its fields. Every method raises StudioError: bad_message where a value is none of the page's."""

    def __init__(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise StudioError("bad_message")
        self._fields = message

    def text(self, name: str, most: int) -> str:
        """A text of at most so many characters; empty where it is missing."""
        value = self._fields.get(name, "")
        if not isinstance(value, str) or len(value) > most:
            raise StudioError("bad_message")
        return value

    def number(self, name: str, low: float, high: float, default: float) -> float:
        """A number within bounds, both included."""
        value = self._fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise StudioError("bad_message")
        if not math.isfinite(value) or not low <= value <= high:
            raise StudioError("bad_message")
        return float(value)

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number within bounds, both included."""
        value = self._fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise StudioError("bad_message")
        return value

    def wholes(self, name: str, high: int, most: int) -> list[int]:
        """At most so many whole numbers from 0 to `high`; none where it is missing."""
        value = self.several(name, most)
        if not all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= high for one in value):
            raise StudioError("bad_message")
        return value

    def several(self, name: str, most: int) -> list[Any]:
        """At most so many values, whatever they are; none where it is missing."""
        value = self._fields.get(name, [])
        if not isinstance(value, list) or len(value) > most:
            raise StudioError("bad_message")
        return value

    def texts(self, name: str, letters: int, most: int) -> list[str]:
        """At most so many texts, each of at most so many characters and none of them blank."""
        value = self.several(name, most)
        if not all(isinstance(one, str) and one.strip() and len(one) <= letters for one in value):
            raise StudioError("bad_message")
        return value


def looker(asker: Asker) -> Looker:
    """Who asks, as the lab knows them."""
    return Looker(asker.who, asker.place)
