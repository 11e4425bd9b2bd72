"""Requests as JSON between two studios: the fields that were asked for, files as ``{"base64": "…"}``.

What has its default is left out, so that an older studio understands a newer one as long as nothing new is asked for.
What arrives may be from anybody: a field that is not known, or of another type, is refused by its name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from studio.errors import StudioError
from studio.requests import REQUESTS, TASKS, Request

FILE = "base64"
"""The one key of a JSON object that is a file."""


def written(request: Request) -> dict[str, Any]:
    """A request as JSON, with its task."""
    return {"task": request.task, **_plain(request)}


def read_request(tree: Mapping[str, Any]) -> Request:
    """The request that `written` made, or somebody wrote by hand.

    Raises:
        StudioError: api_field, which names what is wrong; api_data, where a file is no base64.
    """
    kind = next((REQUESTS[task] for task in TASKS if task == tree.get("task")), None)
    if kind is None:
        raise StudioError("api_field", field="request.task", reason=f"must be one of {', '.join(REQUESTS)}")
    try:
        made = _adapter(kind).validate_python(_with_files(dict(tree), "request"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(["request", *(str(part) for part in first["loc"])])
        raise StudioError("api_field", field=where[:100], reason=str(first["msg"])[:200]) from None
    _require_known(tree, made, "request")
    return made


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value) if _said(value, part)}
    if isinstance(value, bytes):
        return {FILE: base64.b64encode(value).decode()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _said(value: Any, part: Any) -> bool:
    default = part.default if part.default_factory is MISSING else part.default_factory()
    return default is MISSING or getattr(value, part.name) != default


def _with_files(tree: Any, where: str) -> Any:
    """The same with the bytes of its files."""
    if isinstance(tree, list):
        return [_with_files(item, f"{where}.{number}") for number, item in enumerate(tree)]
    if not isinstance(tree, dict):
        return tree
    if set(tree) == {FILE}:
        try:
            return base64.b64decode(tree[FILE], validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise StudioError("api_data", field=where[:100]) from None
    return {name: _with_files(value, f"{where}.{name}") for name, value in tree.items()}


def _require_known(tree: Any, made: Any, where: str) -> None:
    """Refuse fields that nothing was made of: a request that lacks what it asked for is another one."""
    if isinstance(tree, list) and isinstance(made, tuple):
        for number, (item, one) in enumerate(zip(tree, made, strict=True)):
            _require_known(item, one, f"{where}.{number}")
    if not is_dataclass(made) or not isinstance(tree, Mapping):
        return
    known = {part.name for part in fields(made)}
    for name, value in tree.items():
        if name not in known:
            raise StudioError("api_field", field=f"{where}.{name}"[:100], reason="is not known here")
        _require_known(value, getattr(made, name), f"{where}.{name}")
