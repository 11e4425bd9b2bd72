"""Typed values out of a TOML table, with a note of everything that is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(kB|MB|GB)")
_UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9}


class Flaw(NamedTuple):
    """What is wrong with one field of a table."""

    field: str
    message: str


class TableReader:
    """Reads one table. A wrong value is noted in `flaws` and read as empty, so that all flaws are found at once."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.table = table
        self.flaws: list[Flaw] = []

    def flaw(self, field: str, message: str) -> None:
        self.flaws.append(Flaw(field, message))

    def text(self, key: str, *, needed: bool = False) -> str:
        """A string without spaces around it; "" where it is missing."""
        value = self._value(key, "", needed)
        if not isinstance(value, str):
            self.flaw(key, "must be a text in quotes")
            return ""
        if needed and key in self.table and not value.strip():
            self.flaw(key, "is empty")
        return value.strip()

    def texts(self, key: str, *, needed: bool = False) -> tuple[str, ...]:
        """A list of strings."""
        value = self._value(key, [], needed)
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            self.flaw(key, 'must be a list of texts, like ["one", "two"]')
            return ()
        if needed and key in self.table and not value:
            self.flaw(key, "is empty")
        return tuple(value)

    def flag(self, key: str, *, needed: bool = False, default: bool = False) -> bool:
        """true or false; `default` where it is missing."""
        value = self._value(key, default, needed)
        if not isinstance(value, bool):
            self.flaw(key, "must be true or false")
            return False
        return value

    def whole(self, key: str, *, needed: bool = False) -> int:
        """A whole number above 0; 0 where it is missing."""
        value = self._value(key, 0, needed)
        if isinstance(value, bool) or not isinstance(value, int) or (key in self.table and value <= 0):
            self.flaw(key, "must be a whole number above 0")
            return 0
        return value

    def size(self, key: str, *, needed: bool = False) -> int:
        """Bytes, written as a whole number or like "1.2 GB" (decimal units); 0 where they are missing."""
        value = self._value(key, 0, needed)
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        count = round(float(match[1]) * _UNITS[match[2]]) if match else value
        if isinstance(count, bool) or not isinstance(count, int) or (key in self.table and count <= 0):
            self.flaw(key, 'must be a number of bytes above 0, or like "1.2 GB"')
            return 0
        return count

    def mapping(self, key: str, *, needed: bool = False) -> dict[str, Any]:
        """A table of its own."""
        value = self._value(key, {}, needed)
        if not isinstance(value, dict):
            self.flaw(key, "must be a table, like { name = 1 }")
            return {}
        return value

    def _value(self, key: str, missing: Any, needed: bool) -> Any:
        if key not in self.table and needed:
            self.flaw(key, "is missing")
        return self.table.get(key, missing)


def suggestion(name: str, known: Iterable[str]) -> str:
    """`` (did you mean title?)`` where something known is close, else nothing."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""
