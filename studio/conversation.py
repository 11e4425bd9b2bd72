"""Running a request on a loaded model, and what a conversation needs round that.

What a model thought aloud is not read again; the answer is kept when the job ends. A conversation that outgrew the
model is cut by its engine, which knows how long it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from studio import cells
from studio.captioning import batch, candidates
from studio.chats import Chats, Entry
from studio.context import RunContext
from studio.engines.base import Loaded
from studio.errors import Cancelled, StudioError
from studio.jobs import Job
from studio.requests import CaptionRequest, ImageRequest, Message
from studio.types import Artifact, Output

_THOUGHTS = re.compile(r"<think>.*?(</think>\s*|\Z)", re.DOTALL)


def compute(model: Loaded, job: Job, adapters: Path | None = None) -> Output:
    """Run the request, or all cells or pictures of a job that has some.

    Args:
        adapters: the folder of LoRA files.

    Raises:
        Cancelled: there is nothing to keep.
        StudioError: the request cannot be answered.
    """
    if job.cells:
        return cells.run(model, job, adapters)
    if job.batch:
        return batch.caption(model, job)
    request = job.request
    context = RunContext(job, adapters)
    if isinstance(request, CaptionRequest):
        return candidates.run(model, request, context)
    output = model.run(request, context)
    if isinstance(request, ImageRequest) and not output.images:
        raise Cancelled  # every picture was skipped
    return output


def without_thoughts(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Earlier answers without what the model thought aloud: it is not meant to be read again."""
    return tuple(
        message if message.role == "user" else replace(message, content=_THOUGHTS.sub("", message.content))
        for message in messages
    )


def keeper(store: Chats, id: str) -> Callable[[Job, Artifact | None], None]:
    """What to do when a job ends that answers the conversation `id`: add the answer, whole or not."""

    def keep(job: Job, artifact: Artifact | None) -> None:
        answer = job.snapshot().text
        if not answer.strip():
            return
        try:
            saved = store.load(id)
        except StudioError:  # the conversation was deleted meanwhile: so is its answer
            return
        entry = Entry("assistant", answer, recipe=artifact.recipe if artifact else None)
        store.save(replace(saved, messages=(*saved.messages, entry)))

    return keep
