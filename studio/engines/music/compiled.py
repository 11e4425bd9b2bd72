"""Compiled decoder of MusicGen: static keys and values, and on a graphics card CUDA graphs of a step.

transformers compiles a step of generation where it is given a static cache. Two things of its MusicGen stand in the
way:

- Its positions ask at each step whether their table is long enough, which breaks the step in two. It is long enough
  for a window, and is not asked.
- Its `generate` computes the beginning twice, which goes unnoticed where each time a new cache is made. One that is
  given would hold the beginning twice: it is emptied before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio.devices.device import Device
from studio.engines.shared import faster
from studio.results import Output


class Compiled(faster.Faster):
    """The faster way of one MusicGen that makes pieces from words."""

    def __init__(self, model: Any, device: Device) -> None:
        self._model, self._device = model, device
        self._caches: dict[tuple[int, ...], Any] = {}
        self._spent: tuple[float, int] = 0.0, 0
        super().__init__(self._warm, self._plain)

    def made(self, possible: bool, make: Callable[[], Output]) -> Output:
        """What `make` makes, in the way that pays."""
        self._spent = 0.0, 0
        return self.run("piece", possible, make, lambda _: self._spent[0] / max(self._spent[1], 1))

    def timed(self, seconds: float, tokens: int) -> None:
        """So many tokens took so long."""
        self._spent = self._spent[0] + seconds, self._spent[1] + tokens

    def arguments(self, given: dict[str, Any], count: int) -> dict[str, Any]:
        """What `generate` is told besides for so many tokens from the words in `given`; nothing in the plain way."""
        if not self.on:
            return {}
        size = faster.roomy(count + 1)
        rows = 2 if given["guidance_scale"] > 1 else 1  # with the words and without
        return {
            "past_key_values": self._cache(min(size, self._table().shape[0]), given["input_ids"].shape[1], rows),
            "compile_config": faster.compiling(self._device),
        }

    def _cache(self, size: int, words: int, rows: int) -> Any:
        """An empty cache; the same again for the same sizes, because compiled code knows where it lies."""
        from transformers import EncoderDecoderCache, StaticCache

        found = self._caches.get((size, words, rows))
        if found is None:
            config = self._model.config.decoder
            parts = (StaticCache(config=config, max_cache_len=length) for length in (size, words))
            self._caches = {(size, words, rows): (found := EncoderDecoderCache(*parts))}
        return found

    def _empty(self) -> None:
        for cache in self._caches.values():
            faster.rewind(cache.self_attention_cache, 0)
            faster.rewind(cache.cross_attention_cache, 0)
            cache.is_updated = dict.fromkeys(cache.is_updated, False)

    def _table(self) -> Any:
        return self._model.decoder.model.decoder.embed_positions.weights

    def _warm(self) -> None:
        import torch

        positions = self._model.decoder.model.decoder.embed_positions

        def forward(ids: Any, before: Any = 0) -> Any:
            places = torch.arange(ids.shape[-1], device=ids.device) + before
            return positions.weights.index_select(0, places.view(-1))

        positions.forward = forward
        begin = self._model._prefill

        def prefill(*given: Any, **named: Any) -> Any:
            self._empty()
            return begin(*given, **named)

        self._model._prefill = prefill
        words = torch.zeros((1, 2), dtype=torch.long, device=self._model.device)
        given = {"input_ids": words, "attention_mask": torch.ones_like(words), "guidance_scale": 3.0}
        count = self._model.config.decoder.num_codebooks + 2
        self._model.generate(**given, **self.arguments(given, count), do_sample=False, max_new_tokens=count)

    def _plain(self) -> None:
        self._caches = {}
        vars(self._model).pop("_compiled_call", None)
        vars(self._model).pop("_prefill", None)
        vars(self._model.decoder.model.decoder.embed_positions).pop("forward", None)
