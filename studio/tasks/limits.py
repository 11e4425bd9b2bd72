"""Whether a request may be asked for, and the default of everything that was not asked for.

The page's sliders, the command line and the API all stand in front of the same `check`. What a single value may
be stands in studio.tasks.bounds. Knows nothing of files, memory or how a model works.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.media.audio import measure
from studio.media.image import check_image
from studio.paths import gigabytes
from studio.requests import (
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    Lora,
    Message,
    MusicRequest,
    Request,
    SoundUse,
    Task,
    UpscaleRequest,
)
from studio.tasks import seeds
from studio.tasks.bounds import (
    CONVERSATION,
    FILLED_PROMPT,
    LORA_WEIGHT,
    LORAS,
    MESSAGE,
    MESSAGES,
    MODEL,
    NAME,
    NUMBERS,
    STYLES,
    TEXTS,
    Bound,
    Letters,
    check_choice,
    check_many,
    check_number,
    check_text,
    label,
    with_card,
)
from studio.tasks.caption import limits as caption_limits
from studio.tasks.image.schedulers import OWN, SCHEDULERS
from studio.tasks.image.size import pixel_bound, side_bound, sides, upright
from studio.tasks.music.keys import key_of
from studio.tasks.music.melody_tokens import METRES
from studio.tasks.music.prompt_numbers import SLOWEST
from studio.tasks.music.timing import lasting

MAX_IMAGE_BYTES, MAX_IMAGE_BYTES_PUBLIC = 96_000_000, 24_000_000
MAX_SOUND_BYTES, MAX_SOUND_BYTES_PUBLIC = 96_000_000, 24_000_000
MAX_SOUND_SECONDS, MAX_SOUND_SECONDS_PUBLIC = 600, 120
MAX_ENLARGED, MAX_ENLARGED_PUBLIC = 64_000_000, 16_000_000
"""Pixels of an enlarged picture."""
SMALLEST_TILE = 64
"""Pixels of a side; neighbours share 32 of them."""
MAX_STOPS, MAX_STOP_CHARACTERS = 8, 100
SOUND_USES: tuple[SoundUse, ...] = ("continue", "follow")
PLAIN_NAME = re.compile(r"[^./\\:<>\x00-\x1f\s](?:[^/\\:<>\x00-\x1f]*[^/\\:<>\x00-\x1f\s])?")
"""Names of a person's own files: no folders, no hidden ones."""

R = TypeVar("R", bound=Request)


def bound(task: Task, field: str, card: Card | None = None, *, public: bool = False) -> Bound:
    """What `field` may be for this model: the table's row, changed by the card, cut by the public profile."""
    return with_card(NUMBERS[task][field], field, card, public)


def check(request: Request, card: Card, *, public: bool = False) -> None:
    """Refuse a request that no model should see. Costs microseconds, however large the input is.

    Args:
        card: the model that will answer; its `limits` override the table.
        public: strangers ask; the stricter column holds.

    Raises:
        StudioError: empty, no_picture, too_long, out_of_range, not_a_number, not_multiple, not_a_choice, not_text,
            last_not_user, bad_image, image_too_large, file_too_large, mask_alone, mask_size; `field` names what
            is wrong. For pictures also too_many, prompts_count, not_plain; for music not_a_key, too_many_bars,
            bad_audio, sound_too_long.
    """
    check_text("model", request.model, MODEL, public)
    for name, letters in TEXTS[request.task].items():
        check_text(name, getattr(request, name), letters, public)
    gaps = {field.name for field in fields(request) if field.default is None}
    for name in NUMBERS[request.task]:
        value = getattr(request, name)
        if name in ("width", "height") or (name in gaps and seeds.is_any(name, value)):
            continue
        if value is not None or name not in gaps:
            check_number(name, value, bound(request.task, name, card, public=public))
    if isinstance(request, ChatRequest):
        _check_conversation(request, public)
    elif isinstance(request, CodeRequest):
        _check_code(request)
    elif isinstance(request, CaptionRequest):
        caption_limits.check(request, public)
        _check_picture("image", request.image, public)
    elif isinstance(request, UpscaleRequest):
        _check_enlarged(request, public)
    elif isinstance(request, MusicRequest):
        _check_music(request, card, public)
    elif isinstance(request, ImageRequest):
        check_choice("scheduler", request.scheduler or OWN, (OWN, *SCHEDULERS))
        _check_painting(request, card, public)
    seeds.check(request)


def admits(request: Request, card: Card) -> bool:
    """Whether this model can do it at all: one that enlarges knows certain scales. For choosing; `check` refuses."""
    if not isinstance(request, UpscaleRequest) or not isinstance(request.scale, int):
        return True
    row = bound("upscale", "scale", card)
    return row.low <= request.scale <= row.high


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
    if isinstance(request, ImageRequest):
        known["width"], known["height"] = sides(request, card, public=public)
        filled.update({name: tuple(known[name]) for name in ("prompts", "styles", "loras")})
    if isinstance(request, CaptionRequest):
        filled = caption_limits.filled(request) | filled
    for name in NUMBERS[request.task]:
        limits = bound(request.task, name, card, public=public)
        value = known[name]
        if seeds.is_any(name, value):
            wanted = name == "seed" or known["variation"]
            value = seeds.leaving_room(seed(), int(known.get("count") or 1)) if wanted else 0
        elif value is None:
            value = min(max(filled.get(name, limits.default), limits.low), limits.high)
        filled[name] = int(value) if limits.whole else float(value)
    return replace(request, **filled)


def _check_conversation(request: ChatRequest, public: bool) -> None:
    messages = request.messages
    if not isinstance(messages, tuple | list) or not all(isinstance(message, Message) for message in messages):
        raise StudioError("not_text", field=label("messages"))
    if not messages:
        raise StudioError("empty", field=label("message"))
    check_number("messages", len(messages), replace(MESSAGES, high=MESSAGES.public if public else MESSAGES.high))
    for message in messages:
        check_choice("role", message.role, ("user", "assistant"))
        check_text("message", message.content, replace(MESSAGE, needed=message.role == "user"), public)
    if messages[-1].role != "user":
        raise StudioError("last_not_user")
    total = sum(len(message.content) for message in messages)
    limit = CONVERSATION.public if public else CONVERSATION.high
    if total > limit:
        raise StudioError("too_long", field=label("messages"), count=total, limit=limit)
    if not isinstance(request.stop, tuple | list):
        raise StudioError("not_text", field=label("stop"))
    check_number("stop", len(request.stop), Bound(0, MAX_STOPS, MAX_STOPS, 0))
    for stop in request.stop:
        check_text("stop", stop, Letters(MAX_STOP_CHARACTERS, MAX_STOP_CHARACTERS), public)
        if not stop:
            raise StudioError("empty", field=label("stop"))


def _check_code(request: CodeRequest) -> None:
    if not request.prefix.strip() and not request.suffix.strip():
        raise StudioError("empty", field=label("code"))
    check_choice("fill_in_middle", request.fill_in_middle, (True, False))


def _check_picture(field: str, data: object, public: bool) -> None:
    limit = MAX_IMAGE_BYTES_PUBLIC if public else MAX_IMAGE_BYTES
    if not isinstance(data, bytes):
        raise StudioError("bad_image")
    if not data:
        raise StudioError("no_picture", field=label(field))
    if len(data) > limit:
        raise StudioError("file_too_large", size=gigabytes(len(data)), limit=gigabytes(limit))
    check_image(data, public=public)


def _check_enlarged(request: UpscaleRequest, public: bool) -> None:
    if 0 < request.tile < SMALLEST_TILE:
        check_number("tile", request.tile, replace(bound("upscale", "tile"), low=SMALLEST_TILE))
    _check_picture("image", request.image, public)
    _, width, height = check_image(request.image)
    limit = (MAX_ENLARGED_PUBLIC if public else MAX_ENLARGED) / request.scale**2
    if width * height > limit:
        raise StudioError("image_too_large", width=width, height=height, limit=f"{limit / 1e6:.3g}")


def _check_painting(request: ImageRequest, card: Card, public: bool) -> None:
    check_choice("tiling", request.tiling, (True, False))
    _check_list("prompts", request.prompts, NUMBERS["image"]["count"], public)
    for prompt in request.prompts:
        check_text("prompts", prompt, FILLED_PROMPT, public)
    if request.prompts and len(request.prompts) != request.count:
        raise StudioError("prompts_count", field=label("prompts"), given=len(request.prompts), count=int(request.count))
    _check_list("styles", request.styles, STYLES, public)
    for style in request.styles:
        check_text("styles", style, NAME, public)
    _check_list("loras", request.loras, LORAS, public)
    for lora in request.loras:
        _check_lora(lora, public)
    if request.image != b"":
        _check_picture("image", request.image, public)
    if request.mask != b"":
        _check_picture("mask", request.mask, public)
        if not request.image:
            raise StudioError("mask_alone")
        if (mask := upright(request.mask)) != (image := upright(request.image)):
            raise StudioError("mask_size", mask=f"{mask[0]} × {mask[1]}", image=f"{image[0]} × {image[1]}")
    _check_size(request, card, public)


def _check_music(request: MusicRequest, card: Card, public: bool) -> None:
    check_choice("loop", request.loop, (True, False))
    check_choice("metre", request.metre, ("", *METRES))
    if 0 < request.tempo < SLOWEST:
        check_number("tempo", request.tempo, replace(bound("music", "tempo"), low=SLOWEST))
    if request.key.strip() and key_of(request.key) is None:
        raise StudioError("not_a_key", value=request.key.strip()[:40])
    if (seconds := lasting(request)) is not None:
        limits = bound("music", "duration", card, public=public)
        if seconds > limits.high:
            raise StudioError("too_many_bars", seconds=f"{seconds:.0f}", limit=f"{limits.high:g}")
    check_choice("sound_use", request.sound_use, SOUND_USES)
    if request.sound != b"":
        _check_sound(request, public)


def _check_sound(request: MusicRequest, public: bool) -> None:
    data = request.sound
    if not isinstance(data, bytes):
        raise StudioError("bad_audio")
    limit = MAX_SOUND_BYTES_PUBLIC if public else MAX_SOUND_BYTES
    if len(data) > limit:
        raise StudioError("file_too_large", size=gigabytes(len(data)), limit=gigabytes(limit))
    seconds, most = measure(data), MAX_SOUND_SECONDS_PUBLIC if public else MAX_SOUND_SECONDS
    if seconds > most:
        raise StudioError("sound_too_long", seconds=f"{seconds:.0f}", limit=most)
    if request.sound_keep > seconds:
        check_number("sound_keep", request.sound_keep, replace(bound("music", "sound_keep"), high=round(seconds, 2)))


def _check_list(field: str, value: object, row: Bound, public: bool) -> None:
    if not isinstance(value, tuple | list):
        raise StudioError("not_text", field=label(field))
    check_many(field, len(value), row, public)


def _check_lora(lora: object, public: bool) -> None:
    if not isinstance(lora, Lora):
        raise StudioError("not_text", field=label("loras"))
    check_text("loras", lora.name, NAME, public)
    if not PLAIN_NAME.fullmatch(lora.name):
        raise StudioError("not_plain", field=label("loras"), value=lora.name[:40])
    check_number("lora_weight", lora.weight, LORA_WEIGHT)


def _check_size(request: ImageRequest, card: Card, public: bool) -> None:
    for field in ("width", "height"):
        if (value := getattr(request, field)) is not None:
            check_number(field, value, side_bound(field, card, request.hires_scale, public=public))
    width, height = sides(request, card, public=public)
    check_number("pixels", width * height, pixel_bound(card, request.hires_scale, public=public))
