"""The answer to a conversation: the question is on disk when the job is accepted, the answer when it ends.

What a model thought aloud is not read again. A conversation that outgrew the model is cut by its engine, which knows
how long it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from studio.errors import StudioError
from studio.jobs.context import Plan
from studio.jobs.job import Job
from studio.jobs.plans.chat_answer import ChatAnswer
from studio.jobs.plans.single import Single
from studio.library.chats import Chats
from studio.policy import REFUSED
from studio.request_parts import Message
from studio.requests import light
from studio.results import Artifact
from studio.tasks.chat import thoughts
from studio.tasks.chat.conversation import Chat, Entry, Note, Tail


@dataclass(frozen=True)
class ChatTurn(ChatAnswer):
    """One answer.

    Attributes:
        store: where the conversation lives.
        chat: the conversation; its last message is the user's.
        seen: the mark of the conversation that `chat` was made from; empty for a new one.
        remarks: what is to be known about the answer besides what its model says.
    """

    store: Chats = field(repr=False)
    chat: Chat = field(repr=False)
    seen: str = ""
    remarks: tuple[Note, ...] = ()

    def save(self) -> None:
        """Write the question. Raises StudioError: the conversation is no longer what was seen, or the disk refuses."""
        if self.seen:
            self.store.change(self.chat.id, lambda found: onwards(found, self.chat, self.seen))
        else:
            self.store.save(self.chat)

    def ended(self, job: Job, artifact: Artifact | None, error: StudioError | None) -> None:
        """Add the answer, whole or not, or say why there is none.

        A conversation that became another one meanwhile keeps the answer among what was said before (Chat.former).
        """
        entry = _answer(job, artifact, error, self.remarks)

        def add(saved: Chat) -> Chat:
            return _unanswered(saved, self.chat, error) if entry is None else _added(saved, self.chat, entry)

        try:
            self.store.change(self.chat.id, add)
        except StudioError as failure:
            if failure.code != "unknown_chat":  # the conversation was deleted meanwhile: so is its answer
                raise

    def light(self) -> Plan:
        """What was asked; the conversation is on disk."""
        return Single(light(self.request), keep=self.keep, notes=self.notes)


def without_thoughts(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Earlier answers without what the model thought aloud: it is not meant to be read again."""
    return tuple(
        message if message.role == "user" else replace(message, content=thoughts.split(message.content)[1])
        for message in messages
    )


def onwards(found: Chat, chat: Chat, seen: str) -> Chat:
    """`chat` instead of what is `found` on disk, where that is what was `seen`. Raises StudioError where it is not."""
    if found.mark != seen:
        raise StudioError("chat_changed")
    return replace(chat, title=found.title)


def _answer(job: Job, artifact: Artifact | None, error: StudioError | None, notes: tuple[Note, ...]) -> Entry | None:
    said = job.snapshot().text
    if not said.strip() or (error is not None and error.code == REFUSED):
        return None
    recipe = None
    if artifact is not None:  # the messages are those that stand above it
        given = {name: value for name, value in artifact.recipe["parameters"].items() if name != "messages"}
        recipe = {**artifact.recipe, "parameters": given}
    return Entry(
        "assistant", said, _now(), recipe,
        finish=artifact.finish if artifact else "failed" if error else "cancelled",
        notes=(*notes, *(artifact.notes if artifact else ())),
        error=(error.code, error.params) if error else None,
    )  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _added(saved: Chat, asked: Chat, answer: Entry) -> Chat:
    place = saved.shared(asked)
    if place == len(saved.messages) == len(asked.messages):
        return replace(saved, messages=(*saved.messages, answer))
    return saved.aside(place, (*asked.messages[place:], answer))


def _unanswered(saved: Chat, asked: Chat, error: StudioError | None) -> Chat:
    """Nothing came. An answer that was to be given anew is back; a question remembers why it has none."""
    if saved.shared(asked) != len(saved.messages) or len(saved.messages) != len(asked.messages):
        return saved
    before = [tail for tail in saved.former if tail.at == len(saved.messages)]
    if before and before[-1].messages[0].role == "assistant":
        return _back(saved, before[-1])
    if error is None:
        return saved
    question = replace(saved.messages[-1], error=(error.code, error.params))
    return replace(saved, messages=(*saved.messages[:-1], question))


def _back(saved: Chat, tail: Tail) -> Chat:
    former = tuple(each for each in saved.former if each is not tail)
    return replace(saved, messages=(*saved.messages, *tail.messages), former=(*former, *tail.former))
