"""A job: one request on its way to its result, watched by any number of readers.

A job keeps its whole state, and a reader gets the difference to what it saw last. So a slow page never holds up
the compute lane, a page that comes back sees everything from the start, and nothing grows with the number of
steps. What it does is its plan, which it holds and does not ask: the runner moves it from state to state.
"""

from __future__ import annotations

import io
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from studio.errors import Cancelled, StudioError
from studio.jobs.audio_stream import Live
from studio.policy import REFUSED
from studio.requests import Request, Task
from studio.results import PREVIEW_SECONDS, Artifact, Kind, Offer, Update

if TYPE_CHECKING:
    import numpy as np

    from studio.jobs.asked import Asked
    from studio.jobs.context import Plan

PREVIEW_PIXELS = 768
Place = tuple[int, float | None]


@dataclass(slots=True)
class _State:
    kind: Kind = "queued"
    step: int = 0
    steps: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_second: float = 0.0
    fraction: float | None = None
    seconds_left: float | None = None
    stopping: bool = False
    held: bool = False
    waits_until: float = 0.0
    noted: str = ""
    lent: float = 0.0
    artifact: Artifact | None = None
    error: StudioError | None = None
    offers: tuple[Offer, ...] = ()


class Job:
    """One piece of work.

    Args:
        task: the tab it belongs to, "download", or "load" where a model is only to be in memory.
        title: what people call it: the beginning of the prompt, or a model's name.
        model: the model's id. plan: what is done with it once it is loaded; None where that is all.
        session: who asked. tag: what the caller keeps with it, for example the conversation it answers.
        asked: how it is asked for once more; None where that cannot be done.
        position: tells how many jobs are in front while it waits, and in how many seconds it is let go.
        previews: whether the work in progress is to be seen or heard.
    """

    def __init__(
        self,
        task: Task | Literal["download", "load"],
        title: str,
        *,
        model: str = "",
        plan: Plan | None = None,
        session: str = "",
        tag: str = "",
        position: Callable[[Job], Place] = lambda _: (0, None),
        on_cancel: Callable[[Job], None] = lambda _: None,
        previews: bool = False,
        asked: Asked | None = None,
    ) -> None:
        self.id = secrets.token_hex(8)
        self.task, self.title, self.model, self.plan, self.session = task, title, model, plan, session
        self.created = time.time()
        self.asker = copy_context()  # of whoever asks, by which a card that is lent is paid for; gone when it is over
        self.tag, self.previews, self.asked = tag, previews, asked
        self._position, self._on_cancel = position, on_cancel
        self._started = time.monotonic()
        self._ended: float | None = None
        self._changed = threading.Condition()
        self._told: list[Callable[[], None]] = []
        self._state = _State()
        self._text: list[str] = []
        self.live: Live | None = None  # what can be heard of the work in progress
        self._previews: dict[int, tuple[int, bytes]] = {}  # picture -> (the how manieth preview, PNG)
        self._previewed = 0
        self._preview_time = 0.0
        self._cancelled, self._skip = threading.Event(), threading.Event()
        self._seq = 0
        self._clock: tuple[float, int] | None = None  # (when, at which step) the pace began
        self.began: float | None = None  # since when it runs, of time.monotonic()
        self.device = ""  # where it runs or waits, once that is known
        self.retried = False  # it ran out of memory once
        self.readers = 0  # pages and programs that watch now
        self.left = self._started  # when the last of them went away
        self.over: Callable[[Job], object] = lambda _: None  # told once that it is

    # ---- reading

    @property
    def request(self) -> Request | None:
        """What was asked for; None where no model is asked."""
        return self.plan.request if self.plan else None

    @property
    def requests(self) -> tuple[Request, ...]:
        """What the model is asked, one after another."""
        return self.plan.requests if self.plan else ()

    def events(self, heartbeat: float = 0.25) -> Iterator[Update]:
        """Updates until the final one, from wherever the job is now; text from its beginning.

        Between changes the current state is repeated every `heartbeat` seconds, so that whoever pumps this
        into a page is never far from noticing that the page is gone.
        """
        reader = self.reader()
        try:
            while True:
                update = reader.read(heartbeat)
                yield update
                if update.final:
                    return
        finally:
            reader.close()

    def reader(self, told: Callable[[], None] | None = None) -> Reader:
        """One more who watches, from the beginning; to be closed.

        Args:
            told: called at each change, on the thread that makes it and while the job is locked. It must return at
                once, ask the job nothing, and not raise.
        """
        return Reader(self, told)

    def snapshot(self) -> Update:
        """The state now, with the whole text."""
        with self._changed:
            return self._update("".join(self._text))

    def result(self) -> Artifact:
        """Wait for the end.

        Raises:
            StudioError: it failed. Cancelled: it was stopped with nothing to show.
        """
        *_, update = self.events(heartbeat=60)
        if update.error:
            raise update.error
        if update.artifact is None:
            raise Cancelled
        return update.artifact

    @property
    def kind(self) -> Kind:
        """The stage that it is in."""
        return self._state.kind

    @property
    def done(self) -> bool:
        return self._state.kind in ("done", "failed", "cancelled")

    @property
    def ran(self) -> float:
        """Seconds for which it was at work; 0 where it never was."""
        return (self._ended or time.monotonic()) - self.began if self.began is not None else 0.0

    @property
    def held(self) -> bool:
        """It is on hold."""
        return self._state.held

    @property
    def seconds_left(self) -> float | None:
        """As an update has it; without a lock, for another job that looks how long it waits."""
        return self._state.seconds_left

    @property
    def cancelled(self) -> bool:
        """Stop was pressed."""
        return self._cancelled.is_set()

    def _update(self, text: str, seen: int = 0) -> Update:
        """The state now; previews only after the first `seen` ones."""
        new = {number: data for number, (at, data) in sorted(self._previews.items()) if at > seen}
        state = self._state
        front, turn = self._position(self) if state.kind == "queued" else (0, None)
        return Update(
            self.id, self._seq, state.kind,
            elapsed=(self._ended or time.monotonic()) - self._started,
            position=front, turn=turn, step=state.step, steps=state.steps,
            bytes_done=state.bytes_done, bytes_total=state.bytes_total, bytes_per_second=state.bytes_per_second,
            fraction=state.fraction, seconds_left=state.seconds_left, noted=state.noted, lent=state.lent,
            text=text, previews=new, live=self.live is not None, stopping=state.stopping, held=state.held,
            wait=max(state.waits_until - time.monotonic(), 0.0) if state.kind == "downloading" else 0.0,
            artifact=state.artifact, error=state.error, offers=state.offers,
        )  # fmt: skip

    # ---- steering

    def cancel(self) -> None:
        """Stop. Returns at once; the step in flight may still finish."""
        with self._changed:
            if self.done or self._cancelled.is_set():
                return
            self._cancelled.set()
            self._set(stopping=True)
        self._on_cancel(self)

    def hold(self, on: bool) -> None:
        """Say that it is on hold, or goes on. Whoever lets it go sees to that (studio.jobs.runner)."""
        with self._changed:
            if not self.done and self._state.held != on:
                self._set(held=on)

    def skip(self) -> None:
        """Leave out the picture in work and go on with the next. Nothing where none is in work."""
        if self._state.kind == "running":
            self._skip.set()

    def skipped(self) -> bool:
        """Skip was pressed since the last call."""
        pressed = self._skip.is_set()
        self._skip.clear()
        return pressed

    # ---- moving on: for the service and the context of a run

    def move(self, kind: Kind, **fields: Any) -> None:
        """Enter a stage. A finished job stays finished."""
        with self._changed:
            if not self.done:
                self._set(kind=kind, **fields)

    def finish(
        self, kind: Literal["done", "failed", "cancelled"], artifact: Artifact | None = None,
        error: StudioError | None = None, offers: tuple[Offer, ...] = (),
    ) -> None:  # fmt: skip
        """The last state. Only the first call counts."""
        with self._changed:
            if self.done:
                return
            self._ended = time.monotonic()
            if self.live is not None:
                self.live.end()
                self.live = None  # who listens still has it, to the end
            self.plan = self.plan.light() if self.plan else None
            self.asker = Context()
            self.asked = self.asked.light() if self.asked else None
            self._previews.clear()
            if error is not None and error.code == REFUSED:
                self._text.clear()
            over: dict[str, Any] = {"seconds_left": None, "stopping": False, "held": False}
            self._set(kind=kind, artifact=artifact, error=error, offers=offers, **over)
        self.over(self)

    def progress_bytes(self, done: int, total: int) -> None:
        """Bytes of a download so far; `total` is 0 where unknown."""
        now = time.monotonic()
        with self._changed:
            if self._clock is None:
                self._clock = (now, done)
            since, first = self._clock
            rate = (done - first) / (now - since) if now - since > 0.5 else 0.0
            left = (total - done) / rate if rate > 0 and total else None
            self._set(kind="downloading", bytes_done=done, bytes_total=total, bytes_per_second=rate, seconds_left=left)

    def told(self, what: str, number: float) -> None:
        """What there is to say beside how far it is.

        Args:
            what: ``wait`` for so many seconds (a download), ``lent`` for as many of a card, or the name of a note.
        """
        said = {"wait": {"waits_until": time.monotonic() + number}, "lent": {"lent": number}}
        with self._changed:
            self._set(**said.get(what, {"noted": what}))

    def progress_step(self, done: int, total: int) -> None:
        """Steps of a run so far. The first step is left out of the pace: it warms things up."""
        now = time.monotonic()
        with self._changed:
            left = None
            if self._clock is None:
                self._clock = (now, done)
            elif total and done > self._clock[1]:
                left = (total - done) * (now - self._clock[0]) / (done - self._clock[1])
            self._set(kind="running", step=done, steps=total, seconds_left=left)

    def begin_run(self) -> None:
        """The model is there and works on this job now."""
        with self._changed:
            self._clock, self.began = None, time.monotonic()
            self._previews.clear()
        self._skip.clear()
        self.move("running", fraction=None, seconds_left=None, step=0, steps=0)

    def add_text(self, delta: str) -> None:
        with self._changed:
            self._text.append(delta)
            self._bump()

    def add_sound(self, samples: np.ndarray, rate: int) -> None:
        """Sound that comes next, (channels, frames)."""
        with self._changed:
            if self.live is None:
                self.live = Live(rate, samples.shape[0])
                self._bump()
            self.live.add(samples)

    def show(self, picture: Image.Image, number: int = 0, whole: bool = False) -> None:
        """Keep a preview of picture `number`, at most one every PREVIEW_SECONDS but for those that are `whole`."""
        now = time.monotonic()
        if now - self._preview_time < PREVIEW_SECONDS and not whole:
            return
        small = picture.copy()
        small.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
        buffer = io.BytesIO()
        small.save(buffer, "PNG", compress_level=1)
        with self._changed:
            self._previewed += 1
            self._previews[number], self._preview_time = (self._previewed, buffer.getvalue()), now
            self._bump()

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self._state, name, value)
        self._bump()

    def _bump(self) -> None:
        self._seq += 1
        self._changed.notify_all()
        for told in self._told:
            told()

    # ---- for its readers

    def arrive(self, told: Callable[[], None] | None) -> None:
        """One more watches."""
        with self._changed:
            self.readers += 1
            if told is not None:
                self._told.append(told)

    def leave(self, told: Callable[[], None] | None) -> None:
        """One watches no longer."""
        with self._changed:
            self.readers -= 1
            self.left = time.monotonic()
            if told is not None:
                self._told.remove(told)

    def since(self, seen: Seen, wait: float) -> tuple[Update, Seen]:
        """What is new to somebody who has seen so much, and what that makes. Waits `wait` seconds where it is
        nothing."""
        with self._changed:
            if self._seq == seen.seq and wait:
                self._changed.wait(wait)
            text = "".join(self._text[seen.text :])
            return self._update(text, seen.previews), Seen(self._seq, len(self._text), self._previewed)


@dataclass(frozen=True, slots=True)
class Seen:
    """How much of a job somebody has seen: the last change, pieces of text, previews."""

    seq: int = -1
    text: int = 0
    previews: int = 0


class Reader:
    """Somebody who watches a job, and is given what is new since the last look.

    Args:
        told: as Job.reader.
    """

    def __init__(self, job: Job, told: Callable[[], None] | None) -> None:
        self._job, self._told, self._seen = job, told, Seen()
        job.arrive(told)

    def read(self, wait: float = 0.0) -> Update:
        """The state now with the text that is new, at once or after at most `wait` seconds without a change."""
        update, self._seen = self._job.since(self._seen, wait)
        return update

    def close(self) -> None:
        """Watch no longer. Called once."""
        self._job.leave(self._told)
