"""Every bound on what may be asked for, and the default of everything that was not asked for.

One table row a field: lowest, highest, highest on a public studio, default. The page's sliders, the command
line and the API all stand in front of the same `check`. Knows nothing of files, memory or how a model works;
a model narrows or widens the table through its card: `max_duration`, `min_width`, `multiple`, `context` ….
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from studio.cards import Card
from studio.errors import StudioError
from studio.media import check_image
from studio.paths import gigabytes
from studio.schedulers import OWN, SCHEDULERS
from studio.types import CaptionRequest, ChatRequest, CodeRequest, ImageRequest, Message, Request, Task

MAX_SEED = 2**32 - 1
MAX_IMAGE_BYTES, MAX_IMAGE_BYTES_PUBLIC = 96_000_000, 24_000_000
MAX_STOPS, MAX_STOP_CHARACTERS = 8, 100
LENGTHS = ("short", "normal", "long")

R = TypeVar("R", bound=Request)


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
    },
    "music": {
        "duration": Bound(1, 600, 30, 8.0, whole=False),
        "steps": Bound(1, 500, 100, 50),
        "guidance_scale": Bound(0, 30, 30, 3.0, whole=False),
        "temperature": replace(_TEMPERATURE, default=1.0),
        "top_k": Bound(0, 2048, 2048, 250),
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
        "seed": _SEED,
    },
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
    },
    "code": {"prefix": Letters(400_000, 60_000), "suffix": Letters(400_000, 60_000), "language": Letters(64, 64)},
    "caption": {"prompt": Letters(10_000, 2_000)},
}
MESSAGES = Bound(1, 2000, 200, 1)
MESSAGE = Letters(200_000, 20_000)
CONVERSATION = Letters(800_000, 80_000)
MODEL = Letters(300, 300)
PIXELS = Bound(64 * 64, 2560 * 2560, 1024 * 1024, 512 * 512)


def bound(task: Task, field: str, card: Card | None = None, *, public: bool = False) -> Bound:
    """What `field` may be for this model: the table's row, changed by the card, cut by the public profile."""
    return _with_card(NUMBERS[task][field], field, card, public)


def check(request: Request, card: Card, *, public: bool = False) -> None:
    """Refuse a request that no model should see. Costs microseconds, however large the input is.

    Args:
        card: the model that will answer; its `limits` override the table.
        public: strangers ask; the stricter column holds.

    Raises:
        StudioError: empty, too_long, out_of_range, not_a_number, not_multiple, not_a_choice, not_text,
            last_not_user, bad_image, image_too_large, file_too_large; `field` names what is wrong.
    """
    _check_text("model", request.model, MODEL, public)
    for name, letters in TEXTS[request.task].items():
        _check_text(name, getattr(request, name), letters, public)
    for name in NUMBERS[request.task]:
        value = getattr(request, name)
        if value is not None or name == "count":
            _check_number(name, value, bound(request.task, name, card, public=public))
    if isinstance(request, ChatRequest):
        _check_conversation(request, public)
    elif isinstance(request, CodeRequest):
        _check_code(request)
    elif isinstance(request, CaptionRequest):
        _check_picture(request, public)
    elif isinstance(request, ImageRequest):
        _check_choice("scheduler", request.scheduler or OWN, (OWN, *SCHEDULERS))
        _check_size(request, card, public)
    _check_seeds(request)


def resolve(request: R, card: Card, seed: Callable[[], int], *, public: bool = False) -> R:
    """The request with every gap filled: by the card's defaults, then by the table's; the seed by `seed()`.

    Takes a checked request. Whole numbers come back as int, others as float, whatever was asked with. A default
    that lies outside the bounds of this model or profile is moved to the nearest allowed value.
    """
    known: dict[str, Any] = {field.name: getattr(request, field.name) for field in fields(request)}
    filled = {
        name: card.defaults[name]
        for name, value in known.items()
        if (value is None or value == "") and name in card.defaults and name not in ("task", "model", "seed")
    }
    for name in NUMBERS[request.task]:
        limits = bound(request.task, name, card, public=public)
        value = known[name]
        if value is None and name == "seed":
            value = min(seed() & MAX_SEED, MAX_SEED + 1 - int(known.get("count") or 1))
        elif value is None:
            value = min(max(filled.get(name, limits.default), limits.low), limits.high)
        filled[name] = int(value) if limits.whole else float(value)
    return replace(request, **filled)


def _with_card(row: Bound, field: str, card: Card | None, public: bool) -> Bound:
    limits: Mapping[str, float] = card.limits if card else {}
    low, high = limits.get(f"min_{field}", row.low), limits.get(f"max_{field}", row.high)
    if field == "max_tokens" and "context" in limits:
        high = min(high, limits["context"])
    if public:
        high = min(high, row.public)
    multiple = int(limits.get("multiple", row.multiple)) if row.multiple > 1 else 1
    return replace(row, low=min(low, high), high=high, multiple=multiple)


def _label(field: str) -> str:
    """The text key of a field's human name; the error looks it up in the reader's language."""
    return f"field.{field}"


def _check_text(field: str, value: object, letters: Letters, public: bool) -> None:
    if not isinstance(value, str):
        raise StudioError("not_text", field=_label(field))
    limit = letters.public if public else letters.high
    if len(value) > limit:
        raise StudioError("too_long", field=_label(field), count=len(value), limit=limit)
    if letters.needed and not value.strip():
        raise StudioError("empty", field=_label(field))
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: no tokenizer and no file takes it
        raise StudioError("not_text", field=_label(field)) from None


def _check_number(field: str, value: object, limits: Bound) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StudioError("not_a_number", field=_label(field))
    if isinstance(value, float) and (math.isnan(value) or (limits.whole and math.isfinite(value) and value % 1)):
        raise StudioError("not_a_number", field=_label(field))
    if not limits.low <= value <= limits.high:
        raise StudioError(
            "out_of_range", field=_label(field), value=_shown(value), low=_shown(limits.low), high=_shown(limits.high)
        )
    if limits.multiple > 1 and value % limits.multiple:
        below = int(value) // limits.multiple * limits.multiple
        suggestion = below if below >= limits.low else below + limits.multiple
        raise StudioError(
            "not_multiple", field=_label(field), value=_shown(value), multiple=limits.multiple, suggestion=suggestion
        )


def _shown(value: float) -> str:
    """A number as a person reads it. Python refuses to print an int of more than 4300 digits."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int) and abs(value) >= 10**15:
        return f"{'-' if value < 0 else ''}1e{int(math.log10(abs(value)))}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _check_conversation(request: ChatRequest, public: bool) -> None:
    messages = request.messages
    if not isinstance(messages, tuple | list) or not all(isinstance(message, Message) for message in messages):
        raise StudioError("not_text", field=_label("messages"))
    if not messages:
        raise StudioError("empty", field=_label("message"))
    _check_number("messages", len(messages), replace(MESSAGES, high=MESSAGES.public if public else MESSAGES.high))
    for message in messages:
        _check_choice("role", message.role, ("user", "assistant"))
        _check_text("message", message.content, replace(MESSAGE, needed=message.role == "user"), public)
    if messages[-1].role != "user":
        raise StudioError("last_not_user")
    total = sum(len(message.content) for message in messages)
    limit = CONVERSATION.public if public else CONVERSATION.high
    if total > limit:
        raise StudioError("too_long", field=_label("messages"), count=total, limit=limit)
    if not isinstance(request.stop, tuple | list):
        raise StudioError("not_text", field=_label("stop"))
    _check_number("stop", len(request.stop), Bound(0, MAX_STOPS, MAX_STOPS, 0))
    for stop in request.stop:
        _check_text("stop", stop, Letters(MAX_STOP_CHARACTERS, MAX_STOP_CHARACTERS), public)
        if not stop:
            raise StudioError("empty", field=_label("stop"))


def _check_code(request: CodeRequest) -> None:
    if not request.prefix.strip() and not request.suffix.strip():
        raise StudioError("empty", field=_label("code"))
    _check_choice("fill_in_middle", request.fill_in_middle, (True, False))


def _check_picture(request: CaptionRequest, public: bool) -> None:
    _check_choice("length", request.length, LENGTHS)
    limit = MAX_IMAGE_BYTES_PUBLIC if public else MAX_IMAGE_BYTES
    if not isinstance(request.image, bytes):
        raise StudioError("bad_image")
    if not request.image:
        raise StudioError("empty", field=_label("image"))
    if len(request.image) > limit:
        raise StudioError("file_too_large", size=gigabytes(len(request.image)), limit=gigabytes(limit))
    check_image(request.image)


def _check_size(request: ImageRequest, card: Card, public: bool) -> None:
    width = request.width if request.width is not None else card.defaults.get("width", _SIDE.default)
    height = request.height if request.height is not None else card.defaults.get("height", _SIDE.default)
    row = _with_card(PIXELS, "pixels", card, public)
    _check_number("pixels", int(width * height), row)


def _check_choice(field: str, value: object, choices: tuple[object, ...]) -> None:
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        listed = ", ".join(str(choice) for choice in choices)
        given = value[:40] if isinstance(value, str) else type(value).__name__
        raise StudioError("not_a_choice", field=_label(field), value=given, choices=listed)


def _check_seeds(request: Request) -> None:
    """Picture i uses seed + i; the last one has to be a seed too, or its recipe could not be run again."""
    count = int(getattr(request, "count", 1))
    if request.seed is not None and request.seed + count - 1 > MAX_SEED:
        raise StudioError("out_of_range", field=_label("seed"), value=request.seed, low=0, high=MAX_SEED + 1 - count)
