"""Token counts of prompts, from a model's own tokenizer: for the number beside a field, so never an error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from studio.catalog.card import Card
from studio.engines.base import CountsTokens, engine
from studio.results import Tokens
from studio.store import Store
from studio.tasks.image import prompt_template

log = logging.getLogger("studio")

UNKNOWN = Tokens(0, 0, "")
PATIENCE = 1.5
"""Seconds that counting tokens may take."""


class TokenCounter:
    """Counts on a thread of its own.

    Args:
        adapters: the folders of embeddings, among others; none where nobody may use them.
    """

    def __init__(self, store: Store, adapters: Callable[[], tuple[Path, ...]] = tuple) -> None:
        self._store, self._adapters = store, adapters
        self._counting = ThreadPoolExecutor(1, thread_name_prefix="tokens")

    def close(self) -> None:
        self._counting.shutdown(wait=False, cancel_futures=True)

    def count(self, card: Card | None, prompt: str) -> Tokens:
        """What the model's own tokenizer makes of a prompt, without its adaptations; zeros where that is unknown.

        The first count of a model reads its tokenizer, and perhaps a library. Whoever asks waits PATIENCE seconds at
        most; the reading goes on, and the next count has it.
        """
        if card is None or "image" not in card.tasks or self._store.state(card) != "ready":
            return UNKNOWN
        try:
            kind = engine(card.engine)
            if not isinstance(kind, CountsTokens):
                return UNKNOWN
            asked = self._counting.submit(
                kind.tokens, card, self._store.path(card), prompt_template.take_loras(prompt)[0], self._adapters()
            )
            try:
                return asked.result(PATIENCE)
            finally:
                asked.cancel()
        except Exception as error:  # a number beside a field is never worth an error
            log.debug("no tokens of %s: %s", card.id, error)
            return UNKNOWN
