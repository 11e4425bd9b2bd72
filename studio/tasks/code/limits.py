"""Limits of code to be inserted: before or behind the gap there has to be some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.request_parts import CodeEdit, CodeFile
from studio.requests import CodeRequest
from studio.tasks.bounds import (
    SEED,
    TEMPERATURE,
    TOP_P,
    Bound,
    Letters,
    check_choice,
    check_list,
    check_text,
    label,
)

NUMBERS: Mapping[str, Bound] = {
    "max_tokens": Bound(1, 4096, 512, 96),
    "temperature": replace(TEMPERATURE, default=0.2),
    "top_p": TOP_P,
    "count": Bound(1, 8, 3, 1),
    "seed": SEED,
}
_CODE = Letters(400_000, 60_000)
TEXTS: Mapping[str, Letters] = {
    "prefix": _CODE,
    "suffix": _CODE,
    "language": Letters(64, 64),
    "path": Letters(1_000, 300),
}
_FILES, _EDITS = Bound(0, 32, 8, 0), Bound(0, 16, 8, 0)
_NAME = replace(TEXTS["path"], needed=True)


def check(request: CodeRequest, _: Card, public: bool) -> None:
    """Raises StudioError: empty, not_a_choice, too_many, not_text, too_long."""
    if not request.prefix.strip() and not request.suffix.strip():
        raise StudioError("empty", field=label("code"))
    check_choice("fill_in_middle", request.fill_in_middle, (True, False))
    check_choice("only_prompt", request.only_prompt, (True, False))
    check_list("files", request.files, _FILES, public)
    for file in request.files:
        if not isinstance(file, CodeFile):
            raise StudioError("not_text", field=label("files"))
        check_text("path", file.name, _NAME, public)
        check_text("files", file.text, _CODE, public)
    check_list("edits", request.edits, _EDITS, public)
    for edit in request.edits:
        if not isinstance(edit, CodeEdit):
            raise StudioError("not_text", field=label("edits"))
        check_text("path", edit.name, TEXTS["path"], public)
        for text in (edit.before, edit.after):
            check_text("edits", text, _CODE, public)
