"""Limits of code to be inserted: before or behind the gap there has to be some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.requests import CodeRequest
from studio.tasks.bounds import SEED, TEMPERATURE, TOP_P, Bound, Letters, check_choice, label

NUMBERS: Mapping[str, Bound] = {
    "max_tokens": Bound(1, 4096, 512, 96),
    "temperature": replace(TEMPERATURE, default=0.2),
    "top_p": TOP_P,
    "seed": SEED,
}
_CODE = Letters(400_000, 60_000)
TEXTS: Mapping[str, Letters] = {"prefix": _CODE, "suffix": _CODE, "language": Letters(64, 64)}


def check(request: CodeRequest, _: Card, __: bool) -> None:
    """Raises StudioError: empty, not_a_choice."""
    if not request.prefix.strip() and not request.suffix.strip():
        raise StudioError("empty", field=label("code"))
    check_choice("fill_in_middle", request.fill_in_middle, (True, False))
