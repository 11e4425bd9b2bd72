"""Static keys and values: a cache of fixed size, for which a step of a language model is compiled once.

The same cache is used from run to run, because compiled code knows where it lies: what a new prompt does not share with
it is written over.
"""

from __future__ import annotations

from typing import Any

from studio.devices.device import Device
from studio.engines.shared import faster


class StaticKeys:
    """Those of one model.

    Args:
        limit: most tokens that it reads and writes together.
    """

    def __init__(self, model: Any, limit: int, device: Device) -> None:
        self._limit, self._device = limit, device
        self._model: Any = model
        self._cache: Any = None

    def rewound(self, room: int, shared: int) -> tuple[Any, int]:
        """The cache with the first `shared` tokens of what it holds, and how many these are; an empty one, where it has
        no room for so many tokens or cannot go back.

        Args:
            room: tokens that prompt and answer may have together.
        """
        from transformers import StaticCache
        from transformers.cache_utils import StaticLayer

        cache: Any = self._cache
        size = min(faster.roomy(room), self._limit)
        layers = cache.layers if cache is not None else []
        if layers and layers[0].max_cache_len >= size and all(type(layer) is StaticLayer for layer in layers):
            faster.rewind(cache, shared)
            return cache, shared
        self._cache = StaticCache(config=self._model.config, max_cache_len=size)
        return self._cache, 0

    def warm(self) -> None:
        """Compile a step, so that what fails fails before anybody sees a word."""
        import torch
        from transformers import GenerationConfig

        cache, _ = self.rewound(faster.ROOM, 0)
        tokens = torch.zeros((1, 2), dtype=torch.long, device=self._model.device)
        config = GenerationConfig(
            max_new_tokens=3, do_sample=False, pad_token_id=0, compile_config=faster.compiling(self._device)
        )
        self._model.generate(
            tokens, attention_mask=torch.ones_like(tokens), past_key_values=cache, generation_config=config
        )

    def clear(self) -> None:
        """Forget what was read; compiled code that knows the cache is of no use any more."""
        self._cache = None

    def close(self) -> None:
        self._model = self._cache = None
