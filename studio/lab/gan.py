"""Two networks against each other: ways through the space of a small GAN, its truncation, the film of its training."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from studio.engines.lab.gan import GanModel, Spot, between
from studio.jobs.context import RunContext
from studio.lab import small
from studio.lab.looking import Lab, Looker
from studio.store.local import STARTERS

MOST = 33
"""Pictures that are painted for one question at most."""


@dataclass(frozen=True, slots=True)
class Painted:
    """Pictures, uint8, (count, 64, 64, 3), and the seconds that one of them took."""

    pictures: np.ndarray
    seconds: float


@dataclass(frozen=True, slots=True)
class Film:
    """What training looked like from the outside.

    Attributes:
        frames: a WebP of all frames, one below the other, each four by four pictures of `side` pixels: the same words
            and noises every time, in the order of `words`.
        told: of each frame `step`, `pictures` (seen until then) and both losses at that moment.
    """

    frames: bytes
    told: tuple[dict[str, float], ...]
    words: tuple[str, ...]
    side: int


def walk(words: tuple[int, int], seeds: tuple[int, int], count: int) -> list[Spot]:
    """So many spots on the way from one word and noise to another, both ends among them."""
    return [Spot(words, seeds, at / (count - 1)) for at in range(count)]


def several(word: int, seeds: Sequence[int]) -> list[Spot]:
    """Different noises of one word."""
    return [Spot((word, word), (seed, seed)) for seed in seeds]


def paint(lab: Lab, spots: Sequence[Spot], truncation: float, looker: Looker) -> Painted | None:
    """The GAN's pictures of some spots; None where it gave way. Raises StudioError as `Lab.borrow`."""

    def ask(model: GanModel, context: RunContext) -> Painted:
        began = time.perf_counter()
        pictures = model.paint(spots, truncation, context)
        return Painted(pictures, (time.perf_counter() - began) / len(spots))

    return lab.borrow(small.gan(), ask, looker)


@cache
def words() -> tuple[dict[str, str], ...]:
    """What it can paint, by number: `name` and `chinese`."""
    return tuple(_read("words.json"))


@cache
def film() -> Film:
    """The film that was taken while it was trained (train/gan/training.py)."""
    told = _read("film.json")
    frames = (STARTERS / "gan" / "film.webp").read_bytes()
    return Film(frames, tuple(told["frames"]), tuple(told["words"]), told["side"])


def score() -> dict[str, float]:
    """What was measured when it was released."""
    return _read("score.json")


def _read(name: str) -> Any:
    return json.loads((STARTERS / "gan" / name).read_text(encoding="utf-8"))


SHOWN = (GanModel.paint, between)
"""The code that the page shows."""
