"""Open pages, and which conversation each shows.

A page that follows an answer must leave off as soon as it shows something else, or the answer would be drawn over
another conversation. What is shown changes with every opening, so each gets a turn of its own.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass

import gradio as gr

from studio.tasks.chat.conversation import Chat

MOST = 5000
"""Pages that are remembered; the oldest are forgotten first."""

WHERE = "atelier.where()"
"""What a page shows, asked in the browser (assets/page/chat.js) when something is pressed."""


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation as a page shows it: its id, empty for a new one, and its mark (Chat.mark)."""

    chat: str = ""
    mark: str = ""

    @classmethod
    def read(cls, said: object) -> Place:
        """From what the browser says, which may be anything."""
        try:
            found = json.loads(said) if isinstance(said, str) else {}
        except (ValueError, RecursionError):
            found = {}
        if not isinstance(found, dict):
            return cls()
        return cls(*(value if isinstance(value := found.get(key), str) else "" for key in ("chat", "mark")))

    def fits(self, chat: Chat, *, answered: bool = False) -> bool:
        """Whether the conversation is still what is shown; `answered`: or that with an answer which has just come."""
        if self.mark == chat.mark:
            return True
        last = chat.messages[-1:]
        return answered and bool(last) and last[0].role == "assistant" and chat.cut(-1).mark == self.mark


class Windows:
    """The pages that are open now."""

    def __init__(self) -> None:
        self._shown: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._turns = 0
        self._lock = threading.Lock()

    def show(self, request: gr.Request, chat: str) -> int:
        """Note that a page shows a conversation from now on. Returns the turn that this is."""
        with self._lock:
            self._turns += 1
            name = str(request.session_hash)
            self._shown[name] = (self._turns, chat)
            self._shown.move_to_end(name)
            if len(self._shown) > MOST:
                self._shown.popitem(last=False)
            return self._turns

    def at(self, request: gr.Request, turn: int) -> bool:
        """Whether the page still shows what it showed in that turn."""
        return self._shown.get(str(request.session_hash), (0, ""))[0] == turn

    def chat(self, request: gr.Request) -> str:
        """The conversation that a page shows; empty for none."""
        return self._shown.get(str(request.session_hash), (0, ""))[1]
