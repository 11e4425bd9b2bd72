"""The inside of the stand-ins, always the same: odds of words, paintings, and a space of pictures."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageFilter

from studio.engines.base import Context
from studio.requests import ImageRequest
from studio.results import Next, PaintedStep, PaintedWord, Painting, Token

_WORDS = (
    " the", " a", " light", " sea", " and", " was", " of", " in", " under", " quiet", " morning", " boat", " hill",
    " stone", " river", " over", " came", " stood", " long", " small", " blue", " old", " wind", " house", " tree",
    " with", " it", " her", " his", " road", " night", " star", " slow", " then", " where", " cloud", ".", ",",
)  # fmt: skip
_END = len(_WORDS)
_FIRST = _END + 1
"""Where the letters of a text itself come, behind the words: a token a character."""
_CELL = 32
"""Pixels along a side that one number of the space stands for."""


class FakeNext:
    """`studio.engines.inside.NextTokens` without a model."""

    ends = frozenset({_END})
    vocabulary = _FIRST + 0x110000
    warms_first = True

    def __init__(self, context: Context) -> None:
        self._context = context

    def read(self, text: str) -> tuple[Token, ...]:
        return tuple(Token(_FIRST + ord(letter), letter.encode()) for letter in text)

    def follow(self, rows: Sequence[Sequence[int]], most: int) -> tuple[Next, ...]:
        self._context.check()
        self._context.step(len(rows[0]))
        return tuple(self._next(row, most) for row in rows)

    def _next(self, row: Sequence[int], most: int) -> Next:
        dice = random.Random(repr(list(row[-3:])))
        scores = {id: dice.gauss(0, 2.2) for id in range(_END + 1)}
        whole = math.log(math.fsum(map(math.exp, scores.values())))
        best = sorted(scores, key=lambda id: -scores[id])[:most]
        logprobs = tuple(scores[id] - whole for id in best)
        tokens = tuple(Token(id, b"<end>" if id == _END else _WORDS[id].encode()) for id in best)
        return Next(tokens, logprobs, max(0.0, 1 - math.fsum(map(math.exp, logprobs))))


def painting(request: ImageRequest, picture: Image.Image, context: Context) -> Painting:
    """`studio.engines.inside.ShowsPainting` without a model: noise that fades from a picture."""
    dice, steps, count = np.random.default_rng(request.seed or 0), [], int(request.steps or 1)
    noise = dice.integers(0, 256, (picture.height, picture.width, 3), dtype=np.uint8)
    for step in range(count):
        context.check()
        context.step(step + 1, count)
        noisy = Image.blend(picture, Image.fromarray(noise), (count - step) / count)
        estimate = picture.filter(ImageFilter.GaussianBlur((count - step) * 2))
        steps.append(PaintedStep(1000.0 * (count - step) / count, noisy, estimate))
    texts = request.prompt.split()
    odds = dice.random((count, len(texts) + 2, 8, 8)) ** 2
    words = tuple(PaintedWord(text, (at + 1,)) for at, text in enumerate(texts))
    return Painting(picture, tuple(steps), odds / odds.sum(axis=1, keepdims=True), words)


def encode(pictures: Sequence[Image.Image]) -> np.ndarray:
    """`studio.engines.inside.KnowsSpace.encode` without a model: each picture very small."""
    small = [picture.convert("RGB").resize((picture.width // _CELL, picture.height // _CELL)) for picture in pictures]
    return np.stack([np.asarray(one, dtype=np.float32) for one in small]).transpose(0, 3, 1, 2) / 127.5 - 1


def decode(latents: np.ndarray) -> tuple[Image.Image, ...]:
    """The way back from `encode`."""
    pixels = ((latents.transpose(0, 2, 3, 1) + 1) * 127.5).clip(0, 255).astype(np.uint8)
    size = latents.shape[3] * _CELL, latents.shape[2] * _CELL
    return tuple(Image.fromarray(one).resize(size, Image.Resampling.BICUBIC) for one in pixels)
