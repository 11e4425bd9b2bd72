"""Next tokens of a causal language model of transformers: the whole head's log-probabilities, the likeliest kept.

Rows that go on from rows asked before, each by a token, are computed from their keys and values, as `generate` does; so
the rows of a beam search cost what they cost there. All others are read anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from studio.engines.base import Context
from studio.results import Next, Token

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class TransformersNext:
    """`studio.engines.inside.NextTokens` for one run of a model."""

    warms_first = True

    def __init__(self, model: Any, tokenizer: Any, ends: Sequence[int], context: Context) -> None:
        self.ends = frozenset(ends)
        self._model, self._tokenizer, self._context = model, tokenizer, context
        self.vocabulary = int(model.config.get_text_config(decoder=True).vocab_size)
        self._bytewise = "ByteLevel" in repr(getattr(tokenizer.backend_tokenizer, "decoder", ""))
        self._rows: list[list[int]] = []
        self._cache: Any = None

    def read(self, text: str) -> tuple[Token, ...]:
        return tuple(map(self._token, self._tokenizer(text).input_ids))

    def follow(self, rows: Sequence[Sequence[int]], most: int) -> tuple[Next, ...]:
        import torch

        self._context.check()
        asked = [list(row) for row in rows]
        with torch.inference_mode():
            logits = self._grown(asked) if self._grows(asked) else self._anew(asked)
            logprobs = torch.log_softmax(logits.float(), dim=-1)
            found, ids = logprobs.topk(min(most, logprobs.shape[-1]), dim=-1)
            rest = 1 - found.exp().sum(dim=-1)
        self._context.step(len(asked[0]))
        return tuple(
            Next(tuple(map(self._token, row.tolist())), tuple(odds.tolist()), max(0.0, float(others)))
            for row, odds, others in zip(ids, found, rest, strict=True)
        )

    def _grows(self, rows: list[list[int]]) -> bool:
        return self._cache is not None and all(row[:-1] in self._rows for row in rows)

    def _grown(self, rows: list[list[int]]) -> Any:
        """The logits where each row is one asked before and a token."""
        import torch

        before = torch.tensor([self._rows.index(row[:-1]) for row in rows])
        self._cache.reorder_cache(before.to(self._model.device))
        self._rows = rows
        last = torch.tensor([row[-1:] for row in rows], device=self._model.device)
        return self._model(input_ids=last, past_key_values=self._cache, use_cache=True).logits[:, -1]

    def _anew(self, rows: list[list[int]]) -> Any:
        """The logits of rows of one length; of others row by row, which nothing is kept of."""
        import torch
        from transformers import DynamicCache

        self._cache, self._rows = None, []
        if len({len(row) for row in rows}) > 1:
            return torch.cat([self._anew([row]) for row in rows])
        ids = torch.tensor(rows, device=self._model.device)
        self._cache, self._rows = DynamicCache(config=self._model.config), rows
        return self._model(input_ids=ids, past_key_values=self._cache, use_cache=True, logits_to_keep=1).logits[:, -1]

    def _token(self, id: int) -> Token:
        written = self._tokenizer.convert_ids_to_tokens(id) or ""
        if id in self._tokenizer.added_tokens_decoder:
            return Token(id, str(written).encode())
        if self._bytewise:
            return Token(id, bytes(_bytes_of_letters().get(letter, 63) for letter in written))
        if found := _BYTE.fullmatch(written):
            return Token(id, bytes([int(found[1], 16)]))
        return Token(id, written.replace("\u2581", " ").encode())


@cache
def _bytes_of_letters() -> dict[str, int]:
    """The letters by which byte-level tokenizers write each byte (GPT-2): those that can be seen stand for themselves,
    the others are moved behind the first 256."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    moved = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + place): byte for place, byte in enumerate(moved)}
