"""One request through a model of another studio, over whatever line leads there: followed to its output.

It is asked for as a part of a job (studio.parts): the model answers once, nothing is kept there, and what the plan of
the job makes of it is made here. Whoever leaves what is told on the way stops the part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from PIL import Image

from studio.engines.base import Context
from studio.errors import Cancelled, StudioError
from studio.manager.backends.process import wire
from studio.manager.backends.remote.outputs import checked
from studio.media.image import decode_image
from studio.requests import ImageRequest, Request
from studio.results import Output

STOP_SECONDS = 5.0
"""How long a part may go on after Stop, for what there is of it to be kept."""
MOST_OUTPUT = 1 << 30
"""Bytes of an output: pieces of music are floating point numbers."""
_PREVIEW_PIXELS = 1 << 22
_BEFORE = ("queued", "downloading", "loading")


@dataclass(frozen=True, slots=True)
class Asked:
    """What another studio is asked.

    Attributes:
        request: with its model as that studio calls it. previews: show the work in progress.
    """

    request: Request
    previews: bool


class Line(Protocol):
    """What leads to another studio."""

    @property
    def name(self) -> str:
        """What people know it by."""
        ...

    def follow(self, asked: Asked, look: Callable[[], None]) -> Iterator[Mapping[str, Any]]:
        """What is told of a part on its way, in the words of the API's jobs; previews as bytes of pictures.

        Args:
            look: called several times a second; where it raises, or whoever follows leaves, the part is stopped.

        Raises:
            StudioError: remote_gone, and what the line has beside. Whatever `look` raises.
        """
        ...

    def stop(self, part: str) -> None:
        """Stop a part. Returns at once, and does not raise."""
        ...

    def skip(self, part: str) -> None:
        """Leave out the picture in work. Returns at once, and does not raise."""
        ...

    def output(self, part: str) -> bytes | bytearray:
        """What a part made that has ended, packed. Raises StudioError."""
        ...

    def failure(self, told: Mapping[str, Any]) -> StudioError | None:
        """The error in what was told; None where there is none."""
        ...

    def nonsense(self) -> StudioError:
        """What it says cannot be understood."""
        ...


def run(line: Line, model: str, request: Request, context: Context) -> Output:
    """Have another studio answer one request.

    Args:
        model: what it calls the model; "" for the one that it would take by itself.

    Raises:
        Cancelled: stopped with nothing to keep. StudioError: as there; as the line says; remote_stopped, where somebody
            there stopped it.
    """
    following = _Following(line, context)
    asked = Asked(replace(settled(request), model=model), context.previews)
    try:
        for told in line.follow(asked, following.look):
            if following.hear(told):
                return _ended(line, following, told, request)
    except _GaveUp:
        return following.so_far()
    if following.stopped is not None:
        return following.so_far()
    raise StudioError("remote_gone", host=line.name)  # it closed before the end


def settled(request: Request) -> Request:
    """A request whose words are filled in already, so that nobody fills them in once more."""
    if not isinstance(request, ImageRequest):
        return request
    return replace(request, styles=(), prompts=request.prompts or (request.prompt,) * request.count)


class _GaveUp(Exception):
    """Stop was pressed, and nothing came of it there in time."""


class _Following:
    """What is heard of a part on its way, told on; and Stop and Skip taken there.

    Attributes:
        stopped: when Stop was passed on. skipped: Skip was.
    """

    def __init__(self, line: Line, context: Context) -> None:
        self._line, self._context = line, context
        self._job, self._said, self._before, self.skipped = "", "", False, False
        self.stopped: float | None = None

    @property
    def job(self) -> str:
        """What the part is called there."""
        return self._job

    def look(self) -> None:
        """Raises _GaveUp."""
        context = self._context
        context.alive()
        if self.stopped is None and context.cancelled:
            self.stopped = time.monotonic()
            if not self._job:  # whoever hangs up stops what has no name yet
                raise _GaveUp
            self._line.stop(self._job)
        if self.stopped is None and self._job and context.skipped():
            self.skipped = True
            self._line.skip(self._job)
        if self.stopped is not None and time.monotonic() - self.stopped > STOP_SECONDS:
            raise _GaveUp

    def hear(self, told: Mapping[str, Any]) -> bool:
        """One update; whether it was the last."""
        kind = told.get("status")
        if isinstance(id := told.get("id"), str) and id.isalnum() and len(id) <= 64:
            self._job = id
        self._stage(kind, told)
        steps, step = _whole(told.get("steps")), _whole(told.get("step"))
        if kind == "running" and step:
            self._context.step(step, steps)
        if isinstance(text := told.get("text"), str) and text and self.stopped is None:
            self._said += text
            self._context.text(text)
        previews = told.get("previews")
        if isinstance(previews, dict) and self._context.previews:
            for number, data in previews.items():
                self._context.preview(self._picture(data), _whole(number), whole=True)
        return kind in ("done", "failed", "cancelled")

    def _stage(self, kind: object, told: Mapping[str, Any]) -> None:
        """Waiting and loading there are loading here, where the context can tell that."""
        tell = getattr(self._context, "stage", None)
        if tell is None or (kind not in _BEFORE and not self._before):
            return
        self._before = kind in _BEFORE
        fraction = told.get("fraction")
        tell(self._before, min(max(float(fraction), 0.0), 1.0) if isinstance(fraction, int | float) else None)

    def _picture(self, data: object) -> Image.Image:
        try:
            if not isinstance(data, bytes):
                raise ValueError("no picture")
            return decode_image(data, _PREVIEW_PIXELS)
        except (ValueError, TypeError, StudioError):
            raise self._line.nonsense() from None

    def so_far(self) -> Output:
        """What there is after Stop. Raises Cancelled where that is nothing."""
        if not self._said:
            raise Cancelled
        return Output(text=self._said, finish="cancelled")


def _ended(line: Line, following: _Following, told: Mapping[str, Any], request: Request) -> Output:
    """What came of it. Raises StudioError, Cancelled."""
    if told["status"] == "failed":
        raise line.failure(told) or line.nonsense()
    if "result" not in told:
        if following.stopped is None and not following.skipped:
            raise StudioError("remote_stopped", host=line.name)
        return following.so_far()
    try:
        (output,) = wire.unpack(line.output(following.job))
        return checked(output, request)
    except ValueError:
        raise line.nonsense() from None


def _whole(value: object) -> int:
    """A small number, 0 for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 8:
        return int(value)
    return value if type(value) is int and 0 <= value < 10_000_000 else 0
