"""What slots of pictures that steer and of pictures that are shown have alike: how strongly, from where, by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabs.shared.widgets import read_number, typed_number

USUAL: Mapping[str, float] = {"weight": 1.0, "start": 0.0, "end": 1.0}
"""What a slot's numbers mean where nothing is typed."""


def read_strength(kind: str, given: Mapping[str, Any]) -> dict[str, float]:
    """A slot's numbers. Raises StudioError: not_a_number, which names the field of this `kind` of slot."""
    typed = {part: read_number(f"field.{kind}_{part}", given[part]) for part in USUAL}
    return {part: USUAL[part] if value is None else value for part, value in typed.items()}


def typed_strength(one: object) -> dict[str, str]:
    """The same as they are typed; nothing where they are as usual."""
    values = {part: getattr(one, part) for part in USUAL}
    return {part: "" if value == USUAL[part] else typed_number(value) for part, value in values.items()}


def free(held: Sequence[Any]) -> int:
    """The slot for one more picture, counted from 1: the first that is empty, else the last, whose picture goes."""
    return next((slot for slot, one in enumerate(held, 1) if not one), len(held))


def model_for(slot: int, chosen: Sequence[Any], names: Sequence[str]) -> str:
    """The model for a picture that comes into a slot: the slot's own, else another slot's, else the first there is."""
    known = [one for one in (chosen[slot - 1], *chosen) if one in names]
    return (known or list(names) or [""])[0]


def choices(names: Sequence[str], chosen: str) -> list[tuple[str, str]]:
    """What there is, and what was chosen and is not here: the studio says so where it is asked for."""
    left = [(chosen, chosen)] if chosen and chosen not in names else []
    return [("–", ""), *[(name, name) for name in names], *left]
