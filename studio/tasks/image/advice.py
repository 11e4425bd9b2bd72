"""Advice of a card: with which settings its model paints well, and what of a wish it is known to paint badly.

Ranges are inclusive, and an empty field is the model's default, which always suits it. Nothing is refused for it: what
a model cannot do are its limits (studio.tasks.bounds).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from studio.catalog.card import Card

_NAMED = ("steps", "guidance_scale")


@dataclass(frozen=True, slots=True)
class Chip:
    """Settings that suit a model.

    Attributes:
        key: of a text below `advice.`, and its parameters.
        fields: field of ImageRequest -> value.
    """

    key: str
    params: Mapping[str, Any]
    fields: Mapping[str, Any]


def chips(card: Card) -> tuple[Chip, ...]:
    """What is recommended, in the order of the page."""
    return tuple(_chips(card))


def _chips(card: Card) -> Iterator[Chip]:
    advice = card.advice
    for width, height in advice.get("sizes", ()):
        yield Chip("size", {"width": width, "height": height}, {"width": width, "height": height})
    for name in _NAMED:
        if name in advice:
            low, high = advice[name]
            value = min(max(card.defaults.get(name, low), low), high)
            yield Chip(f"{name}_range" if low != high else name, {"low": low, "high": high}, {name: value})
    for name in advice.get("schedulers", ()):
        yield Chip("scheduler", {"name": name}, {"scheduler": name})
    if "clip_skip" in advice:
        yield Chip("clip_skip", {"count": advice["clip_skip"]}, {"clip_skip": advice["clip_skip"]})


def warnings(card: Card, wish: Mapping[str, Any]) -> tuple[tuple[str, dict[str, Any]], ...]:
    """What of a wish goes against the advice, as keys below `advice.warn_` and their parameters.

    Args:
        wish: width, height, steps, guidance_scale and scheduler, as far as they were asked for; None or "" else.
    """
    return tuple(_warnings(card.advice, wish))


def _warnings(advice: Mapping[str, Any], wish: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    sides = [side for name in ("width", "height") if (side := wish.get(name))]
    if "side" in advice and len(sides) == 2 and tuple(sides) not in {tuple(size) for size in advice.get("sizes", ())}:
        low, high = advice["side"]
        if max(sides) > high:
            yield "large", {"side": high}
        elif min(sides) < low:
            yield "small", {"side": low}
    for name in _NAMED:
        value = wish.get(name)
        if name in advice and value is not None and value != "":
            low, high = advice[name]
            if not low <= value <= high:
                yield f"{name}_{'low' if value < low else 'high'}", {"low": low, "high": high}
    if wish.get("scheduler") in advice.get("avoid", ()):
        yield "scheduler", {"name": wish["scheduler"]}
