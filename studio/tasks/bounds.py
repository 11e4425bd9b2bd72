"""What a single value may be: one table row a field, and the checks of a number, a text and a choice.

Lowest, highest, highest on a public studio, default. A model narrows or widens a row through its card:
`max_duration`, `min_width`, `multiple`, `context` …. Knows nothing of whole requests (studio.tasks.limits).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.requests import Task

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


_SEED = Bound(0, MAX_SEED, MAX_SEED, 0)
_TEMPERATURE = Bound(0, 2, 2, 0.7, whole=False)
_SIDE = Bound(64, 4096, 1536, 512, multiple=8)

NUMBERS: Mapping[Task, Mapping[str, Bound]] = {
    "chat": {
        "max_tokens": Bound(1, 32768, 2048, 1024),
        "temperature": _TEMPERATURE,
        "top_p": Bound(0, 1, 1, 0.95, whole=False),
        "top_k": Bound(0, 1000, 1000, 40),
        "min_p": Bound(0, 1, 1, 0.05, whole=False),
        "repetition_penalty": Bound(0.5, 2, 2, 1.0, whole=False),
        "seed": _SEED,
    },
    "image": {
        "width": _SIDE,
        "height": _SIDE,
        "steps": Bound(1, 150, 50, 20),
        "guidance_scale": Bound(0, 30, 30, 7.0, whole=False),
        "count": Bound(1, 16, 4, 1),
        "seed": _SEED,
        "strength": Bound(0, 1, 1, 0.6, whole=False),
        "variation": Bound(0, 1, 1, 0.0, whole=False),
        "variation_seed": _SEED,
        "clip_skip": Bound(0, 4, 4, 0),
        "hires_scale": Bound(1, 4, 2, 1.0, whole=False),
        "hires_strength": Bound(0, 1, 1, 0.5, whole=False),
    },
    "music": {
        "duration": Bound(1, 600, 30, 8.0, whole=False),
        "steps": Bound(1, 500, 100, 50),
        "guidance_scale": Bound(0, 30, 30, 3.0, whole=False),
        "temperature": replace(_TEMPERATURE, default=1.0),
        "top_k": Bound(0, 2048, 2048, 250),
        "tempo": Bound(0, 260, 260, 0.0, whole=False),
        "bars": Bound(0, 128, 64, 0),
        "sound_keep": Bound(0, 600, 120, 0.0, whole=False),
        "count": Bound(1, 8, 2, 1),
        "seed": _SEED,
    },
    "code": {
        "max_tokens": Bound(1, 4096, 512, 96),
        "temperature": replace(_TEMPERATURE, default=0.2),
        "top_p": Bound(0, 1, 1, 0.95, whole=False),
        "seed": _SEED,
    },
    "caption": {
        "max_tokens": Bound(1, 2048, 512, 128),
        "temperature": replace(_TEMPERATURE, default=0.0),
        "count": Bound(1, 8, 4, 1),
        "seed": _SEED,
    },
    "upscale": {"scale": Bound(2, 4, 4, 4), "tile": Bound(0, 1024, 256, 0), "seed": Bound(0, 0, 0, 0)},
}
"""Task -> field -> what it may be. A temperature of 0 means the likeliest token, a top_k of 0 means all of them."""

TEXTS: Mapping[Task, Mapping[str, Letters]] = {
    "chat": {"system": Letters(50_000, 8_000)},
    "image": {
        "prompt": Letters(10_000, 2_000, needed=True),
        "negative_prompt": Letters(10_000, 2_000),
        "scheduler": Letters(64, 64),
    },
    "music": {
        "prompt": Letters(10_000, 2_000, needed=True),
        "negative_prompt": Letters(10_000, 2_000),
        "lyrics": Letters(10_000, 4_000),
        "key": Letters(40, 40),
        "players": Letters(400, 400),
        "melody": Letters(60_000, 20_000),
    },
    "code": {"prefix": Letters(400_000, 60_000), "suffix": Letters(400_000, 60_000), "language": Letters(64, 64)},
    "caption": {"prompt": Letters(10_000, 2_000), "opening": Letters(400, 400)},
    "upscale": {},
}
MESSAGES = Bound(1, 2000, 200, 1)
MESSAGE = Letters(200_000, 20_000)
CONVERSATION = Letters(800_000, 80_000)
MODEL = Letters(300, 300)
FILLED_PROMPT = Letters(20_000, 4_000)
"""A prompt whose wildcards and styles are filled in."""
LORAS = Bound(0, 8, 8, 0)
LORA_WEIGHT = Bound(-4, 4, 4, 1.0, whole=False)
STYLES = Bound(0, 16, 8, 0)
NAME = Letters(100, 100, needed=True)
CAPTION_WORDS = Bound(0, 20, 20, 0)
CELLS = Bound(1, 64, 9, 1)
PIXELS = Bound(64 * 64, 2560 * 2560, 1024 * 1024, 512 * 512)


def with_card(row: Bound, field: str, card: Card | None, public: bool) -> Bound:
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
