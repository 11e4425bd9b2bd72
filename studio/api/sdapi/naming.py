"""Models by the names under which AUTOMATIC1111's clients know them: what its lists said, an id, a title, a file."""

from __future__ import annotations

import re

from studio.api.submitting import Desk
from studio.catalog.card import Card
from studio.errors import StudioError
from studio.requests import Task

_HASH = re.compile(r" \[[0-9a-fA-F]{6,64}\]$")


def here(desk: Desk, task: Task = "image") -> list[Card]:
    """Those that can be asked at once."""
    return [info.card for info in desk.studio.models.list(task) if info.usable]


def title(card: Card, among: list[Card]) -> str:
    """What a list calls a model: its title, and its id where another has the same."""
    return f"{card.title} ({card.id})" if sum(one.title == card.title for one in among) > 1 else card.title


def find(desk: Desk, name: str, task: Task = "image") -> str:
    """The id of a model; "" for none in particular.

    Raises:
        StudioError: unknown_model.
    """
    plain = _HASH.sub("", name.strip())
    if not plain:
        return ""
    if desk.studio.catalog.find(plain) is not None:
        return plain
    cards = here(desk, task)
    stem = re.split(r"[/\\]", plain)[-1].removesuffix(".safetensors").casefold()
    for card in cards:
        if plain.casefold() == title(card, cards).casefold() or stem in (card.id.casefold(), card.title.casefold()):
            return card.id
    raise StudioError("unknown_model", model=name[:200])
