"""A person's taste, learnt from which of two pictures they like better.

Bradley and Terry's model (1952), which the reward models of today's assistants are made of: how likely the first of two
is liked better is the logistic function of the difference of their rewards. The reward is linear in what the matcher
says of a picture, so that a few choices suffice and that it can be said in words.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.engines.lab.matcher import MatcherModel
from studio.jobs.context import RunContext
from studio.lab import gan, small
from studio.lab.looking import Lab, Looker

COLOURS = {
    "red": "红色的", "orange": "橙色的", "yellow": "黄色的", "green": "绿色的", "blue": "蓝色的", "purple": "紫色的",
    "pink": "粉色的", "brown": "棕色的",
}  # fmt: skip
STYLES = {
    "cartoon style": "卡通风格",
    "glossy style": "光泽风格",
    "flat style": "扁平风格",
    "sticker style": "贴纸风格",
}
ENOUGH = 10
"""Choices after which the taste is used."""
PRIOR = 4.0
"""The spread of rewards that is expected before anything was chosen. Directions are of length 1 and near each other, so
that the difference of two is small."""
_ROUNDS, _CLOSE = 50, 1e-9


@dataclass(frozen=True)
class Taste:
    """What was learnt.

    Attributes:
        weights: (numbers,), the reward of a picture is their product with its direction.
        agrees: share of the choices that it would make too; each judged by what was learnt from the others.
    """

    weights: np.ndarray
    agrees: float

    def rewards(self, pictures: np.ndarray) -> np.ndarray:
        """(count, numbers) to (count,): higher is liked better."""
        return pictures @ self.weights


def learn(liked: np.ndarray, other: np.ndarray) -> Taste:
    """The taste behind some choices.

    Args:
        liked, other: (choices, numbers), directions of the picture that was chosen and of the one that was not.
    """
    apart = np.asarray(liked, np.float64) - np.asarray(other, np.float64)
    left_out = [np.delete(apart, at, 0) for at in range(len(apart))]
    right = [float(apart[at] @ reward_weights(rest)) > 0 for at, rest in enumerate(left_out) if len(rest)]
    return Taste(reward_weights(apart), sum(right) / len(right) if right else 0.0)


def reward_weights(apart: np.ndarray) -> np.ndarray:
    """The likeliest weights behind differences of pictures, (choices, numbers): the liked one less the other.

    They maximise Σ log σ(w·d) − |w|² / (2 · PRIOR²). There are fewer choices than numbers, and at the maximum w is a
    mixture of the differences: w = PRIOR² · Σ (1 − σ(w·d)) · d. Newton's method finds the shares of that mixture.
    """
    likeness = PRIOR**2 * apart @ apart.T
    shares = np.zeros(len(apart))
    for _ in range(_ROUNDS if len(apart) else 0):
        chance = 1 / (1 + np.exp(-likeness @ shares))
        steep = np.eye(len(apart)) + (chance * (1 - chance))[:, None] * likeness
        step = np.linalg.solve(steep, 1 - chance - shares)
        value = _value(likeness, shares)
        while _value(likeness, shares + step) < value and np.abs(step).max() > _CLOSE:
            step = step / 2  # a whole step may lead past the maximum
        shares = shares + step
        if np.abs(step).max() < _CLOSE:
            break
    return PRIOR**2 * apart.T @ shares


def _value(likeness: np.ndarray, shares: np.ndarray) -> float:
    """What is maximised, of a mixture by its shares."""
    return float(-np.logaddexp(0, -likeness @ shares).sum() - shares @ likeness @ shares / 2)


def in_words(taste: Taste, words: Sequence[str], directions: np.ndarray, most: int = 6) -> tuple[list[str], list[str]]:
    """What is liked most and least, of `words` whose directions, (words, numbers), lie in the same space."""
    order = np.argsort(-(directions - directions.mean(0)) @ taste.weights)
    return [words[int(at)] for at in order[:most]], [words[int(at)] for at in order[::-1][:most]]


def prompts(seed: int, language: str) -> tuple[str, str]:
    """Two things to choose between, each in a colour and a style: the same for the same seed.

    Args:
        language: `en` or `zh-CN`, in which they are said.
    """
    dice = random.Random(seed)
    things, colours, styles = dice.sample(gan.words(), 2), dice.sample([*COLOURS], 2), dice.sample([*STYLES], 2)
    said = [
        f"a {colour} {thing['name']}, {style}"
        if language == "en"
        else f"{COLOURS[colour]}{thing['chinese']}，{STYLES[style]}"
        for colour, thing, style in zip(colours, things, styles, strict=True)
    ]
    return said[0], said[1]


@dataclass(frozen=True)
class Said:
    """A taste in words: what is liked most and least, the most telling first; and the taste itself."""

    taste: Taste
    most: list[str]
    least: list[str]


def say(lab: Lab, liked: np.ndarray, other: np.ndarray, language: str, looker: Looker) -> Said | None:
    """What was learnt from some choices; None where it gave way. Raises StudioError as `Lab.borrow`."""
    plain = [*COLOURS, *(one["name"] for one in gan.words()), *STYLES]
    chinese = [*COLOURS.values(), *(one["chinese"] for one in gan.words()), *STYLES.values()]

    def ask(model: MatcherModel, context: RunContext) -> Said:
        taste = learn(liked, other)
        directions = model.hear(plain, context).each
        return Said(taste, *in_words(taste, plain if language == "en" else chinese, directions))

    return lab.borrow(small.matcher(lab.catalog), ask, looker)


SHOWN = (reward_weights, Taste)
"""The code that the page shows."""
