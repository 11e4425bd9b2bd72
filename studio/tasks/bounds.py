"""Bounds of a single value, and the checks of a number, a text, a list, a choice and a picture file.

Lowest, highest, highest on a public studio, default. A model narrows or widens a row through its card:
`max_duration`, `min_width`, `multiple`, `context` …. Rows that several tasks share stand here, all others with their
task (studio.tasks.<task>.limits); whole requests are judged by studio.tasks.limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.media.image import check_image
from studio.paths import gigabytes

MAX_SEED = 2**64 - 1
"""What torch's generators take and other programs draw. No float holds its digits: seeds stay whole numbers."""
DRAWN_SEED = 2**32 - 1
"""The largest that is drawn here where nobody names one: short enough to read out."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a number may be: `low` <= value <= `high`, a multiple of `multiple`; `whole` numbers only, or any."""

    low: float
    high: float
    public: float
    default: float
    whole: bool = True
    multiple: int = 1


@dataclass(frozen=True, slots=True)
class Letters:
    """How many characters a text may have, and whether it may be missing."""

    high: int
    public: int
    needed: bool = False


SEED = Bound(0, MAX_SEED, MAX_SEED, 0)
TEMPERATURE = Bound(0, 2, 2, 0.7, whole=False)
"""0 means the likeliest token."""
TOP_P = Bound(0, 1, 1, 0.95, whole=False)
WORDS = Letters(10_000, 2_000)
"""What a person writes of a picture, a piece or a question."""
PROMPT = replace(WORDS, needed=True)
MODEL = Letters(300, 300)
NAME = Letters(100, 100, needed=True)
MAX_IMAGE_BYTES, MAX_IMAGE_BYTES_PUBLIC = 96_000_000, 24_000_000


def with_card(row: Bound, field: str, card: Card | None, public: bool) -> Bound:
    """The row of a field as this model's card changes it, cut by the public profile."""
    limits: Mapping[str, float] = card.limits if card else {}
    low, high = limits.get(f"min_{field}", row.low), limits.get(f"max_{field}", row.high)
    if field == "max_tokens" and "context" in limits:
        high = min(high, limits["context"])
    if public:
        high = min(high, row.public)
    multiple = int(limits.get("multiple", row.multiple)) if row.multiple > 1 else 1
    return replace(row, low=min(low, high), high=high, multiple=multiple)


def label(field: str) -> str:
    """The text key of a field's human name; the error looks it up in the reader's language."""
    return f"field.{field}"


def check_text(field: str, value: object, letters: Letters, public: bool) -> None:
    if not isinstance(value, str):
        raise StudioError("not_text", field=label(field))
    limit = letters.public if public else letters.high
    if len(value) > limit:
        raise StudioError("too_long", field=label(field), count=len(value), limit=limit)
    if letters.needed and not value.strip():
        raise StudioError("empty", field=label(field))
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: no tokenizer and no file takes it
        raise StudioError("not_text", field=label(field)) from None


def check_number(field: str, value: object, limits: Bound) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StudioError("not_a_number", field=label(field))
    if isinstance(value, float) and (math.isnan(value) or (limits.whole and math.isfinite(value) and value % 1)):
        raise StudioError("not_a_number", field=label(field))
    if not limits.low <= value <= limits.high:
        raise StudioError(
            "out_of_range", field=label(field), value=shown(value), low=shown(limits.low), high=shown(limits.high)
        )
    if limits.multiple > 1 and value % limits.multiple:
        below = int(value) // limits.multiple * limits.multiple
        suggestion = below if below >= limits.low else below + limits.multiple
        raise StudioError(
            "not_multiple", field=label(field), value=shown(value), multiple=limits.multiple, suggestion=suggestion
        )


def check_many(field: str, count: int, row: Bound, public: bool = False) -> None:
    """Refuse a list with more entries than `row` allows."""
    limit = int(row.public if public else row.high)
    if count > limit:
        raise StudioError("too_many", field=label(field), count=count, limit=limit)


def check_list(field: str, value: object, row: Bound, public: bool) -> None:
    """Refuse what is no list, or one with more entries than `row` allows."""
    if not isinstance(value, tuple | list):
        raise StudioError("not_text", field=label(field))
    check_many(field, len(value), row, public)


def check_bytes(data: bytes, limit: int) -> None:
    """Raises StudioError file_too_large where there are more than `limit`."""
    if len(data) > limit:
        raise StudioError("file_too_large", size=gigabytes(len(data)), limit=gigabytes(limit))


def check_picture(field: str, data: object, public: bool) -> None:
    """Refuse what is no picture file, or a larger one than is read; its headers tell."""
    limit = MAX_IMAGE_BYTES_PUBLIC if public else MAX_IMAGE_BYTES
    if not isinstance(data, bytes):
        raise StudioError("bad_image")
    if not data:
        raise StudioError("no_picture", field=label(field))
    check_bytes(data, limit)
    check_image(data, public=public)


def shown(value: float) -> str:
    """A number as a person reads it. Python refuses to print an int of more than 4300 digits."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"{'-' if value < 0 else ''}1e{int(math.log10(abs(value)))}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def check_choice(field: str, value: object, choices: tuple[object, ...]) -> None:
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        listed = ", ".join(str(choice) for choice in choices if choice != "")  # empty: whatever is usual
        given = value[:40] if isinstance(value, str) else type(value).__name__
        raise StudioError("not_a_choice", field=label(field), value=given, choices=listed)
