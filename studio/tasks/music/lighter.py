"""Lighter music, where memory ran out: shorter pieces."""

from __future__ import annotations

from collections.abc import Iterator

from studio.catalog.card import Card
from studio.requests import MusicRequest
from studio.tasks.bounds import with_card
from studio.tasks.music.limits import NUMBERS
from studio.tasks.rules import Kinds, Try

_SHORTEST = 1.0
"""Seconds."""


def played(request: MusicRequest, card: Card, public: bool) -> Kinds:
    yield "shorter", _lengths(request, card, public)


def _lengths(request: MusicRequest, card: Card, public: bool) -> Iterator[Try]:
    """Whole seconds, each three quarters of the length before."""
    least = max(with_card(NUMBERS["duration"], "duration", card, public).low, _SHORTEST)
    counted = {"bars": 0} if request.bars else {}
    seconds = float(int((request.duration or 0) * 0.75))
    while seconds >= least:
        yield {"duration": seconds, **counted}, {"size": f"{seconds:g} s"}
        seconds = float(int(seconds * 0.75))
