"""Token counts of prompts and conversations, for the number beside a field, so never an error.

A prompt for a picture is counted by its model's tokenizer alone. A conversation is counted by the loaded model, else
estimated: no language model is loaded for a number.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from studio.catalog.card import Card
from studio.engines.base import CountsConversation, CountsTokens, Loaded, engine
from studio.engines.text import context_window
from studio.requests import ChatRequest
from studio.results import Tokens, Usage
from studio.store import Store
from studio.tasks.chat import attachments
from studio.tasks.image import prompt_template

log = logging.getLogger("studio")

UNKNOWN = Tokens(0, 0, "")
PATIENCE = 1.5
"""Seconds that counting tokens may take."""
_DENSE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]")
"""Characters that are about a token each: Chinese, Japanese, Korean."""
_LETTERS = 4
"""About so many of the others are one."""


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

    def conversation(self, card: Card, request: ChatRequest, model: Loaded | None) -> Usage:
        """How much of a model's context a conversation takes; the last message may be one that is being typed.

        Args:
            request: resolved, so that it says how long the answer may become.
            model: the model in memory; None where it is not.
        """
        if isinstance(model, CountsConversation):
            asked = self._counting.submit(model.usage, request)
            try:
                return asked.result(PATIENCE)
            except Exception as error:  # it may have been closed meanwhile
                log.debug("no tokens of %s: %s", card.id, error)
            finally:
                asked.cancel()
        return estimated(card, request)


def about(text: str) -> int:
    """How many tokens a text has, guessed from its letters."""
    dense = len(_DENSE.findall(text))
    return dense + -(-(len(text) - dense) // _LETTERS)


def estimated(card: Card, request: ChatRequest) -> Usage:
    """What `TokenCounter.conversation` says where nobody can count."""
    said = tuple(replace(message, content=attachments.written(message), files=()) for message in request.messages)
    request = replace(request, messages=said)
    texts = (request.system, *(message.content for message in said))
    count = sum(about(text) + context_window.TURN for text in texts if text)
    limit = int(card.limits.get("context", 0))
    if not limit or not request.messages:
        return Usage(count, limit)
    room = context_window.room_for_prompt(limit, request.max_tokens or 1)
    notes = context_window.recent(request, room, about, lambda: None).note(request.messages)
    return Usage(count, limit, room, cut=notes[0][1]["count"] if notes else 0)
