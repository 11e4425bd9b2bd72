"""Jobs as a second program sees them: looked at, followed as they go on, and stopped."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request

from studio.api.problems import body
from studio.api.streaming import ALIVE, EventStream, event
from studio.api.submitting import Desk, Work
from studio.jobs.job import Job
from studio.results import Update


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

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

    @router.get("/v1/jobs/{id}/events")
    async def events(id: str, http: Request) -> EventStream:
        """All of it from the beginning, and what comes on the way to its end."""
        work = await desk.watch(http, id)
        return EventStream(_events(desk, work, http), work)

    return router


async def _events(desk: Desk, work: Work, http: Request) -> AsyncIterator[str]:
    async for found in work.updates():
        yield ALIVE if found is None else event(told(desk, found[1], http), found[1].kind)


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
        found |= body(update.error, "openai", http.headers.get("accept-language", ""))
    if artifact is not None:
        found["result"] = {
            "text": artifact.text, "texts": list(artifact.texts), "finish": artifact.finish,
            "files": desk.links.give(http, artifact.files), "seeds": [one.get("seed") for one in artifact.recipes],
            "stats": artifact.stats,
        }  # fmt: skip
    always = ("id", "status", "elapsed")
    return {name: value for name, value in found.items() if name in always or value not in (None, 0, "", {}, False)}
