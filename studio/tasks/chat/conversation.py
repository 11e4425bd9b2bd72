"""A conversation: its turns, how it is answered, and what was said before somebody thought again.

A question that is asked anew and an answer that is given anew replace all that followed. What they replace is kept as a
`Tail` and can be brought back, so that nothing which was said is lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.request_parts import Attachment, Message, Role

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
        files: what came along; their bytes lie beside the conversation's file.
    """

    role: Role
    content: str
    time: str = ""
    recipe: Mapping[str, Any] | None = None
    finish: str = ""
    notes: tuple[Note, ...] = ()
    error: Note | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Attachment, ...] = ()

    def same(self, other: Entry) -> bool:
        """Whether it says the same."""
        return (self.role, self.content, self.files) == (other.role, other.content, other.files)


@dataclass(frozen=True, slots=True)
class Tail:
    """All messages from place `at` on, as they once were.

    Attributes:
        former: what had been replaced within them.
        later: it came after what is shown instead of it.
    """

    at: int
    messages: tuple[Entry, ...]
    former: tuple[Tail, ...] = ()
    later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation. An empty title means: the first words of the first message.

    Attributes:
        parameters: how it is sampled, by the names of a ChatRequest; what is left out is the model's default.
        pinned: it stands above the others in a list.
        former: what was replaced; of what stood in one place, the older first.
        extra: fields of the file that this version does not know.
    """

    id: str
    title: str = ""
    updated: str = ""
    system: str = ""
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Entry, ...] = ()
    pinned: bool = False
    former: tuple[Tail, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown_title(self) -> str:
        """The title that people see; empty for a conversation that has not begun."""
        first = next((entry.content for entry in self.messages if entry.role == "user"), "")
        named = next((one.name for entry in self.messages for one in entry.files), "")
        return self.title or short(first) or short(named)

    @property
    def mark(self) -> str:
        """Changes with every word that was said, and with nothing else."""
        said = json.dumps(
            [(entry.role, entry.content, *(one.sha256 for one in entry.files)) for entry in self.messages]
        )
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def open(self) -> bool:
        """The last question has no answer."""
        return bool(self.messages) and self.messages[-1].role == "user"

    def as_messages(self, read: Callable[[Attachment], bytes] = lambda one: one.data) -> tuple[Message, ...]:
        """The conversation as a request takes it, without questions that were too long to be answered.

        Args:
            read: the bytes of a file that came along; nothing where they are gone, and it is left out.
        """
        said = [
            entry
            for place, entry in enumerate(self.messages, 1)
            if entry.role == "assistant" or place == len(self.messages) or (entry.error or ("",))[0] != "context_full"
        ]
        return tuple(Message(entry.role, entry.content, _read(entry.files, read)) for entry in said)

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
        kept = tuple(replace(tail, later=tail.later and tail.at < at) for tail in self.former if tail.at <= at)
        return replace(self, messages=(*self.messages[:at], *entries), former=(*kept, *self._from(at)))

    def without(self, at: int) -> Chat:
        """The conversation without one message; as it was is kept."""
        return self.replaced(at, *self.messages[at + 1 :])

    def reworded(self, at: int, entry: Entry) -> Chat:
        """The conversation with another message in one place, and what follows it as it is; as it was is kept."""
        changed = self.replaced(at, entry, *self.messages[at + 1 :])
        later = tuple(tail for tail in self.former if tail.at > at)  # what follows keeps its versions
        return replace(changed, former=(*changed.former, *later))

    def branch(self, at: int, id: str) -> Chat:
        """Another conversation that begins as this one does, up to and with the message in place `at`."""
        former = tuple(tail for tail in self.former if tail.at <= at)
        return replace(self, id=id, messages=self.messages[: at + 1], former=former, pinned=False)

    def aside(self, at: int, messages: tuple[Entry, ...]) -> Chat:
        """The conversation as it is, with another way in which it went on from place `at`."""
        return replace(self, former=(*self.former, Tail(at, messages)))

    def versions(self, at: int) -> tuple[int, int]:
        """Of the ways in which it went on from place `at`: which is shown, counted from 1, and how many there are."""
        ways = [tail for tail in self.former if tail.at == at]
        return 1 + sum(not tail.later for tail in ways), 1 + len(ways)

    def ways(self, at: int) -> tuple[tuple[Entry, ...], ...]:
        """All that was ever said from place `at` on, one way after the other as `versions` counts them."""
        others = [tail for tail in self.former if tail.at == at]
        before = (tail.messages for tail in others if not tail.later)
        return (*before, self.messages[at:], *(tail.messages for tail in others if tail.later))

    def turned(self, at: int, step: int) -> Chat:
        """The conversation as it went on from place `at` the version before (-1) or after (1); as it is where there is
        none."""
        before = [tail for tail in self.former if tail.at == at and not tail.later]
        after = [tail for tail in self.former if tail.at == at and tail.later]
        if not (before if step < 0 else after):
            return self
        shown = [replace(tail, later=step < 0) for tail in self._from(at)]
        if step < 0:
            back, ways = before[-1], [*before[:-1], *shown, *after]
        else:
            back, ways = after[0], [*before, *shown, *after[1:]]
        kept = (tail for tail in self.former if tail.at < at)
        return replace(self, messages=(*self.messages[:at], *back.messages), former=(*kept, *ways, *back.former))

    def _from(self, at: int) -> tuple[Tail, ...]:
        """What stands from place `at` on, to be kept; nothing where nothing does."""
        within = tuple(tail for tail in self.former if tail.at > at)
        return (Tail(at, self.messages[at:], within),) if self.messages[at:] else ()


def _read(files: tuple[Attachment, ...], read: Callable[[Attachment], bytes]) -> tuple[Attachment, ...]:
    found = (replace(one, data=one.data or read(one)) for one in files)
    return tuple(one for one in found if one.data)


def short(text: str) -> str:
    """The beginning of a text in one line, as a title."""
    line = " ".join(text[: TITLE * 20].split())
    return line if len(line) <= TITLE else line[: TITLE - 1].rstrip() + "…"
