"""Jobs as programs see them: asked for in our own words, looked at, followed as they go on, and stopped.

Another studio asks for parts (studio.parts), whose output it fetches as the model made it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from studio.api.problems import Reply, body
from studio.api.streaming import ALIVE, EventStream, event
from studio.api.submitting import Desk, Handing, Work
from studio.errors import StudioError
from studio.jobs.job import Job
from studio.manager.backends.process import wire
from studio.manager.backends.remote import forms
from studio.results import Update

FETCH_SECONDS = 60.0
"""How long an output waits for the studio that asked for it."""


class JobBody(BaseModel):
    """A job, in the studio's own words.

    Attributes:
        request: its `task` and the fields of that task's class in studio.requests; files as ``{"base64": "…"}``.
        previews: show the work in progress.
        stream: answer with its events, and stop it where nobody reads them any more; else with what it is now.
        part: for another studio, which has `/v1/jobs/{id}/output` as long as it reads the events: nothing is kept here.
    """

    model_config = ConfigDict(extra="forbid")

    request: dict[str, Any]
    previews: bool = False
    stream: bool = False
    part: bool = False


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/jobs", response_class=Response)
    async def begin(said: JobBody, http: Request) -> Response:
        """Start a job of any task."""
        request = await anyio.to_thread.run_sync(forms.read_request, said.request)
        if said.part:
            work, handing = await desk.begin_part(http, request, previews=said.previews)
            return EventStream(_handing(desk, work, handing, http), work)
        work = await desk.begin(http, request, previews=said.previews)
        if said.stream:
            return EventStream(_events(desk, work, http), work)
        work.let_go()
        return Reply(_told(desk, work.jobs[0], http), 202)

    @router.get("/v1/jobs")
    async def jobs(http: Request) -> dict[str, Any]:
        """Those that wait, run, or ended lately; oldest first."""
        asker = desk.asker(http)
        found = desk.studio.jobs(None if asker.all else asker.session)
        return {"object": "list", "data": [_told(desk, job, http) for job in found]}

    @router.get("/v1/jobs/{id}")
    async def job(id: str, http: Request) -> dict[str, Any]:
        found = desk.job(http, id)
        return _told(desk, found, http)

    @router.delete("/v1/jobs/{id}")
    async def stop(id: str, http: Request) -> dict[str, Any]:
        """Stop one. What it has made so far is kept."""
        found = desk.job(http, id)
        desk.stop(found)
        return {"id": id, "object": "job", "stopping": not found.done}

    @router.post("/v1/jobs/{id}/skip")
    async def skip(id: str, http: Request) -> dict[str, Any]:
        """Leave out the picture in work."""
        found = desk.job(http, id)
        found.skip()
        return {"id": id, "object": "job"}

    @router.get("/v1/jobs/{id}/output", response_class=Response)
    async def output(id: str, http: Request) -> Response:
        """What the model made of a part, as the studio that asked for it reads it."""
        desk.job(http, id)
        handing = desk.handing.get(id)
        if handing is None or (made := handing.output) is None:
            raise StudioError("unknown_job")
        data = await anyio.to_thread.run_sync(lambda: b"".join(wire.pack(made)))
        handing.taken.set()
        return Response(data, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})

    @router.get("/v1/jobs/{id}/events")
    async def events(id: str, http: Request) -> EventStream:
        """All of it from the beginning, and what comes on the way to its end."""
        work = await desk.watch(http, id)
        return EventStream(_events(desk, work, http), work)

    return router


async def _events(desk: Desk, work: Work, http: Request) -> AsyncIterator[str]:
    async for found in work.updates():
        yield ALIVE if found is None else event(told(desk, found[1], http), found[1].kind)


async def _handing(desk: Desk, work: Work, handing: Handing, http: Request) -> AsyncIterator[str]:
    """As `_events`; behind the last the line stays open until the output was fetched."""
    async for said in _events(desk, work, http):
        yield said
    for _ in range(int(FETCH_SECONDS)):
        if handing.output is None or handing.taken.is_set():
            return
        try:
            async with asyncio.timeout(1.0):
                await handing.taken.wait()
        except TimeoutError:
            yield ALIVE


def _told(desk: Desk, job: Job, http: Request) -> dict[str, Any]:
    known = {"object": "job", "task": job.task, "model": job.model, "title": job.title, "created": int(job.created)}
    return {**known, **told(desk, job.snapshot(), http)}


def told(desk: Desk, update: Update, http: Request) -> dict[str, Any]:
    """An update as JSON: what is new to this reader, without what is empty."""
    artifact = update.artifact
    found: dict[str, Any] = {
        "id": update.job, "status": update.kind, "elapsed": round(update.elapsed, 3),
        "position": update.position, "step": update.step, "steps": update.steps,
        "bytes_done": update.bytes_done, "bytes_total": update.bytes_total, "fraction": update.fraction,
        "seconds_left": update.seconds_left, "held": update.held, "stopping": update.stopping, "text": update.text,
        "previews": {str(number): base64.b64encode(png).decode() for number, png in update.previews.items()},
    }  # fmt: skip
    if update.error is not None:
        found |= body(update.error, "jobs", http.headers.get("accept-language", ""))
    if artifact is not None:
        found["result"] = {
            "text": artifact.text, "texts": list(artifact.texts), "finish": artifact.finish,
            "files": desk.links.give(http, artifact.files), "seeds": [one.get("seed") for one in artifact.recipes],
            "stats": artifact.stats,
        }  # fmt: skip
    always = ("id", "status", "elapsed")
    return {name: value for name, value in found.items() if name in always or value not in (None, 0, "", {}, False)}
