"""Limits of a caption: its picture, its form, the words that it must and must not have; and what silence means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from studio.catalog.card import Card
from studio.requests import CaptionLength, CaptionRequest, CaptionStyle
from studio.tasks.bounds import (
    NAME,
    SEED,
    TEMPERATURE,
    WORDS,
    Bound,
    Letters,
    check_choice,
    check_list,
    check_picture,
    check_text,
)

NUMBERS: Mapping[str, Bound] = {
    "max_tokens": Bound(1, 2048, 512, 128),
    "temperature": replace(TEMPERATURE, default=0.0),
    "count": Bound(1, 8, 4, 1),
    "seed": SEED,
}
TEXTS: Mapping[str, Letters] = {"prompt": WORDS, "opening": Letters(400, 400)}
_REQUIRED = Bound(0, 20, 20, 0)
"""Of words that a caption must have, and of those that it must not."""
LENGTHS: tuple[CaptionLength, ...] = get_args(CaptionLength)
STYLES: tuple[CaptionStyle, ...] = get_args(CaptionStyle)
CHOICE_TEMPERATURE = 0.8
"""Of captions to choose from, where nobody said another: at 0 they would all be the same."""


def check(request: CaptionRequest, _: Card, public: bool) -> None:
    """Raises StudioError: not_a_choice, not_text, too_many, too_long, empty, no_picture, bad_image, image_too_large,
    file_too_large.
    """
    check_choice("length", request.length, LENGTHS)
    check_choice("style", request.style, STYLES)
    for field in ("require", "forbid"):
        words = getattr(request, field)
        check_list(field, words, _REQUIRED, public)
        for word in words:
            check_text(field, word, NAME, public)
    check_picture("image", request.image, public)


def settled(request: CaptionRequest, _: Card, __: bool) -> dict[str, Any]:
    """Lists that are fixed."""
    return {"require": tuple(request.require), "forbid": tuple(request.forbid)}


def defaults(request: CaptionRequest) -> dict[str, float]:
    """A temperature where there is something to choose."""
    return {"temperature": CHOICE_TEMPERATURE} if request.count > 1 else {}
