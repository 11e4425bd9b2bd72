"""One streamed answer of llama.cpp: its text, how it ended, and what it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from studio.catalog.card import Card
from studio.engines.base import Context
from studio.errors import StudioError
from studio.results import Output


class Answer:
    """Collects one streamed answer. Errors of our own are kept aside: the library swallows those of a callback."""

    def __init__(
        self,
        context: Context,
        card: Card,
        show: Callable[[str], str | None],
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self.parts: list[str] = []
        self._context, self._card, self._show, self._enough = context, card, show, enough
        self._tokens = 0
        self._logprobs: list[float] = []
        self._reading = False
        self._first = self._last = 0.0  # when the first and the newest token came
        self._finish = "stop"
        self._timings: dict[str, float] = {}
        self._error: BaseException | None = None

    def take(self, call: Callable[..., Any], body: dict[str, Any]) -> None:
        """Run the request to its end, or to Stop."""
        self._run(call, body)

    def read(self, call: Callable[..., Any], ids: list[int]) -> bool:
        """Have the library read `ids` and say nothing (it makes up one token all the same); False after Stop."""
        self._reading = True
        self._run(call, {"prompt": ids, "n_predict": 0, "temperature": 0.0})
        self._reading = False
        return not self._context.cancelled

    def _run(self, call: Callable[..., Any], body: dict[str, Any]) -> None:
        before, self._timings = self._timings, {}
        call({**body, "stream": True, "return_progress": True, "cache_prompt": True}, self._chunk)
        if self._error is not None:
            raise self._error
        if before and self._timings:  # what was read ahead, this request found
            self._timings["cache_n"] -= min(before["prompt_n"], self._timings["cache_n"])
            self._timings["prompt_n"] += before["prompt_n"]
            self._timings["prompt_ms"] += before["prompt_ms"]
        self._timings = self._timings or before  # stopped before the library said more

    def output(self, notes: tuple[tuple[str, dict[str, Any]], ...] = ()) -> Output:
        finish = "cancelled" if self._context.cancelled else "length" if self._finish == "length" else "stop"
        stats = {"tokens": float(self._tokens)}
        if self._tokens > 1:
            stats["tokens_per_second"] = (self._tokens - 1) / max(self._last - self._first, 1e-6)
        if self._logprobs:
            stats["mean_logprob"] = sum(self._logprobs) / len(self._logprobs)
        if "prompt_n" in self._timings:
            stats["prompt_tokens"] = self._timings["prompt_n"] + self._timings["cache_n"]
            stats["cached_tokens"] = self._timings["cache_n"]
            stats["prompt_seconds"] = self._timings["prompt_ms"] / 1000
        return Output(text="".join(self.parts), finish=finish, stats=stats, notes=notes)

    def _chunk(self, chunk: dict[str, Any]) -> bool:
        """Take one piece; True stops the library."""
        self._context.alive()  # a long prompt is read in pieces that count no step
        try:
            if "error" in chunk:
                self._error = self._explain(chunk["error"])
                return True
            self._timings = chunk.get("timings", self._timings)
            for choice in () if self._reading else chunk.get("choices", ()):
                self._finish = choice.get("finish_reason") or self._finish
                self._logprobs += [one["logprob"] for one in (choice.get("logprobs") or {}).get("content") or ()]
                delta = choice.get("text") or choice.get("delta", {}).get("content")
                if delta:
                    self._last = time.monotonic()
                    self._first = self._first or self._last
                    self._tokens += 1
                    shown = self._show(delta)
                    self.parts.append(delta if shown is None else shown)
                    self._context.step(self._tokens)
            return self._context.cancelled or self._enough()
        except BaseException as error:
            self._error = error
            return True

    def _explain(self, error: dict[str, Any]) -> StudioError:
        if error.get("type") == "exceed_context_size_error":
            count, limit = int(error.get("n_prompt_tokens", 0)), int(error.get("n_ctx", 0))
            return StudioError("context_full", count=count, model=self._card.title, limit=limit)
        return StudioError("bad_output", model=self._card.title, reason=str(error.get("message", error))[:300])
