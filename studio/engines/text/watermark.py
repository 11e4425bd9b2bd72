"""SynthID-Text: a watermark in which tokens are chosen, and how much of it is in a text.

Keys decide, by the tokens before, which of the next ones are drawn a little more often; who has the keys counts how
often that was so (Dathathri et al., Nature 634, 2024; the form of transformers, not that of Gemini's app). What is
not drawn, at temperature 0, carries none. Only transformers' models have it: llama.cpp has no place for it.

Imports torch when it is used.
"""

from __future__ import annotations

import contextlib
import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.paths import write

FILE = "watermark.json"
OPTION = "watermark"
"""The name under which a card tells its engine the keys."""
ENGINE = "text"
NAME = "SynthID-Text"
SURE = 4.0
"""Standard deviations above chance from which a text is said to carry it: once in 30,000 by chance."""
_DEPTH, _NGRAM = 30, 5
_LEAST = 20
"""Tokens below which nothing is said."""


@dataclass(frozen=True, slots=True)
class Score:
    """How much of a watermark is in a text.

    Attributes:
        mean: of the g-values, 0 to 1: a half where there is none.
        deviations: how many standard deviations that is above a half.
        tokens: how many were counted: each by its own four before it.
    """

    mean: float
    deviations: float
    tokens: int

    @property
    def found(self) -> bool:
        return self.tokens >= _LEAST and self.deviations >= SURE


def keys(home: Path, *, make: bool = True) -> tuple[int, ...]:
    """The keys of a home, made where there are none; none where they are not to be made.

    Raises:
        StudioError: bad_file where they cannot be read; of the disk.
    """
    file = home / FILE
    if make and not file.exists():
        new = {"keys": [secrets.randbelow(1 << 31) for _ in range(_DEPTH)]}
        with contextlib.suppress(FileExistsError):  # another studio may be quicker
            write(file, json.dumps(new) + "\n", new=True)
    try:
        found = json.loads(file.read_bytes())["keys"]
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError):
        raise StudioError("bad_file", path=FILE, reason="it holds no keys") from None
    if not isinstance(found, list) or not found or any(type(one) is not int for one in found):
        raise StudioError("bad_file", path=FILE, reason="its keys are no numbers")
    return tuple(found)


def carried(engine: str, task: str, parameters: Mapping[str, Any]) -> bool:
    """Whether an answer carries one where a studio has it so: drawn, by an engine that can."""
    return engine == ENGINE and task == "chat" and (parameters.get("temperature") or 0.0) > 0


def config(known: Sequence[int]) -> Any:
    """The keys as transformers' `generate` takes them.

    Its processor looks at the whole vocabulary for every token, 76 ms of a processor for 49,000 words. Ours looks at
    those that sampling has left, with the same result: the others cannot be drawn.
    """
    import torch
    from transformers import SynthIDTextWatermarkingConfig
    from transformers.generation.logits_process import SynthIDTextWatermarkLogitsProcessor

    class Processor(SynthIDTextWatermarkLogitsProcessor):
        left: Any = None

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            self.left = torch.isfinite(scores[0]).nonzero()[:, 0]
            chosen = torch.full_like(scores, -torch.inf)
            chosen[:, self.left] = super().__call__(input_ids, scores[:, self.left])
            return chosen

        def _compute_keys(self, n_minus_1_grams: Any, indices: Any) -> Any:
            return super()._compute_keys(n_minus_1_grams, self.left[indices])

    class Config(SynthIDTextWatermarkingConfig):
        def construct_processor(self, vocab_size: int, device: Any) -> Any:  # noqa: ARG002
            return Processor(
                ngram_len=self.ngram_len, keys=self.keys, sampling_table_size=self.sampling_table_size,
                sampling_table_seed=self.sampling_table_seed, context_history_size=self.context_history_size,
                device=device, skip_first_ngram_calls=self.skip_first_ngram_calls, debug_mode=self.debug_mode,
            )  # fmt: skip

    return Config(ngram_len=_NGRAM, keys=list(known))


def tokens(folder: Path, text: str) -> list[int]:
    """A text as tokens of the model in a folder."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def score(ids: Sequence[int], known: Sequence[int]) -> Score:
    """How much of the watermark of these keys is in a text.

    Args:
        ids: its tokens, by the tokenizer of the model that is thought to have written it.
    """
    import torch

    if len(ids) <= _NGRAM:
        return Score(0.5, 0.0, 0)
    processor = config(known).construct_processor(1, "cpu")
    tokens = torch.tensor([list(ids)], dtype=torch.long)
    told = processor.compute_g_values(tokens)[0].double()
    once = processor.compute_context_repetition_mask(tokens)[0].bool()
    count = int(once.sum())
    if not count:
        return Score(0.5, 0.0, 0)
    mean = float(told[once].mean())
    return Score(mean, (mean - 0.5) * 2 * math.sqrt(count * told.shape[1]), count)
