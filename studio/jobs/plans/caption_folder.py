"""A run's pictures through one loaded model, one after another or a few together.

A picture is read when it is its turn and forgotten after, so that a thousand take no more memory than one. Stop keeps
what is written; a picture that cannot be read is noted and left; anything else ends the run, which can be resumed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from studio.catalog.card import Card
from studio.engines.base import Loaded, TakesSeveral
from studio.errors import Cancelled, StudioError
from studio.jobs.context import RunContext
from studio.jobs.job import Job
from studio.jobs.plans.caption_choices import held
from studio.requests import CaptionRequest
from studio.results import Output
from studio.tasks import limits
from studio.tasks.caption import doubt, folder
from studio.tasks.caption.journal import Line
from studio.tasks.caption.run import Run
from studio.tasks.caption.styles import phrased

log = logging.getLogger("studio")

Notes = tuple[tuple[str, dict[str, Any]], ...]

_OF_THE_PICTURE = frozenset({
    "bad_image", "image_too_large", "file_too_large", "file_not_found", "no_picture", "caption_link",
    "caption_unreadable", "caption_too_large", "caption_not_text", "caption_empty", "picture_format", *doubt.STRANGE,
})  # fmt: skip
"""Errors that are one picture's fault; the next one may be fine."""


SLICE = 10.0
"""Seconds after which a run lets those go first who wait: a thousand pictures are no reason to close the studio."""


class Yielded(Exception):
    """Others wait; the run goes on behind them. Never shown."""


@dataclass(slots=True)
class Batch:
    """A run, and who it is done for.

    Attributes:
        tried: the pictures that this job has come to. notes: what the model noted so far.
    """

    run: Run = field(repr=False)
    card: Card
    public: bool = False
    tried: set[str] = field(default_factory=set)
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def caption(model: Loaded, job: Job) -> Output:
    """Caption every picture of the job's run that waits. Progress is pictures; the text is a line for each.

    Raises:
        Yielded: others wait; call it again later.
        StudioError: caption_run_busy, caption_rolled_back, a full disk; what is written stays.
    """
    batch, request = job.batch, job.request
    assert batch is not None
    assert isinstance(request, CaptionRequest)
    run, context, until = batch.run, _Quiet(job), time.monotonic() + SLICE
    with run.working():
        run.begin()
        waiting = [key for key in run.waiting() if key not in batch.tried]
        total = len(batch.tried) + len(waiting)
        job.move("running", step=len(batch.tried), steps=total)
        try:
            for line, new in _captions(model, batch, request, waiting, context):
                batch.notes += [note for note in new if note not in batch.notes]
                batch.tried.add(line.key)
                job.progress_step(len(batch.tried), total)
                job.add_text(f"{line.key}\t{line.state}\t{' '.join(line.after.split())}\n")
                if time.monotonic() > until and len(batch.tried) < total and job.crowded():
                    raise Yielded
        except Cancelled:
            pass
        whole = len(batch.tried) == total
        if whole:
            run.finish()
    notes = batch.notes
    if failed := run.counts().get("failed", 0):
        notes.append(("captions_failed", {"count": failed}))
    if unsure := sum(line is not None and line.unsure > 0 for line in run.lines()):
        notes.append(("captions_unsure", {"count": unsure}))
    if run.plan.passed:
        notes.append(("captions_passed", {"count": len(run.plan.passed)}))
    finish = "cancelled" if job.cancelled and not whole else "stop"
    return Output(finish=finish, stats={"pictures": float(len(batch.tried))}, notes=tuple(notes))


def together(model: Loaded, request: CaptionRequest) -> int:
    """How many pictures the model takes at once. What is drawn by chance is drawn one by one, so that it repeats."""
    return 1 if request.temperature or not isinstance(model, TakesSeveral) else max(1, int(model.together(request)))


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
                if (why := doubt.error(output.notes)) is not None:
                    raise why
                text, unsure = phrased(output.text, one), doubt.confidence(output.notes)
                told = tuple(note for note in output.notes if note[0] != doubt.UNSURE)
                yield batch.run.record(key, text, unsure), (*told, *_lacking(text, one))
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
