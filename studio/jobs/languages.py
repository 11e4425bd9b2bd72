"""Languages of what a model is asked: whether it reads them, and who does where it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from studio.catalog.card import Card
from studio.requests import Request
from studio.results import Offer
from studio.tasks.table import rules

READS = "reads"
"""The kind of an offer of a model that reads the language, after a result of one that does not."""
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_SHARE = 0.3
"""Of the letters of a text, how many make it a Chinese one: a name alone does not."""


def chinese(text: str) -> bool:
    """Whether a text is written in Chinese."""
    signs = len(_CHINESE.findall(text))
    words = len(re.findall(r"[^\W\d_]", text))
    return signs >= 2 and signs >= _SHARE * words


def reads_chinese(card: Card) -> bool:
    """Whether a model does, or nobody knows that it does not."""
    return not card.languages or "zh" in card.languages


def reader(
    card: Card, requests: Sequence[Request], others: Iterable[Card], here: Callable[[Card], bool]
) -> tuple[Offer, ...]:
    """An offer of a model that reads the Chinese which `card` was asked in and does not read; none where it does.

    What is on disk comes first, starters last, and the smallest download before larger ones.

    Args:
        others: the models of the task that run on this machine.
    """
    if reads_chinese(card) or not any(chinese(rules(request).language(request)) for request in requests):
        return ()
    able = [one for one in others if "zh" in one.languages and one.base != card.base and not one.gated]
    best = min(able, key=lambda one: (one.starter, not here(one), one.disk_bytes), default=None)
    if best is None:
        return ()
    return (Offer(READS, {"model": best.id}, {"model": best.title, "used": card.title}),)
