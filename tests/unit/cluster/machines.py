"""A cluster of two machines on this one, as tests hold it; and what they do to its workers."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from waiting import until

from studio.cluster.node import Node
from studio.manager.backends.ray import actors
from studio.manager.backends.ray.workers import Workers
from studio.service import Studio
from studio.settings import Settings

STANDS_IN: dict[str, Any] = {"demo": True, "device": "cpu", "keep_free_gb": 0, "ray": True, "_env_file": None}


@dataclass
class Cluster:
    """One that runs, whose stand-ins take as long as `slow` says."""

    node: Node
    settings: Settings
    options: Path

    def slow(self, **options: Any) -> None:
        """Have the workers' stand-ins take their time, from the next job on."""
        self.options.write_text(json.dumps(options))

    def studio(self, home: Path, **given: Any) -> Studio:
        """A studio that computes on it, once both workers have answered."""
        found = Studio(Settings(**{**STANDS_IN, "home": home, "max_queue": 200, "max_jobs_per_session": 100, **given}))
        assert until(lambda: len(workers(found).known) >= 2, 60)
        return found


def workers(studio: Studio) -> Workers:
    assert studio.peers.workers is not None
    return studio.peers.workers


def pid(name: str) -> int:
    """The process of a worker, once it has one."""
    found: list[int] = []

    def there() -> bool:
        try:
            found.append(ray.get(actors.handle(name).pid.remote(), timeout=5))
        except Exception:  # it comes back just now
            return False
        return True

    assert until(there, 60)
    return found[-1]


def kill(name: str) -> None:
    os.kill(pid(name), signal.SIGKILL)
