"""Host: a studio without a page that computes parts for others, and says how it stands. Knows nothing of Ray.

What comes in and goes out are bytes in the closed codec of studio.manager.backends.process.wire.
"""

from __future__ import annotations

import platform
import re
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.manager.backends.process import wire
from studio.paths import Home
from studio.requests import REQUESTS
from studio.results import Update
from studio.service import Studio
from studio.settings import load

ALIVE_SECONDS = 1.0
"""Seconds between two signs of life of a part of which nothing is new."""
SILENT_SECONDS = 60.0
"""Seconds after which whoever asked counts as gone, who asks every second how this stands."""
PIECE = 4 << 20
"""Bytes of an output that go into one message."""
ALIVE = b"".join(wire.pack({"alive": True}))
_ALONE: Mapping[str, Any] = {
    "profile": "local", "host": "127.0.0.1", "password": "", "api_key": "", "peers": "", "ray": False, "mcp": False,
    "max_queue": 1000, "max_jobs_per_session": 100, "detach_grace": 0.0, "longest_job": 0.0, "policy": "",
    "picture_check": None, "prepare": False, "open_browser": False,
}  # fmt: skip
"""Settings of every worker: whoever asks it has asked already whether that may be asked."""


def studio_for(given: dict[str, Any]) -> Studio:
    """The studio of a worker, with a home of its own below that of its machine, and the weights of all.

    Args:
        given: settings, and its name as "worker"; what is not there comes from the environment of its machine.
    """
    name = re.sub(r"[^\w.-]+", "-", str(given.get("worker", "")))[:60]
    asked = {key: value for key, value in given.items() if key != "worker" and value is not None}
    whole = load(**{**asked, **_ALONE})
    home = Home.at(whole.home)
    own = whole.model_copy(update={"home": home.root / "workers" / name, "models": whole.models or home.models})
    studio = Studio(own)
    studio.clear()
    return studio


class Host:
    """The worker's side of studio.manager.backends.ray.line.

    Args:
        studio: computes; closed by `close`.
        place: which machine this is, of all in the cluster.
        ahead: parts that wait here beside those at work, so that the next is there when one ends.
    """

    def __init__(self, studio: Studio, place: str = "", ahead: int = 1) -> None:
        self._studio, self._place, self._ahead = studio, place, ahead
        self._lock = threading.Lock()
        self._parts: dict[str, Job | None] = {}  # None: it waits for its model's files
        self._stopped: set[str] = set()
        self._heard: dict[str, float] = {}
        self._looking = threading.Lock()

    def state(self, asker: str) -> bytes:
        """How this stands; and `asker` lives."""
        self._heard[asker] = time.monotonic()
        with self._looking:
            standing = self._studio.standing
            told = {
                "place": self._place, "machine": platform.node(),
                "device": str(standing.device), "hardware": standing.device.name,
                "models": standing.models(), "most": standing.most() + self._ahead, "seconds": standing.seconds(),
            }  # fmt: skip
        return b"".join(wire.pack(told))

    def part(self, asker: str, message: bytes) -> Iterator[bytes]:
        """Compute a part: what is told on the way, its output in pieces, its end. It stops where nobody reads on."""
        self._heard.setdefault(asker, time.monotonic())
        id = ""
        try:
            id, request, previews = wire.unpack(message)
            if not isinstance(id, str) or not isinstance(request, tuple(REQUESTS.values())):
                raise StudioError("api_field", field="request", reason="is none")
            with self._lock:
                self._parts[id] = None
            for told in self._fetched(id, asker, request.model):
                yield self._told(id, told)
            if id in self._stopped:
                yield b"".join(wire.pack({"id": id, "status": "cancelled"}))
                return
            begun = self._studio.parts.begin(request, asker, previews=bool(previews))
            for told in self._followed(id, asker, begun.job):
                if told is None:
                    yield ALIVE
                    continue
                if told.final and (output := begun.output) is not None:
                    yield from pieces(b"".join(wire.pack(output)))
                yield self._told(id, told)
        except StudioError as error:
            yield b"".join(wire.pack({"id": id, "status": "failed", **_error(error)}))
        except ValueError as error:
            problem = StudioError("api_field", field="request", reason=str(error)[:200])
            yield b"".join(wire.pack({"id": id, "status": "failed", **_error(problem)}))
        finally:
            self._left(id)

    def stop(self, part: str) -> None:
        """Stop a part, which may be over."""
        with self._lock:
            job = self._parts.get(part)
            if part in self._parts:
                self._stopped.add(part)
        if job is not None:
            job.cancel()

    def skip(self, part: str) -> None:
        """Leave out the picture in work."""
        if (job := self._parts.get(part)) is not None:
            job.skip()

    def close(self) -> None:
        self._studio.close()

    # ---- a part

    def _fetched(self, id: str, asker: str, model: str) -> Iterator[Update]:
        """Until a model's files are here; they are fetched once, whoever waits for them. Raises StudioError."""
        card = self._studio.catalog.get(model)
        if card.starter or self._studio.store.state(card) == "ready":
            return
        job = self._studio.models.download(card.id, asker)
        for update in job.events(ALIVE_SECONDS):
            if id in self._stopped or self._silent(asker):
                return
            if update.final:
                break
            yield update
        self._studio.standing.look_again()
        if (ended := job.snapshot()).error is not None:
            raise ended.error

    def _followed(self, id: str, asker: str, job: Job) -> Iterator[Update | None]:
        """Updates until the last one; None where nothing is new."""
        with self._lock:
            self._parts[id] = job
        if id in self._stopped:
            job.cancel()
        seq = -1
        for update in job.events(ALIVE_SECONDS):
            if self._silent(asker):
                job.cancel()
            yield None if update.seq == seq and not update.final else update
            seq = update.seq

    def _left(self, id: str) -> None:
        with self._lock:
            job = self._parts.pop(id, None)
            self._stopped.discard(id)
        if job is not None and not job.done:
            job.cancel()

    def _silent(self, asker: str) -> bool:
        """Whether nothing was heard of who asked for so long that nobody will read what comes."""
        return time.monotonic() - self._heard.get(asker, 0.0) > SILENT_SECONDS

    def _told(self, id: str, update: Update) -> bytes:
        found: dict[str, Any] = {
            "id": id, "status": update.kind, "step": update.step, "steps": update.steps, "text": update.text,
            "fraction": update.fraction, "previews": dict(update.previews),
        }  # fmt: skip
        if update.error is not None:
            found |= _error(update.error)
        if update.artifact is not None:
            found["result"] = True
        return b"".join(wire.pack({name: value for name, value in found.items() if value not in (None, 0, "", {})}))


def pieces(output: bytes) -> Iterator[bytes]:
    """A packed output as messages, none of them large."""
    for at in range(0, len(output), PIECE):
        yield b"".join(wire.pack({"output": output[at : at + PIECE]}))


def _error(error: StudioError) -> dict[str, Any]:
    params = {name: value if isinstance(value, int | float) else str(value) for name, value in error.params.items()}
    return {"error": {"code": error.code, "params": params}}
