"""Fields of a chain's steps: which each task has, what kind of value each takes, and requests made of filled ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from studio.recipes import untrusted
from studio.request_parts import Control, Detail, Lora, Message, Reference, Region
from studio.requests import REQUESTS, Request, Task
from studio.tasks.chat.attachments import read_attachment

Kind = Literal["text", "picture", "sound"]
"""What flows from step to step."""
Shape = Literal["text", "number", "flag", "file", "texts", "files", "tables"]

GIVES: Mapping[Task, Kind] = {
    "chat": "text", "code": "text", "caption": "text", "image": "picture", "upscale": "picture", "music": "sound",
}  # fmt: skip
"""What a step of each task gives to those after it."""
NOTES = "melody"
"""The one text that a piece can be: its melody in words."""
_TABLES: Mapping[str, type[Any]] = {
    "Lora": Lora, "Control": Control, "Reference": Reference, "Region": Region, "Detail": Detail,
}  # fmt: skip
_LEFT: Mapping[Task, tuple[str, ...]] = {
    "chat": ("messages", "only_prompt"), "code": ("files", "edits", "only_prompt"), "image": ("prompts",),
}  # fmt: skip
"""Fields that a chain does not have."""
_LISTED = re.compile(r"tuple\[(\w+), \.\.\.\]")


@dataclass(frozen=True, slots=True)
class Field:
    """What a field takes.

    Attributes:
        kind: of files.
        inner: of tables, their own fields.
    """

    shape: Shape
    kind: Kind = "picture"
    inner: Mapping[str, Field] | None = None


def fields_of(task: Task) -> dict[str, Field]:
    """The fields of a step of this task, by name."""
    found = _fields(REQUESTS[task])
    for name in ("task", *_LEFT.get(task, ())):
        found.pop(name, None)
    if task == "chat":
        found = {"prompt": Field("text"), "pictures": Field("files"), **found}
    return found


def request_of(task: Task, filled: Mapping[str, Any]) -> Request:
    """The request of a step whose slots are filled: of the right classes, judged by nobody yet.

    Raises:
        StudioError: a file that comes with a message is neither picture nor text.
    """
    known, given = fields_of(task), dict(filled)
    made = {name: _made(known[name], REQUESTS[task], name, value) for name, value in given.items()}
    if task == "chat":
        files = tuple(read_attachment(f"{number}.png", data) for number, data in enumerate(made.pop("pictures", ()), 1))
        made["messages"] = (Message("user", made.pop("prompt", ""), files),)
    elif task in ("image", "music"):
        made.setdefault("prompt", "")
    elif task == "code":
        made.setdefault("prefix", "")
    else:
        made.setdefault("image", b"")
    return REQUESTS[task](**made)


def _fields(cls: type[Any]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for part in fields(cls):
        told = str(part.type)
        listed = _LISTED.fullmatch(told)
        if told == "bytes":
            found[part.name] = Field("file", "sound" if part.name == "sound" else "picture")
        elif told == "bool":
            found[part.name] = Field("flag")
        elif told.partition(" ")[0] in ("int", "float"):
            found[part.name] = Field("number")
        elif listed and listed[1] in _TABLES:
            found[part.name] = Field("tables", inner=_fields(_TABLES[listed[1]]))
        elif listed:
            found[part.name] = Field("files" if listed[1] == "bytes" else "texts")
        else:
            found[part.name] = Field("text")
    return found


def _made(field: Field, cls: type[Any], name: str, value: Any) -> Any:
    """A value as its request holds it."""
    if field.shape == "tables":
        part = next(one for one in fields(cls) if one.name == name)
        found = _LISTED.fullmatch(str(part.type))
        assert found is not None
        inner = _TABLES[found[1]]
        known = field.inner or {}
        return tuple(
            inner(**{key: _made(known[key], inner, key, one) for key, one in table.items()}) for table in value
        )
    if field.shape in ("texts", "files"):
        return tuple(value)
    if field.shape == "number" and isinstance(value, str):  # a slot stood there
        whole = untrusted.whole(value)
        number = whole if whole is not None else untrusted.number(value)
        return value if number is None else number
    return value
