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
from studio.jobs.context import PartContext, Plan, RunContext, Yielded
from studio.jobs.plans.caption_choices import held
from studio.requests import CaptionRequest
from studio.results import Output
from studio.tasks import limits
from studio.tasks.bounds import MAX_IMAGE_BYTES, MAX_IMAGE_BYTES_PUBLIC
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


@dataclass(frozen=True)
class CaptionFolder(Plan):
    """Captions for the pictures of a run that wait. Frozen but for what it remembers, to go on after it yielded.

    Attributes:
        request: how; it stands for all pictures and has none.
        pictures: the run.
        tried: the pictures that were come to. said: what the model noted so far.
    """

    request: CaptionRequest
    pictures: Run = field(repr=False)
    card: Card
    public: bool = False
    tried: set[str] = field(default_factory=set, repr=False)
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list, repr=False)

    @property
    def units(self) -> float:
        return 0  # it lets others go first, and counts its pictures by itself

    def run(self, model: Loaded, context: RunContext) -> Output:
        """Caption every picture that waits. Progress is pictures; the text is a line for each.

        Raises:
            Yielded: others wait; call it again later.
            StudioError: caption_run_busy, caption_rolled_back, a full disk; what is written stays.
        """
        run, inside, until = self.pictures, _Quiet(context), time.monotonic() + SLICE
        with run.working():
            run.begin()
            waiting = [key for key in run.waiting() if key not in self.tried]
            total = len(self.tried) + len(waiting)
            context.resume(len(self.tried), total)
            try:
                for line, new in _captions(model, self, waiting, inside):
                    self.said.extend(note for note in new if note not in self.said)
                    self.tried.add(line.key)
                    context.step(len(self.tried), total)
                    context.text(f"{line.key}\t{line.state}\t{' '.join(line.after.split())}\n")
                    if time.monotonic() > until and len(self.tried) < total and context.crowded():
                        raise Yielded
            except Cancelled:
                pass
            whole = len(self.tried) == total
            if whole:
                run.finish()
        notes = list(self.said)
        if failed := run.counts().get("failed", 0):
            notes.append(("captions_failed", {"count": failed}))
        if unsure := sum(line is not None and line.unsure > 0 for line in run.lines()):
            notes.append(("captions_unsure", {"count": unsure}))
        if run.plan.passed:
            notes.append(("captions_passed", {"count": len(run.plan.passed)}))
        finish = "cancelled" if context.cancelled and not whole else "stop"
        return Output(finish=finish, stats={"pictures": float(len(self.tried))}, notes=tuple(notes))


def together(model: Loaded, request: CaptionRequest) -> int:
    """How many pictures the model takes at once. What is drawn by chance is drawn one by one, so that it repeats."""
    return 1 if request.temperature or not isinstance(model, TakesSeveral) else max(1, int(model.together(request)))


def _captions(
    model: Loaded, plan: CaptionFolder, keys: Sequence[str], context: RunContext
) -> Iterator[tuple[Line, Notes]]:
    """The line of each picture, once it is written, and what the model noted.

    Raises:
        Cancelled: Stop was pressed; the picture in work is not written.
    """
    run, request = plan.pictures, plan.request
    size, left = together(model, request), list(keys)
    while left:
        ready: list[tuple[str, CaptionRequest]] = []
        while left and len(ready) < size:
            context.check()
            key = left.pop(0)
            try:
                ready.append((key, _read(plan, key)))
            except StudioError as error:
                yield _failed(run, key, error), ()
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
                yield run.record(key, text, unsure), (*told, *_lacking(text, one))
            except StudioError as error:
                yield _failed(run, key, error), ()


def _lacking(text: str, request: CaptionRequest) -> Notes:
    """That words are missing, or were said, without which ones: of a thousand captions each may lack another."""
    return tuple((f"{code}_somewhere", {}) for code, _ in held(text, request))


def _at_once(model: Loaded, requests: list[CaptionRequest], context: RunContext) -> list[Output]:
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


def _read(plan: CaptionFolder, key: str) -> CaptionRequest:
    limit = MAX_IMAGE_BYTES_PUBLIC if plan.public else MAX_IMAGE_BYTES
    one = replace(plan.request, image=folder.read_picture(plan.pictures.root, key, limit))
    limits.check(one, plan.card, public=plan.public)
    return one


def _failed(run: Run, key: str, error: StudioError) -> Line:
    if error.code not in _OF_THE_PICTURE:
        raise error
    return run.fail(key, error)


class _Quiet(PartContext):
    """Tells of pictures, not of the words in them."""

    def step(self, done: int, total: int = 0) -> None:
        del done, total
        self.alive()

    def text(self, delta: str) -> None:
        del delta
