"""A run's pictures through one loaded model, one after another or a few together.

A picture is read when it is its turn and forgotten after, so that a thousand take no more memory than one. Stop keeps
what is written; a picture that cannot be read is noted and left; anything else ends the run, which can be resumed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from studio import limits
from studio.captioning import folder
from studio.captioning.candidates import held
from studio.captioning.journal import Line
from studio.captioning.phrasing import phrased
from studio.captioning.run import Run
from studio.cards import Card
from studio.context import RunContext
from studio.engines.base import Loaded
from studio.errors import Cancelled, StudioError
from studio.jobs import Job
from studio.requests import CaptionRequest
from studio.types import Output

log = logging.getLogger("studio")

Notes = tuple[tuple[str, dict[str, Any]], ...]

_OF_THE_PICTURE = frozenset({
    "bad_image", "image_too_large", "file_too_large", "file_not_found", "empty", "caption_link", "caption_unreadable",
    "caption_too_large", "caption_not_text", "caption_empty",
})  # fmt: skip
"""Errors that are one picture's fault; the next one may be fine."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A run, and who it is done for."""

    run: Run = field(repr=False)
    card: Card
    public: bool = False


def caption(model: Loaded, job: Job) -> Output:
    """Caption every picture of the job's run that waits. Progress is pictures; the text is a line for each.

    Raises:
        StudioError: caption_run_busy, caption_rolled_back, a full disk; what is written stays.
    """
    batch, request = job.batch, job.request
    assert batch is not None
    assert isinstance(request, CaptionRequest)
    run, context = batch.run, _Quiet(job)
    with run.working():
        run.begin()
        waiting = run.waiting()
        job.move("running", step=0, steps=len(waiting))
        done, notes = 0, list[tuple[str, dict[str, Any]]]()
        try:
            for line, new in _captions(model, batch, request, waiting, context):
                notes += [note for note in new if note not in notes]
                done += 1
                job.progress_step(done, len(waiting))
                job.add_text(f"{line.key}\t{line.state}\t{' '.join(line.after.split())}\n")
        except Cancelled:
            pass
        if not job.cancelled or done == len(waiting):
            run.finish()
    if failed := run.counts().get("failed", 0):
        notes.append(("captions_failed", {"count": failed}))
    if run.plan.passed:
        notes.append(("captions_passed", {"count": len(run.plan.passed)}))
    finish = "cancelled" if job.cancelled and done < len(waiting) else "stop"
    return Output(finish=finish, stats={"pictures": float(done)}, notes=tuple(notes))


def together(model: Loaded, request: CaptionRequest) -> int:
    """How many pictures the model takes at once. What is drawn by chance is drawn one by one, so that it repeats."""
    ask = getattr(model, "together", None)
    return 1 if ask is None or request.temperature else max(1, int(ask(request)))


def _captions(
    model: Loaded, batch: Batch, request: CaptionRequest, keys: Sequence[str], context: _Quiet
) -> Iterator[tuple[Line, Notes]]:
    """The line of each picture, once it is written, and what the model noted.

    Raises:
        Cancelled: Stop was pressed; the picture in work is not written.
    """
    size, left = together(model, request), list(keys)
    while left:
        ready: list[tuple[str, CaptionRequest]] = []
        while left and len(ready) < size:
            context.check()
            key = left.pop(0)
            try:
                ready.append((key, _read(batch, request, key)))
            except StudioError as error:
                yield _failed(batch.run, key, error), ()
        outputs = _at_once(model, [one for _, one in ready], context)
        if len(ready) > 1 and not outputs:
            size = 1  # no memory for several, or one of them spoils it: from here on each goes alone
        for number, (key, one) in enumerate(ready):
            try:
                output = outputs[number] if outputs else model.run(one, context)
                if output.finish == "cancelled":
                    raise Cancelled
                text = phrased(output.text, one)
                yield batch.run.record(key, text), (*output.notes, *_lacking(text, one))
            except StudioError as error:
                yield _failed(batch.run, key, error), ()


def _lacking(text: str, request: CaptionRequest) -> Notes:
    """That words are missing, or were said, without which ones: of a thousand captions each may lack another."""
    return tuple((f"{code}_somewhere", {}) for code, _ in held(text, request))


def _at_once(model: Loaded, requests: list[CaptionRequest], context: _Quiet) -> list[Output]:
    """All of them in one go; none where there is one only, or where that fails."""
    if len(requests) < 2:
        return []
    many: Any = model
    try:
        return many.run_many(requests, context)
    except Cancelled:
        raise
    except Exception as error:
        log.warning("%d pictures at once failed, each goes alone: %s", len(requests), error)
        return []


def _read(batch: Batch, request: CaptionRequest, key: str) -> CaptionRequest:
    limit = limits.MAX_IMAGE_BYTES_PUBLIC if batch.public else limits.MAX_IMAGE_BYTES
    one = replace(request, image=folder.read_picture(batch.run.root, key, limit))
    limits.check(one, batch.card, public=batch.public)
    return one


def _failed(run: Run, key: str, error: StudioError) -> Line:
    if error.code not in _OF_THE_PICTURE:
        raise error
    return run.fail(key, error)


class _Quiet(RunContext):
    """Tells of pictures, not of the words in them."""

    def step(self, done: int, total: int = 0) -> None:
        del done, total

    def text(self, delta: str) -> None:
        del delta
