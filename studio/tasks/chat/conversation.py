"""A conversation: its turns, how it is answered, and what was said before somebody thought again.

A question that is asked anew and an answer that is given anew replace all that followed. What they replace is kept as a
`Tail` and can be brought back, so that nothing which was said is lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.requests import Message, Role

TITLE = 60
Note = tuple[str, Mapping[str, Any]]
"""A key of the texts and its parameters."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as it is kept.

    Attributes:
        time: when it was written (ISO, UTC).
        recipe: how an answer was made.
        finish: of an answer, as in studio.results.Output; "failed" where an error ended it.
        notes: what people should know about an answer: keys below `note.`.
        error: why a question has no answer, or only a part of one: a key below `error.`.
        extra: fields of the file that this version does not know.
    """

    role: Role
    content: str
    time: str = ""
    recipe: Mapping[str, Any] | None = None
    finish: str = ""
    notes: tuple[Note, ...] = ()
    error: Note | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def same(self, other: Entry) -> bool:
        """Whether it says the same."""
        return (self.role, self.content) == (other.role, other.content)


@dataclass(frozen=True, slots=True)
class Tail:
    """All messages from place `at` on, as they once were; `former`: what had been replaced within them."""

    at: int
    messages: tuple[Entry, ...]
    former: tuple[Tail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation. An empty title means: the first words of the first message.

    Attributes:
        parameters: how it is sampled, by the names of a ChatRequest; what is left out is the model's default.
        former: what was replaced, in the order in which it comes back.
        extra: fields of the file that this version does not know.
    """

    id: str
    title: str = ""
    updated: str = ""
    system: str = ""
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Entry, ...] = ()
    former: tuple[Tail, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown_title(self) -> str:
        """The title that people see; empty for a conversation that has not begun."""
        first = next((entry.content for entry in self.messages if entry.role == "user"), "")
        return self.title or short(first)

    @property
    def mark(self) -> str:
        """Changes with every word that was said, and with nothing else."""
        said = json.dumps([(entry.role, entry.content) for entry in self.messages])
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def open(self) -> bool:
        """The last question has no answer."""
        return bool(self.messages) and self.messages[-1].role == "user"

    def as_messages(self) -> tuple[Message, ...]:
        """The conversation as a request takes it, without questions that were too long to be answered."""
        said = [
            entry
            for place, entry in enumerate(self.messages, 1)
            if entry.role == "assistant" or place == len(self.messages) or (entry.error or ("",))[0] != "context_full"
        ]
        return tuple(Message(entry.role, entry.content) for entry in said)

    def cut(self, end: int) -> Chat:
        """The conversation up to a place, counted as Python counts."""
        return replace(self, messages=self.messages[:end])

    def shared(self, other: Chat) -> int:
        """With how many messages both begin."""
        pairs = zip(self.messages, other.messages, strict=False)
        most = min(len(self.messages), len(other.messages))
        return next((place for place, (one, two) in enumerate(pairs) if not one.same(two)), most)

    def replaced(self, at: int, *entries: Entry) -> Chat:
        """The conversation with `entries` instead of all that stands from place `at` on, which is kept."""
        kept = tuple(tail for tail in self.former if tail.at <= at)
        within = tuple(tail for tail in self.former if tail.at > at)
        gone = (Tail(at, self.messages[at:], within),) if self.messages[at:] else ()
        return replace(self, messages=(*self.messages[:at], *entries), former=(*kept, *gone))

    def aside(self, at: int, messages: tuple[Entry, ...]) -> Chat:
        """The conversation as it is, with another way in which it went on from place `at`."""
        return replace(self, former=(*self.former, Tail(at, messages)))

    def versions(self, at: int) -> int:
        """In how many other ways it went on from place `at`."""
        return sum(tail.at == at for tail in self.former)

    def other(self, at: int, *, newest: bool = False) -> Chat:
        """The conversation as it went on from place `at` another time; once for each way, then as before.

        Args:
            newest: the way that was left last, not the one that was left first.
        """
        ways = [tail for tail in self.former if tail.at == at]
        if not ways:
            return self
        back, now = ways[-1 if newest else 0], self.replaced(at)
        left = tuple(tail for tail in now.former if tail is not back)
        return replace(now, messages=(*self.messages[:at], *back.messages), former=(*left, *back.former))


def short(text: str) -> str:
    """The beginning of a text in one line, as a title."""
    line = " ".join(text[: TITLE * 20].split())
    return line if len(line) <= TITLE else line[: TITLE - 1].rstrip() + "…"
