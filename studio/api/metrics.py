"""Figures for Prometheus, in its text format: what jobs there were and are, how long they took, what is in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import anyio
from fastapi import APIRouter
from starlette.responses import Response

from studio import __version__
from studio.api.submitting import Desk
from studio.jobs.tally import BOUNDS, Spread
from studio.service import Studio

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Kind = Literal["counter", "gauge", "histogram"]
Labels = Mapping[str, str]


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """All figures now."""
        return Response(await anyio.to_thread.run_sync(exposition, desk.studio), media_type=FORMAT)

    return router


def exposition(studio: Studio) -> str:
    """All figures of a studio."""
    tally, status = studio.queue.tally, studio.status()
    loads = studio.queue.pace.loads()
    waiting = [job for job in studio.jobs() if not job.done and job.kind != "running"]
    running = [job for job in studio.jobs() if job.kind == "running"]
    memory = [
        ({"device": str(one.device), "kind": kind}, float(value))
        for one in status.devices
        for kind, value in (("total", one.total), ("free", one.free), ("budget", one.budget), ("taken", one.charged),
                            ("parked", one.parked))
    ]  # fmt: skip
    families = [
        _family("atelier_info", "gauge", "The studio.", [({"version": __version__}, 1)]),
        _family("atelier_jobs_total", "counter", "Jobs that are over.",
                (({"task": task, "outcome": kind}, count) for (task, kind), count in tally.ends().items())),
        _spread("atelier_job_seconds", "How long jobs were at work.", tally.ran()),
        _spread("atelier_job_wait_seconds", "How long jobs waited, downloads and loads included.", tally.waited()),
        _family("atelier_tokens_total", "counter", "Tokens read and written.",
                (({"task": task, "kind": kind}, count) for (task, kind), count in tally.tokens().items())),
        _family("atelier_jobs_waiting", "gauge", "Jobs that wait.", [({}, len(waiting))]),
        _family("atelier_jobs_running", "gauge", "Jobs at work.", [({}, len(running))]),
        _family("atelier_model_loads_total", "counter", "How often a model was loaded.",
                (({"model": model}, count) for model, (count, _) in loads.items())),
        _family("atelier_model_load_seconds_total", "counter", "Seconds in which it was.",
                (({"model": model}, seconds) for model, (_, seconds) in loads.items())),
        _family("atelier_models_in_memory", "gauge", "Models in a device's memory.",
                (({"device": str(one.device)}, len(one.models)) for one in status.devices)),
        _family("atelier_memory_bytes", "gauge", "Memory of a device: all, free, for models, taken by them.", memory),
        _family("atelier_process_private_bytes", "gauge", "Memory of the studio's processes for themselves alone.",
                [({}, status.private)]),
    ]  # fmt: skip
    return "".join(families)


def _family(name: str, kind: Kind, help: str, samples: Iterable[tuple[Labels, float]]) -> str:
    return _head(name, kind, help) + "".join(_sample(name, labels, value) for labels, value in samples)


def _spread(name: str, help: str, found: Mapping[str, Spread]) -> str:
    lines = [_head(name, "histogram", help)]
    for task, spread in found.items():
        for bound, count in zip((*BOUNDS, math.inf), spread.within, strict=True):
            lines.append(_sample(f"{name}_bucket", {"task": task, "le": _number(bound)}, count))
        lines.append(_sample(f"{name}_sum", {"task": task}, spread.seconds))
        lines.append(_sample(f"{name}_count", {"task": task}, spread.within[-1]))
    return "".join(lines)


def _head(name: str, kind: Kind, help: str) -> str:
    return f"# HELP {name} {help}\n# TYPE {name} {kind}\n"


def _sample(name: str, labels: Labels, value: float) -> str:
    told = ",".join(f'{key}="{word.translate(_ESCAPES)}"' for key, word in labels.items())
    return f"{name}{{{told}}} {_number(value)}\n" if told else f"{name} {_number(value)}\n"


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else str(value)
