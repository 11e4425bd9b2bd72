"""Studios in processes of their own, which can be killed; and what tests ask of two studios."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from serving import served, until

from studio.jobs.job import Job
from studio.request_parts import Message
from studio.requests import ChatRequest, Request
from studio.results import Artifact
from studio.service import Studio
from studio.settings import Settings

ROOT = Path(__file__).resolve().parents[3]


def ask(words: str = "Why is the sky blue?") -> ChatRequest:
    return ChatRequest(messages=(Message("user", words),), seed=1)


@contextmanager
def studio_with(home: Path, peers: str, **given: Any) -> Iterator[Studio]:
    """A studio that knows others."""
    fixed: dict[str, Any] = {"demo": True, "home": home, "device": "cpu", "keep_free_gb": 0, "_env_file": None}
    with Studio(Settings(**{**fixed, "peers": peers, **given})) as studio:
        studio.peers.ask()
        yield studio


def slowed(studio: Studio, **options: Any) -> None:
    """Its stand-ins take their time."""
    cards = {id: replace(card, options={**card.options, **options}) for id, card in studio.catalog.cards.items()}
    object.__setattr__(studio.catalog, "cards", MappingProxyType(cards))


def away(studio: Studio, model: str) -> None:
    """A model whose files are not on this machine."""
    card = studio.catalog.cards[model]
    card = replace(card, starter=False, source=replace(card.source, kind="hub", repo="a/b"))
    object.__setattr__(studio.catalog, "cards", MappingProxyType({**studio.catalog.cards, model: card}))


def warm(studio: Studio, *models: str) -> None:
    """Have models in memory."""
    for job in [studio.models.load(model) for model in models]:
        assert until(lambda job=job: job.done)


def made(studio: Studio, request: Request, **how: Any) -> tuple[Job, Artifact]:
    job = studio.submit(request, **how)
    return job, job.result()


# ---- studios that can be killed


class Peer:
    """A studio in a process of its own."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.pid = url, pid

    @property
    def name(self) -> str:
        return self.url.removeprefix("http://")

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # a test has done so
            os.kill(self.pid, signal.SIGKILL)

    def jobs(self) -> list[dict[str, Any]]:
        """Those that are not over."""
        found = httpx.get(f"{self.url}/v1/jobs", timeout=10).json()["data"]
        return [one for one in found if one["status"] not in ("done", "failed", "cancelled")]

    def busy(self, model: str) -> None:
        """Something of its own to do."""
        body = {"request": {"task": "chat", "messages": [{"role": "user", "content": "mine"}], "model": model}}
        assert httpx.post(f"{self.url}/v1/jobs", json=body, timeout=10).status_code == 202


class Nursery:
    """Makes such processes quickly: one that has imported everything makes copies of itself."""

    def __init__(self) -> None:
        line = [sys.executable, str(Path(__file__)), "nursery"]
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "unit")])
        environment = {**os.environ, "PYTHONPATH": path}
        self._process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=ROOT, text=True
        )

    def peer(self, home: Path, *models: str, **options: Any) -> Peer:
        """A new one, with `models` in memory and stand-ins with `options`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps({"home": str(home), "models": models, "options": options}), file=self._process.stdin, flush=True
        )
        told = json.loads(self._process.stdout.readline())
        return Peer(told["url"], told["pid"])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _serve(home: str, models: list[str], options: dict[str, Any]) -> None:
    parent = os.getppid()
    with served(Path(home)) as place:
        slowed(place.studio, **options)
        warm(place.studio, *models)
        place.http.get("/v1/models")
        print(json.dumps({"url": place.url, "pid": os.getpid()}), flush=True)
        while os.getppid() == parent:
            threading.Event().wait(0.2)
    os._exit(0)


def _nurse() -> None:
    import studio.api.app
    import studio.api.jobs  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        wish = json.loads(line)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _serve(**wish)


if __name__ == "__main__":
    _nurse()
