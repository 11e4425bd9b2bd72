"""The inside of the stand-ins: odds of words that are made up from what stands before them, always the same ones."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from studio.engines.base import Context
from studio.results import Next, Token

_WORDS = (
    " the", " a", " light", " sea", " and", " was", " of", " in", " under", " quiet", " morning", " boat", " hill",
    " stone", " river", " over", " came", " stood", " long", " small", " blue", " old", " wind", " house", " tree",
    " with", " it", " her", " his", " road", " night", " star", " slow", " then", " where", " cloud", ".", ",",
)  # fmt: skip
_END = len(_WORDS)
_FIRST = _END + 1
"""Letters of the text itself come behind the words, a token a character."""


class FakeNext:
    """`studio.engines.base.NextTokens` without a model."""

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
