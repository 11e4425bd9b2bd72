"""What may be asked of a caption, beyond its picture and its numbers; and what was meant where nothing was said."""

from __future__ import annotations

from typing import Any

from studio.errors import StudioError
from studio.requests import CaptionRequest
from studio.tasks.bounds import CAPTION_WORDS, NAME, check_choice, check_many, check_text, label

LENGTHS = ("short", "normal", "long")
STYLES = ("plain", "prompt", "tags", "alt")
CHOICE_TEMPERATURE = 0.8
"""Of captions to choose from, where nobody said another: at 0 they would all be the same."""


def check(request: CaptionRequest, public: bool) -> None:
    """Raises StudioError: not_a_choice, not_text, too_many, too_long, empty."""
    check_choice("length", request.length, LENGTHS)
    check_choice("style", request.style, STYLES)
    for field in ("require", "forbid"):
        words = getattr(request, field)
        if not isinstance(words, tuple | list):
            raise StudioError("not_text", field=label(field))
        check_many(field, len(words), CAPTION_WORDS, public)
        for word in words:
            check_text(field, word, NAME, public)


def filled(request: CaptionRequest) -> dict[str, Any]:
    """Fields as they are meant: lists that are fixed, and a temperature where there is something to choose."""
    found: dict[str, Any] = {"require": tuple(request.require), "forbid": tuple(request.forbid)}
    return found | ({"temperature": CHOICE_TEMPERATURE} if request.count > 1 else {})
