"""Next tokens of a GGUF model, as llama.cpp tells them: log-probabilities before any sampling, over its whole
vocabulary, of the likeliest so many.

Several rows are asked at once, each in a slot of its own: so the beams of a search are computed together, and each
finds what it has read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from studio.engines.base import Context
from studio.engines.text.slots import Slot, Slots
from studio.errors import StudioError
from studio.results import Next, Token

AT_ONCE = 4
"""Slots that one run takes at most; those that talk have the others."""


class LlamaNext:
    """`studio.engines.inside.NextTokens` for one run of a model.

    Args:
        read: a text as ids and bytes. calling: what gives a slot a request.
    """

    warms_first = False

    def __init__(
        self, read: Callable[[str], list[tuple[int, bytes]]], calling: Callable[[int], Callable[..., None]],
        slots: Slots, ends: frozenset[int], vocabulary: int, title: str, context: Context,
    ) -> None:  # fmt: skip
        self.ends, self.vocabulary = ends, vocabulary
        self._read, self._calling, self._slots, self._title, self._context = read, calling, slots, title, context

    def read(self, text: str) -> tuple[Token, ...]:
        return tuple(Token(id, data) for id, data in self._read(text))

    def follow(self, rows: Sequence[Sequence[int]], most: int) -> tuple[Next, ...]:
        found: list[Next] = []
        together = min(AT_ONCE, self._slots.count)
        for start in range(0, len(rows), together):
            self._context.check()
            found += self._together([list(row) for row in rows[start : start + together]], most)
        self._context.step(len(rows[0]))
        self._context.check()
        return tuple(found)

    def _together(self, rows: list[list[int]], most: int) -> list[Next]:
        with ExitStack() as stack:
            slots = [stack.enter_context(self._slots.taken(row, "code", self._context.check)) for row in rows]
            if len(rows) == 1:
                return [self._next(rows[0], slots[0], most)]
            with ThreadPoolExecutor(len(rows)) as hands:
                return list(hands.map(lambda row, slot: self._next(row, slot, most), rows, slots))

    def _next(self, row: list[int], slot: Slot, most: int) -> Next:
        answers: list[dict[str, Any]] = []
        asked = {"prompt": row, "n_predict": 1, "temperature": 0.0, "n_probs": most, "cache_prompt": True}
        slot.read = []
        self._calling(slot.number)(asked | {"stream": False}, lambda chunk: bool(answers.append(chunk)))
        slot.read = row
        try:
            told = answers[0]["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        except (KeyError, IndexError, TypeError):
            reason = str((answers or [{}])[0].get("error", ""))[:300]
            raise StudioError("bad_output", model=self._title, reason=reason) from None
        logprobs = tuple(float(one["logprob"]) for one in told)
        tokens = tuple(Token(int(one["id"]), bytes(one["bytes"])) for one in told)
        return Next(tokens, logprobs, max(0.0, 1 - math.fsum(map(math.exp, logprobs))))
