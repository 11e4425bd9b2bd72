"""Board: the queue as people see and steer it; the open jobs in their order, those that are over, those from before.

A session sees its own and steers its own. What others have in front of it counts, and is not shown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Protocol, cast

from studio.errors import StudioError
from studio.jobs import failures
from studio.jobs.asked import LATER, Asked
from studio.jobs.durable import Earlier
from studio.jobs.job import Job
from studio.jobs.line import Entry, Move
from studio.jobs.runner import Runner
from studio.jobs.wishes import DEVICES, PROCESSOR
from studio.library.chats import Chats
from studio.library.file_names import Keep
from studio.request_parts import Axis
from studio.requests import CaptionRequest, ChatRequest, ImageRequest, Request
from studio.tasks.caption.run import Run
from studio.tasks.caption.runs import Desk
from studio.tasks.chat.conversation import Chat

MOST_OVER = 12
"""Jobs that are over and still shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """A job as the queue shows it.

    Attributes:
        front: how many jobs are in front of it. front_seconds: about how long these take; None where nobody knows.
        left_seconds: about how long it runs from now on, for one at work; None where nobody knows.
        saved: about how many seconds of loading are saved because it goes first; 0 where it does not.
        waits: it has a place in the line, which can be changed. again: it can be asked for once more.
        newest: no later job of the same session is of its task.
    """

    job: Job
    front: int = 0
    front_seconds: float | None = None
    left_seconds: float | None = None
    saved: float = 0.0
    waits: bool = False
    again: bool = False
    newest: bool = False


class Asks(Protocol):
    """Who starts jobs (studio.service.Studio)."""

    chats: Chats
    captions: Desk

    def submit(
        self, request: Request, session: str = "", tag: str = "", *, keep: Keep | None = None, previews: bool = False
    ) -> Job: ...

    def submit_grid(
        self, base: ImageRequest, x: Axis | None, y: Axis | None, session: str = "", tag: str = "", *,
        z: Axis | None = None, series: str = "", keep: Keep | None = None, previews: bool = False,
        painted: tuple[str, ...] = (),
    ) -> Job: ...  # fmt: skip

    def caption_all(self, run: Run, request: CaptionRequest, session: str = "") -> Job: ...

    def say(
        self, chat: Chat, settings: ChatRequest, session: str = "", chats: Chats | None = None, *, seen: str = ""
    ) -> Job: ...


class Board:
    """The queue of one studio. In all methods a `session` of None may see and steer everything.

    Attributes:
        tally: of the jobs that are over.
        pace: how long things take.
    """

    def __init__(self, runner: Runner, asks: Asks) -> None:
        self._runner, self._asks = runner, asks
        self.tally, self.pace = runner.register.tally, runner.pace
        self._lock = threading.Lock()
        self._earlier: dict[str, Earlier] = {}

    # ---- looking

    def rows(self, session: str | None) -> tuple[Row, ...]:
        """The open jobs: those at work, and those that wait in the order in which they will go, as far as is known."""
        jobs = {job.id: job for job in self._runner.register.jobs() if not job.done}
        order = [entry for entry in self._runner.turns.order() if entry.id in jobs]
        waits = {entry.id for entry in order}
        fronts = self._fronts(order, jobs)
        at_work = [Row(job, left_seconds=self._left(job)) for job in jobs.values() if job.id not in waits]
        rows = at_work + [
            Row(jobs[entry.id], self._runner.turns.ahead(entry.id), fronts.get(entry.id), saved=entry.saved, waits=True)
            for entry in order
        ]
        return tuple(row for row in rows if session is None or row.job.session == session)

    def position(self, job: Job) -> tuple[int, float | None]:
        """How many jobs are in front of one that waits, and in about how many seconds it is let go."""
        jobs = {one.id: one for one in self._runner.register.jobs() if not one.done}
        order = [entry for entry in self._runner.turns.order() if entry.id in jobs]
        return self._runner.turns.ahead(job.id), self._fronts(order, jobs).get(job.id)

    def over(self, session: str | None) -> tuple[Row, ...]:
        """Those that have ended, the newest first."""
        seen = set[tuple[str, str]]()
        found: list[Row] = []
        for job in reversed(self._runner.register.jobs()):
            newest = job.tag != LATER and (job.session, job.task) not in seen
            seen |= {(job.session, job.task)} if newest else set()
            if job.done and job.asked is not None and _kept(job.asked) and (session is None or job.session == session):
                found.append(Row(job, again=self._can_again(job.asked), newest=newest))
        return tuple(found[:MOST_OVER])

    def earlier(self) -> tuple[Earlier, ...]:
        """The jobs of studios that are no more, which wait for somebody to say whether they go on."""
        with self._lock:
            return tuple(self._earlier.values())

    # ---- steering

    def move(self, id: str, session: str | None, how: Move) -> bool:
        """Put a job elsewhere among those of its session; False where nothing changed. Raises StudioError: no such."""
        moved = self._runner.turns.move(self._job(id, session).id, how)
        self._remember()
        return moved

    def hold(self, id: str, session: str | None, on: bool) -> None:
        """Put a job on hold, or let it go on.

        Raises:
            StudioError: no such job; queue_at_work, where it has begun.
        """
        self._runner.hold(self._job(id, session), on)
        self._remember()

    def cancel(self, id: str, session: str | None) -> None:
        """Stop a job, or take it out of the line. Raises StudioError: no such job."""
        self._job(id, session).cancel()

    def repeat(self, id: str, session: str | None, who: str) -> Job:
        """Ask for the same once more, for `who`.

        Raises:
            StudioError: no such job; queue_unreadable, where what it was asked is not here any more; as submit.
        """
        job = self._job(id, session)
        asked, durable = job.asked, self._runner.durable
        if asked is not None and asked.bare:
            asked = durable.asked(id) if durable is not None else None
        if asked is None or not asked.again:
            raise StudioError("queue_unreadable")
        return self._ask(replace(asked, painted=()), who)

    # ---- after a restart

    def recover(self, living: Collection[str]) -> None:
        """Take over what dead studios left. For a start, before anything is asked for.

        Args:
            living: ids of the studios that are at the same home.
        """
        if self._runner.durable is not None:
            found = self._runner.durable.take_over(living)
            with self._lock:
                self._earlier = {one.id: one for one in found}

    def go_on(self, ids: Iterable[str], who: str) -> None:
        """Ask once more for jobs from before, in this order, for `who`.

        Raises:
            StudioError: queue_unreadable; as submit. Those behind it are still there.
        """
        durable = self._runner.durable
        for id in ids:
            with self._lock:
                one = self._earlier.pop(id, None)  # nobody asks for it twice
            if one is None or durable is None:
                continue
            try:
                with durable.going_on(id):
                    self._ask(durable.asked(id), who)
            except Exception as error:  # of a file that somebody changed, whatever its fields make of it
                with self._lock:
                    self._earlier = {id: one, **self._earlier}
                if isinstance(error, StudioError):
                    raise
                raise failures.internal(error) from error

    def drop(self, ids: Iterable[str]) -> None:
        """Jobs from before are not wanted."""
        for id in ids:
            with self._lock:
                one = self._earlier.pop(id, None)
            if one is not None and self._runner.durable is not None:
                self._runner.durable.forget(id)

    # ---- within

    def _job(self, id: str, session: str | None) -> Job:
        job = self._runner.register.job(id)
        if session is not None and job.session != session:
            raise StudioError("unknown_job")
        return job

    def _remember(self) -> None:
        if (durable := self._runner.durable) is not None:
            order = self._runner.turns.order()
            earlier = self.earlier()
            held = [entry.id for entry in order if entry.held] + [one.id for one in earlier if one.held]
            durable.ordered([*(one.id for one in earlier), *(entry.id for entry in order)], held)

    def _can_again(self, asked: Asked) -> bool:
        return asked.again and (not asked.bare or self._runner.durable is not None)

    def _ask(self, asked: Asked, who: str) -> Job:
        asks, request, axes = self._asks, asked.request, asked.axes
        match asked.how, request.task:
            case "grid", "image" if any(axes) or asked.series:
                x, y, z = (*axes, None, None, None)[:3]
                base, keep = cast(ImageRequest, request), asked.keep
                return asks.submit_grid(
                    base, x, y, who, asked.tag, z=z, series=asked.series, keep=keep, previews=asked.previews,
                    painted=asked.painted,
                )  # fmt: skip
            case "captions", "caption":
                return asks.caption_all(asks.captions.open(asked.tag), cast(CaptionRequest, request), who)
            case "chat", "chat":
                chat = asks.chats.load(asked.tag)
                if not chat.messages or chat.messages[-1].role != "user":
                    raise StudioError("chat_changed")
                return asks.say(chat, cast(ChatRequest, request), who, seen=chat.mark)
            case "request", _:
                return asks.submit(request, who, asked.tag, keep=asked.keep, previews=asked.previews)
        raise StudioError("queue_unreadable")

    def _fronts(self, order: Iterable[Entry], jobs: dict[str, Job]) -> dict[str, float | None]:
        """About how many seconds pass until each of those that wait is let go."""
        fronts: dict[str, float | None] = {}
        for lane in (DEVICES, PROCESSOR):
            working = [jobs[id] for id in self._runner.turns.working(lane) if id in jobs]
            lefts = [self._left(job) for job in working]
            sofar = max((left for left in lefts if left is not None), default=0.0) if None not in lefts else None
            last = working[-1].model if working else ""
            for entry in order:
                if entry.lane != lane or entry.held:
                    continue
                fronts[entry.id] = sofar
                load = 0.0 if entry.model == last else self._runner.pace.load(entry.model)
                known = sofar is not None and entry.seconds is not None and load is not None
                sofar = (sofar or 0) + (load or 0) + (entry.seconds or 0) / entry.most if known else None
                last = entry.model
        return fronts

    def _left(self, job: Job) -> float | None:
        """About how long a job at work still takes."""
        if job.seconds_left is not None or job.kind == "downloading":
            return job.seconds_left
        whole = self._runner.pace.run(job.model, job.task, job.plan.units) if job.plan is not None else 0.0
        if job.kind == "running" and job.began is not None:
            return max(whole - (time.monotonic() - job.began), 0.0) if whole is not None else None
        load = self._runner.pace.load(job.model)
        return whole + load if whole is not None and load is not None else None


def _kept(asked: Asked) -> bool:
    """Whether it left something to come back to: the prompt of a model, shown as it reads it, is not one."""
    return not getattr(asked.request, "only_prompt", False)
