"""Memory that a request wants: the weights of its model, and what it takes on top while it is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.catalog.card import Card
from studio.engines.base import engine
from studio.requests import Request
from studio.tasks.table import rules

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Demand:
    """Bytes of weights, bytes of working memory by the engine's estimate, and the shape that the latter belongs to."""

    weights: int
    work: int
    shape: str


def of(card: Card, files: Path, requests: Sequence[Request]) -> Demand:
    """What the largest of `requests` wants; with none only the model is wanted.

    Raises:
        StudioError: the engine cannot read the files or a request.
    """
    kind = engine(card.engine)
    weights = kind.weights(card, files)
    if not requests:
        return Demand(weights, 0, "")
    works = [kind.work(card, request) for request in requests]
    largest = requests[works.index(max(works))]
    return Demand(weights, max(works), shape(largest, max(works)))


def shape(request: Request, work: int) -> str:
    """Requests of one shape take about as much memory: the engine's own estimate, in steps of half an octave.

    The task names beside it what changes the need and not every engine's estimate.
    """
    step = round(2 * math.log2(max(work, MEGABYTE) / MEGABYTE))
    return " ".join([request.task, str(step), *rules(request).marks(request)])
