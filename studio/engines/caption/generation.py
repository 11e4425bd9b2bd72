"""Generation of captions: what is handed to `generate`, and what is made of the tokens that come.

Knows nothing of how pictures become inputs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from studio.engines.caption import constraints
from studio.engines.shared.text_stream import Detokenizer
from studio.requests import CaptionRequest
from studio.results import Output

Notes = tuple[tuple[str, dict[str, Any]], ...]
_CONTINUED = ("blip", "florence2", "vision-encoder-decoder")
"""Kinds whose text decoder begins with the caption itself; the others begin with what they were asked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The model's inputs for one or more pictures, the beginning that their captions are given, and notes."""

    inputs: dict[str, Any]
    opening: str = ""
    notes: Notes = ()


def controls(
    model: Any, tokenizer: Any, kind: str, request: CaptionRequest, most: int
) -> tuple[dict[str, Any], set[int]]:
    """Options of `generate` that a request decides, and the tokens at which a caption ends."""
    end = model.config.text_config.sep_token_id if kind == "blip" else model.generation_config.eos_token_id
    ends = set(end if isinstance(end, list) else [] if end is None else [end])
    temperature = float(request.temperature or 0)
    options: dict[str, Any] = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
    if banned := constraints.forbidden(tokenizer, request.forbid):
        options["bad_words_ids"] = banned
    if request.require:
        options["logits_processor"] = constraints.required(tokenizer, request.require, ends, most, kind in _CONTINUED)
    return options, ends


class Row:
    """One caption as its tokens come.

    Args:
        before: the tokens in front of the first one.
        opening: the words that these tokens say of the caption.
        ends: tokens after which nothing counts; those of a caption that is done before its neighbours.
        tell: hears the text.
    """

    def __init__(
        self, tokenizer: Any, before: list[int], opening: str, ends: set[int], tell: Callable[[str], None] | None
    ) -> None:
        self._decoder = Detokenizer(tokenizer, before[-4:])
        self._ends, self._tell = ends, tell
        self._times: list[float] = []
        self._shown: list[str] = [opening] if opening else []
        self._ended = False

    @property
    def count(self) -> int:
        """Tokens so far, the one that ends it among them."""
        return len(self._times)

    def feed(self, token: int) -> None:
        if self._ended:
            return
        self._times.append(time.perf_counter())
        self._ended = token in self._ends
        self._show(self._decoder.feed(token))

    def output(self, asked: Asked, most: int, cancelled: bool) -> Output:
        """The caption, once no more tokens come."""
        self._show(self._decoder.finish())
        stats = {"tokens": float(self.count)}
        if self.count > 1:
            stats["tokens_per_second"] = (self.count - 1) / max(self._times[-1] - self._times[0], 1e-9)
        finish: Literal["stop", "length", "cancelled"] = "length" if self.count >= most else "stop"
        if cancelled:
            finish = "cancelled"
        return Output(text="".join(self._shown).strip(), finish=finish, stats=stats, notes=asked.notes)

    def _show(self, text: str) -> None:
        text = text if self._shown else text.lstrip()
        if text:
            self._shown.append(text)
            if self._tell is not None:
                self._tell(text)
