"""Texts of conversations in which somebody searches, letter by letter: each is read once, and again when written."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from studio.tasks.chat.conversation import Chat

LETTERS = 20_000_000
"""What is remembered of all together."""


class Texts:
    """Titles and messages of conversations, in small letters. Safe to use from several threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._letters = 0
        self._lock = threading.Lock()

    def get(self, id: str, stamp: str, load: Callable[[str], Chat]) -> str:
        """The text of a conversation.

        Args:
            stamp: changes whenever it is written. load: reads it, where it is not known as it is now.

        Raises:
            StudioError: as `load`.
        """
        with self._lock:
            known = self._known.get(id)
        if known is not None and known[0] == stamp:
            return known[1]
        chat = load(id)
        text = "\n".join((chat.shown_title, *(entry.content for entry in chat.messages))).casefold()
        with self._lock:
            self._letters += len(text) - len(self._known.pop(id, ("", ""))[1])
            self._known[id] = stamp, text
            while self._letters > LETTERS:
                _, (_, old) = self._known.popitem(last=False)
                self._letters -= len(old)
        return text
