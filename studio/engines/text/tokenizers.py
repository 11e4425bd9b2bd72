"""Tokenizers and chat templates of transformers, as the prompts ask for them."""

from __future__ import annotations

import threading
from typing import Any


class Reading:
    """See `_prompts.Reading`."""

    def __init__(self, tokenizer: Any, options: dict[str, Any]) -> None:
        self._tokenizer = tokenizer
        self._lock = threading.Lock()  # it is set up anew for each text, and a page may have it count meanwhile
        added = tokenizer.added_tokens_decoder.values()
        self.special = frozenset({*tokenizer.all_special_tokens, *(str(one) for one in added if one.special)})
        self.first: str = tokenizer.bos_token or ""
        self._vocabulary: dict[str, int] = tokenizer.get_vocab()
        first = tokenizer("").input_ids[:1]
        self._opening: list[int] = first if first and first[0] == tokenizer.bos_token_id else []

        def render(turns: list[dict[str, str]]) -> str:
            return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **options)

        self.render = render if tokenizer.chat_template else None

    def tokens(self, text: str, *, special: bool = False, opening: bool = False) -> list[int]:
        how = {} if special else {"split_special_tokens": True}
        with self._lock:
            ids = self._tokenizer(text, add_special_tokens=False, **how).input_ids if text else []
        return [*self._opening, *ids] if opening and ids[:1] != self._opening else ids

    def token(self, text: str) -> int:
        return self._tokenizer.convert_tokens_to_ids(text)

    def has(self, text: str) -> bool:
        return text in self._vocabulary
