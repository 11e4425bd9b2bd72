"""From requests of programs to jobs and their ends, without a thread for each client.

What a program asks is an ordinary job of the studio: same queue, limits, recipes and library. It is stopped at once
when the program goes away. With an `Idempotency-Key` it is given some seconds to come back, and gets the same job then.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from starlette.requests import Request as Asked

from studio.api.admission import Asker
from studio.api.results import Links
from studio.errors import StudioError
from studio.jobs.job import Job, Reader
from studio.library.file_names import Keep
from studio.parts import Begun
from studio.requests import Request
from studio.results import Artifact, Output, Update
from studio.service import Studio

HEARTBEAT = 10.0
"""Seconds after which a stream says that it is still there."""
PACE, STEPS = 0.05, 5
"""Seconds between two looks at a job: what the sending of each token alone takes of the processor, the model lacks."""
GRACE = 15.0
"""Seconds for which a job with an Idempotency-Key waits for its program to come back; OpenAI's client takes up to 8."""
FLEETING = Keep(fleeting=True)
"""Words: the program has them, and nothing is written."""
_REMEMBERED = 256
_KEY_LETTERS = 255


class Gone(Exception):
    """Whoever asked went away: there is nobody to answer."""


class Desk:
    """Where the surfaces hand in what they were asked.

    Attributes:
        studio: for everything that is no job.
        links: addresses of files.
        handing: the parts of other studios' jobs, by their ids.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio, self.links = studio, Links()
        self._stopping = ThreadPoolExecutor(2, thread_name_prefix="api-stop")
        self._once: OrderedDict[tuple[str, str], _Once] = OrderedDict()
        self.handing: dict[str, Handing] = {}

    def asker(self, http: Asked) -> Asker:
        """Who sends a request."""
        return http.state.asker

    async def begin(
        self, http: Asked, *requests: Request, previews: bool = False, tag: str = "api", keep: Keep | None = None
    ) -> Work:
        """Start a job for each request.

        Args:
            http: what was sent; its Idempotency-Key counts.
            previews, tag, keep: as Studio.submit.

        Raises:
            StudioError: as Studio.submit, of the first that is refused: none is started then; api_another, where the
                Idempotency-Key came with another message before.
        """
        key = http.headers.get("idempotency-key", "")[:_KEY_LETTERS]
        start = partial(self._start, self.asker(http), requests, previews, tag, keep)
        if not key:
            return Work(self, await anyio.to_thread.run_sync(start))
        return Work(self, await self._known(http, key, start), lasting=True)

    async def begin_part(self, http: Asked, request: Request, *, previews: bool) -> tuple[Work, Handing]:
        """Start a part of a job of another studio, whose output is here as long as it listens.

        Raises:
            StudioError: as `begin`; part_remote.
        """
        start = partial(self._start_part, self.asker(http), request, previews)
        begun = await anyio.to_thread.run_sync(start)
        id = begun.job.id
        self.handing[id] = Handing(begun)
        return Work(self, (begun.job,), over=lambda: self.handing.pop(id, None)), self.handing[id]

    async def watch(self, http: Asked, id: str) -> Work:
        """Another one who looks at a job, which goes on when they leave.

        Raises:
            StudioError: unknown_job, also for another's.
        """
        return Work(self, (self.job(http, id),), steers=False)

    def job(self, http: Asked, id: str) -> Job:
        """A job by its id, for those who may see it. Raises StudioError: unknown_job."""
        asker = self.asker(http)
        return self.studio.job(id, None if asker.all else asker.session)

    def stop(self, job: Job) -> None:
        """Stop a job. Returns at once."""
        if not job.done:
            self._stopping.submit(job.cancel)

    def _start(
        self, asker: Asker, requests: Sequence[Request], previews: bool, tag: str, keep: Keep | None
    ) -> tuple[Job, ...]:
        self._require_few(asker, len(requests))
        begun: list[Job] = []
        try:
            for request in requests:
                self._here(request)
                begun.append(self.studio.submit(request, asker.session, tag, keep=keep, previews=previews))
        except BaseException:
            for job in begun:
                job.cancel()
            raise
        return tuple(begun)

    def _start_part(self, asker: Asker, request: Request, previews: bool) -> Begun:
        self._require_few(asker, 1)
        self._here(request)
        return self.studio.parts.begin(request, asker.session, previews=previews)

    def _require_few(self, asker: Asker, more: int) -> None:
        """Raises StudioError: too_many_jobs, where a key allows no more."""
        if asker.jobs:
            count = sum(not job.done for job in self.studio.jobs(asker.session))
            if count + more > asker.jobs:
                raise StudioError("too_many_jobs", count=count)

    def _here(self, request: Request) -> None:
        """A program that mistypes a name, or tries all that are listed, is not to fetch gigabytes.

        Raises:
            StudioError: unknown_model; api_not_here.
        """
        if not request.model:
            return
        card = self.studio.catalog.get(request.model)
        if not (card.starter or self.studio.store.state(card) == "ready" or self.studio.peers.having(card)):
            raise StudioError("api_not_here", model=card.title, id=card.base)

    async def _known(self, http: Asked, key: str, start: partial[tuple[Job, ...]]) -> tuple[Job, ...]:
        """The jobs of a key that was said before, or new ones."""
        name, message = (self.asker(http).session, key), f"{http.url.path} {http.state.sha256}"
        before = self._once.get(name)
        if before is not None:
            if before.message != message:
                raise StudioError("api_another")
            jobs = await asyncio.shield(before.jobs)
            if not any(job.cancelled or job.kind == "failed" for job in jobs):
                return jobs
        once = self._once[name] = _Once(message, asyncio.ensure_future(anyio.to_thread.run_sync(start)))
        self._once.move_to_end(name)
        while len(self._once) > _REMEMBERED:
            self._once.popitem(last=False)
        try:
            return await asyncio.shield(once.jobs)
        except StudioError:
            self._once.pop(name, None)  # nothing runs: the next try is a new one
            raise


@dataclass(slots=True)
class _Once:
    message: str
    jobs: asyncio.Future[tuple[Job, ...]]


@dataclass(slots=True)
class _Watched:
    """One job with what its reader has seen."""

    job: Job
    reader: Reader
    ended: bool = False


class Work:
    """Jobs that one client waits for, watched on the event loop.

    Args:
        lasting: they are given GRACE when the client goes; else they stop at once.
        steers: False where they go on whoever goes.
        over: called once nobody waits any more.
    """

    def __init__(
        self, desk: Desk, jobs: tuple[Job, ...], *, lasting: bool = False, steers: bool = True,
        over: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        self._desk, self.jobs, self._lasting, self._steers, self._over_now = desk, jobs, lasting, steers, over
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._pending = False
        self._left = False
        self._watched = [_Watched(job, job.reader(self._told)) for job in jobs]

    def _told(self) -> None:
        """On the thread that changed a job: wake the loop, once for all changes until it looks."""
        if not self._pending:
            self._pending = True
            with suppress(RuntimeError):  # the loop has ended, and with it everybody who listened
                self._loop.call_soon_threadsafe(self._changed.set)

    async def updates(self, heartbeat: float = HEARTBEAT) -> AsyncIterator[tuple[int, Update] | None]:
        """Which job, and what is new of it, until all have ended. None after `heartbeat` seconds without a change.

        Whoever asks for them calls `leave` at the end, as `ended` and studio.api.streaming.EventStream do.
        """
        while True:
            self._changed.clear()
            self._pending = False
            for number, one in enumerate(self._watched):
                if not one.ended:
                    update = one.reader.read()
                    one.ended = update.final
                    yield number, update
            if all(one.ended for one in self._watched):
                return
            for _ in range(STEPS):  # the end is not kept waiting
                if not all(job.done for job in self.jobs):
                    await asyncio.sleep(PACE / STEPS)
            try:
                async with asyncio.timeout(heartbeat):
                    await self._changed.wait()
            except TimeoutError:
                yield None

    async def ended(self, http: Asked) -> tuple[Artifact, ...]:
        """Wait for all of them.

        Raises:
            StudioError: of the first that failed; api_stopped where somebody stopped it.
            Gone: whoever asked went away, and the jobs are stopped.
        """
        await self.while_there(http, self._over())
        return self.made()

    async def _over(self) -> None:
        async for _ in self.updates(3600):
            pass

    async def while_there(self, http: Asked, waiting: Coroutine[Any, Any, None]) -> None:
        """Wait for something as long as whoever asked is there, and leave.

        Raises:
            Gone: they went away. Whatever `waiting` raises.
        """
        gone, task = asyncio.ensure_future(_gone(http)), asyncio.ensure_future(waiting)
        try:
            await asyncio.wait((gone, task), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Gone
            task.result()
        finally:
            gone.cancel()
            task.cancel()
            self.leave()

    def made(self) -> tuple[Artifact, ...]:
        """What came of all of them, once they have ended. Raises StudioError as `ended`."""
        return tuple(artifact(job.snapshot()) for job in self.jobs)

    def let_go(self) -> None:
        """They go on, whoever looks."""
        self._steers = False
        self.leave()

    def leave(self) -> None:
        """Nobody waits any more. The second call does nothing."""
        if self._left:
            return
        self._left = True
        self._over_now()
        for one in self._watched:
            one.reader.close()
            if not self._steers or one.job.done:
                continue
            if self._lasting:
                self._loop.call_later(GRACE, self._forsaken, one.job)
            else:
                self._desk.stop(one.job)

    def _forsaken(self, job: Job) -> None:
        """The time to come back is over."""
        if not job.readers:
            self._desk.stop(job)


class Handing:
    """The output of a part, until the studio that asked for it has it.

    Attributes:
        taken: it was fetched.
    """

    def __init__(self, begun: Begun) -> None:
        self._begun, self.taken = begun, asyncio.Event()

    @property
    def output(self) -> Output | None:
        """What came of it, once it is over; None where that is nothing."""
        return self._begun.output


def artifact(update: Update) -> Artifact:
    """What came of a job that has ended.

    Raises:
        StudioError: why nothing did; api_stopped where somebody stopped it.
    """
    if update.error:
        raise update.error
    if update.artifact is None:
        raise StudioError("api_stopped")
    return update.artifact


async def _gone(http: Asked) -> None:
    """Until whoever sent a request has hung up."""
    while (await http.receive())["type"] != "http.disconnect":
        pass
