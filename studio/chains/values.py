"""Values that flow through a chain: an input or the result of a step, and a step's fields filled with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.chains.chain import SLOT, Step, slots_in
from studio.chains.fields import NOTES, Field, Kind, fields_of
from studio.errors import StudioError
from studio.paths import gigabytes
from studio.recipes import recipe
from studio.tasks.bounds import MAX_IMAGE_BYTES
from studio.tasks.music.limits import MAX_SOUND_BYTES

MOST_TEXT = 20_000
"""Letters of a value; no field takes more."""
_LARGEST = {"picture": MAX_IMAGE_BYTES, "sound": MAX_SOUND_BYTES}


@dataclass(frozen=True, slots=True)
class Value:
    """A text, or a file with the recipe of what it is.

    Attributes:
        made: how it was made, where that is known; of a text too.
    """

    kind: Kind
    text: str = ""
    file: Path | None = None
    made: Mapping[str, Any] | None = None

    def content(self) -> bytes:
        """The file's bytes. Raises StudioError: file_not_found, file_too_large, file_empty."""
        assert self.file is not None
        limit = _LARGEST[self.kind]
        try:
            with self.file.open("rb") as opened:
                data = opened.read(limit + 1)
        except OSError:
            raise StudioError("file_not_found", path=self.file.name) from None
        if len(data) > limit:
            raise StudioError("file_too_large", size=f"> {gigabytes(limit)}", limit=gigabytes(limit))
        if not data:
            raise StudioError("file_empty", path=self.file.name)
        return data

    def notes(self) -> str:
        """The melody of a piece, in words. Raises StudioError: chain_notes where it has none."""
        made = self.made or recipe.read_recipe(self.content()) or {}
        played = made.get("played")
        melody = played.get("melody") if isinstance(played, dict) else None
        if not isinstance(melody, str) or not melody:
            raise StudioError("chain_notes", file=self.file.name if self.file else "–")
        return melody


@dataclass(frozen=True, slots=True)
class Filled:
    """A step's fields, filled.

    Attributes:
        mark: the same for the same step over the same values, and for nothing else.
        parent: how what it was made from was made, where that was a text; a file says it by itself.
    """

    fields: dict[str, Any]
    mark: str
    parent: dict[str, Any] | None


def filled(step: Step, values: Mapping[str, Value], turn: int = 0) -> Filled:
    """A step over these values, in one pass: what is filled in is not read for slots.

    Args:
        turn: the how manieth of equal inputs it is; each gets results of its own.

    Raises:
        StudioError: too_long, chain_notes, and as `Value.content`.
    """
    known = fields_of(step.task)
    found = {name: _filled(value, name, known[name], values) for name, value in step.fields.items()}
    plain = json.dumps([step.task, _plain(found), turn], ensure_ascii=True, sort_keys=True)
    used = [values[slot] for slot in slots_in(dict(step.fields))]
    files = any(one.file is not None for one in used)
    parent = next((dict(one.made) for one in reversed(used) if one.made is not None), None)
    return Filled(found, hashlib.sha256(plain.encode()).hexdigest()[:32], None if files else parent)


def _filled(value: Any, name: str, field: Field, values: Mapping[str, Value]) -> Any:
    if isinstance(value, str):
        if field.shape in ("file", "files"):
            return values[SLOT.sub(r"\1", value)].content()
        return _text(value, name, values)
    if isinstance(value, list) and field.inner is not None:
        return [{key: _filled(one, key, field.inner[key], values) for key, one in table.items()} for table in value]
    if isinstance(value, list):
        return [_filled(one, name, field, values) for one in value]
    return value


def _text(value: str, name: str, values: Mapping[str, Value]) -> str:
    def said(slot: str) -> str:
        one = values[slot]
        return one.notes() if one.kind == "sound" and name == NOTES else one.text

    told = {slot: said(slot) for slot in set(SLOT.findall(value))}
    length = len(value) + sum(len(told[found[1]]) - len(found[0]) for found in SLOT.finditer(value))
    most = 10 * MOST_TEXT if name == NOTES else MOST_TEXT
    if length > most:
        raise StudioError("too_long", field=f"field.{name}", count=length, limit=most)
    return SLOT.sub(lambda found: told[found[1]], value)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: files by their hash."""
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool) else str(value)
