"""Running a request on a loaded model, and what a conversation needs round that.

What a model thought aloud is not read again; the answer is kept when the job ends. A conversation that outgrew the
model is cut by its engine, which knows how long it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from studio.engines.base import Loaded
from studio.errors import Cancelled, StudioError
from studio.jobs.context import RunContext
from studio.jobs.job import Job
from studio.jobs.plans import caption_choices, caption_folder, grid
from studio.library.chats import Chats
from studio.requests import CaptionRequest, ImageRequest, Message
from studio.results import Artifact, Output
from studio.tasks.chat import thoughts
from studio.tasks.chat.conversation import Chat, Entry, Note, Tail


def compute(model: Loaded, job: Job, adapters: Path | None = None) -> Output:
    """Run the request, or all cells or pictures of a job that has some.

    Args:
        adapters: the folder of LoRA files.

    Raises:
        Cancelled: there is nothing to keep.
        StudioError: the request cannot be answered.
    """
    if job.cells:
        return _told(job, grid.run(model, job, adapters))
    if job.batch:
        return caption_folder.caption(model, job)
    request = job.request
    context = RunContext(job, adapters)
    if isinstance(request, CaptionRequest):
        return caption_choices.run(model, request, context)
    output = model.run(request, context)
    if isinstance(request, ImageRequest) and not output.images:
        raise Cancelled  # every picture was skipped
    return _told(job, output)


def _told(job: Job, output: Output) -> Output:
    return replace(output, notes=(*job.notes, *output.notes)) if job.notes else output


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


def keeper(
    store: Chats, asked: Chat, notes: tuple[Note, ...] = ()
) -> Callable[[Job, Artifact | None, StudioError | None], None]:
    """What to do when a job ends that answers `asked`: add the answer, whole or not, or say why there is none.

    A conversation that became another one meanwhile keeps the answer among what was said before (Chat.former).

    Args:
        notes: what is to be known about the answer besides what its model says.
    """

    def keep(job: Job, artifact: Artifact | None, error: StudioError | None) -> None:
        entry = _answer(job, artifact, error, notes)

        def add(saved: Chat) -> Chat:
            return _unanswered(saved, asked, error) if entry is None else _added(saved, asked, entry)

        try:
            store.change(asked.id, add)
        except StudioError as failure:
            if failure.code != "unknown_chat":  # the conversation was deleted meanwhile: so is its answer
                raise

    return keep


def _answer(job: Job, artifact: Artifact | None, error: StudioError | None, notes: tuple[Note, ...]) -> Entry | None:
    said = job.snapshot().text
    if not said.strip():
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
