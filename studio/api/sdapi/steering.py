"""Progress, Stop, Skip and options, as AUTOMATIC1111 has them; each program sees and stops its own jobs alone."""

from __future__ import annotations

import base64
import math
from typing import Any

import anyio
from fastapi import APIRouter, Request

from studio.api import asking
from studio.api.problems import Reply
from studio.api.sdapi import naming
from studio.api.sdapi.state import OPTIONS, PREFIX, TAG, States
from studio.api.submitting import Desk
from studio.errors import StudioError
from studio.jobs.job import Job
from studio.results import Update


def routes(desk: Desk, states: States) -> APIRouter:
    router = APIRouter(prefix=PREFIX)

    @router.get("/progress")
    async def progress(http: Request, skip_current_image: bool = False) -> Reply:
        """How far it is, 0..1, and what can be seen of it."""
        who = desk.asker(http).session
        if not skip_current_image:
            states.looks(who)
        return Reply(told(_open(desk, who), picture=not skip_current_image))

    @router.post("/interrupt")
    async def interrupt(http: Request) -> dict[str, Any]:
        """Stop all of it. What is finished is kept."""
        for job in _open(desk, desk.asker(http).session):
            desk.stop(job)
        return {}

    @router.post("/skip")
    async def skip(http: Request) -> None:
        """Go on with the next picture."""
        for job in _open(desk, desk.asker(http).session)[:1]:
            job.skip()

    @router.get("/options")
    async def options(http: Request) -> Reply:
        who = desk.asker(http).session
        return Reply(await anyio.to_thread.run_sync(_options, desk, states.options(who)))

    @router.post("/options")
    async def set_options(body: dict[str, Any], http: Request) -> Reply:
        """Set some, for all that this program asks from now on."""
        known = {name: value for name, value in body.items() if name in OPTIONS}
        await anyio.to_thread.run_sync(_check, desk, known)
        states.set(desk.asker(http).session, known)
        return Reply(None, headers=asking.header([name for name in body if name not in OPTIONS]))

    @router.post("/unload-checkpoint")
    async def unload() -> dict[str, Any]:
        """Free the memory of models that paint and do nothing now. Not on a public studio."""
        await anyio.to_thread.run_sync(_unload, desk)
        return {}

    @router.post("/reload-checkpoint")
    async def reload(http: Request) -> dict[str, Any]:
        """Nothing: a model is loaded when it is asked for."""
        del http
        return {}

    for name in ("refresh-checkpoints", "refresh-loras", "refresh-vae", "refresh-embeddings"):
        router.post(f"/{name}", name=name)(refreshed)
    return router


async def refreshed() -> None:
    """Nothing: the lists are read anew each time."""


def told(jobs: list[Job], picture: bool = True) -> dict[str, Any]:
    """How jobs stand together, the first of them in work."""
    update = jobs[0].snapshot() if jobs else None
    share = _share(update)
    shown = update.previews[max(update.previews)] if update and update.previews and picture else b""
    state = {
        "skipped": False, "interrupted": bool(update and update.stopping), "stopping_generation": False,
        "job": jobs[0].id if jobs else "", "job_count": len(jobs), "job_timestamp": "0", "job_no": 0,
        "sampling_step": update.step if update else 0, "sampling_steps": update.steps if update else 0,
    }  # fmt: skip
    return {
        "progress": share, "eta_relative": (update.seconds_left or 0.0) if update else 0.0, "state": state,
        "current_image": base64.b64encode(shown).decode() or None, "textinfo": None,
    }  # fmt: skip


def _share(update: Update | None) -> float:
    """0..1; a job in work has begun."""
    if update is None:
        return 0.0
    if update.kind == "running" and update.steps:
        return min(max(update.step / update.steps, 0.01), 1.0)
    return 0.01


def _open(desk: Desk, who: str) -> list[Job]:
    """Somebody's jobs from here that are not over, those in work first."""
    jobs = [job for job in desk.studio.jobs(who) if not job.done and job.tag == TAG]
    return sorted(jobs, key=lambda job: job.kind != "running")


def _options(desk: Desk, given: dict[str, Any]) -> dict[str, Any]:
    cards = naming.here(desk)
    chosen = naming.find(desk, str(given.get("sd_model_checkpoint") or ""))
    try:
        card = desk.studio.catalog.get(chosen) if chosen else desk.studio.default_model("image")
    except StudioError:
        return {**OPTIONS, **given}
    return {**OPTIONS, **given, "sd_model_checkpoint": naming.title(card, cards)}


def _check(desk: Desk, options: dict[str, Any]) -> None:
    """Raises StudioError: wrong_type; unknown_model."""
    for name, value in options.items():
        usual = OPTIONS[name]
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not (number if isinstance(usual, int) else isinstance(value, str)):
            raise StudioError("wrong_type", field=name)
    naming.find(desk, options.get("sd_model_checkpoint") or "")


def _unload(desk: Desk) -> None:
    """Raises StudioError: not_for_public."""
    for card in naming.here(desk):
        desk.studio.models.unload(card.id)
