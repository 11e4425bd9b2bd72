"""Limits of a request: whether it may be asked for, and the default of everything that was not asked for.

The page's sliders, the command line and the API all stand in front of the same `check`. What a single value may
be stands in studio.tasks.bounds, what belongs to one task with that task (studio.tasks.table).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from studio.catalog.card import Card
from studio.requests import Request, Task
from studio.tasks import seeds
from studio.tasks.bounds import MODEL, Bound, Letters, check_number, check_text, with_card
from studio.tasks.table import RULES, rules

R = TypeVar("R", bound=Request)

NUMBERS: Mapping[Task, Mapping[str, Bound]] = {task: each.numbers for task, each in RULES.items()}
TEXTS: Mapping[Task, Mapping[str, Letters]] = {task: each.texts for task, each in RULES.items()}
"""Task -> field -> what it may be."""


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
    task = rules(request)
    check_text("model", request.model, MODEL, public)
    for name, letters in task.texts.items():
        check_text(name, getattr(request, name), letters, public)
    gaps = {field.name for field in fields(request) if field.default is None}
    for name in task.numbers:
        value = getattr(request, name)
        if name in task.together or (name in gaps and seeds.is_any(name, value)):
            continue
        if value is not None or name not in gaps:
            check_number(name, value, bound(request.task, name, card, public=public))
    task.check(request, card, public)
    seeds.check(request)


def admits(request: Request, card: Card) -> bool:
    """Whether this model can do it at all: one that enlarges knows certain scales. For choosing; `check` refuses."""
    return rules(request).admits(request, card)


def resolve(request: R, card: Card, seed: Callable[[], int], *, public: bool = False) -> R:
    """The request with every gap filled: by the card's defaults, then by the table's; the seed by `seed()`.

    Takes a checked request. Whole numbers come back as int, others as float, whatever was asked with. A default
    that lies outside the bounds of this model or profile is moved to the nearest allowed value.
    """
    task = rules(request)
    settled = task.settled(request, card, public)
    known: dict[str, Any] = {field.name: getattr(request, field.name) for field in fields(request)}
    known.update(settled)
    filled = {
        name: card.defaults[name]
        for name, value in known.items()
        if (value is None or value == "") and name in card.defaults and name not in ("task", "model", "seed")
    }
    filled = {**task.defaults(request), **filled, **settled}
    for name in task.numbers:
        limits = bound(request.task, name, card, public=public)
        value = known[name]
        if seeds.is_any(name, value):
            wanted = name == "seed" or known["variation"]
            value = seeds.leaving_room(seed(), int(known.get("count") or 1)) if wanted else 0
        elif value is None:
            value = min(max(filled.get(name, limits.default), limits.low), limits.high)
        filled[name] = int(value) if limits.whole else float(value)
    return replace(request, **filled)
