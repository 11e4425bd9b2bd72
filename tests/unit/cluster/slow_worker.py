"""Workers whose stand-ins take as long as a file says, also after they were killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ray

from studio.cluster.actor import THREADS
from studio.cluster.host import Host
from studio.service import Studio

FILE = "SLOW_WORKER_FILE"


class SlowHost(Host):
    """A host that looks into the file before each part."""

    def __init__(self, studio: Studio, place: str) -> None:
        super().__init__(studio, place)
        self._known, self._cards, self._options = studio, studio.catalog.cards, ""

    def part(self, asker: str, message: bytes) -> Iterator[bytes]:
        options = Path(os.environ[FILE]).read_text()
        if options != self._options:
            self._options = options
            cards = {
                id: replace(card, options={**card.options, **json.loads(options)}) for id, card in self._cards.items()
            }
            object.__setattr__(self._known.catalog, "cards", MappingProxyType(cards))
            self._known.models.unload()
        yield from super().part(asker, message)


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, max_concurrency=THREADS)  # pyright: ignore[reportCallIssue]
class SlowWorker:
    """As studio.cluster.actor.Worker."""

    def __init__(self, settings: bytes) -> None:
        from studio.cluster.host import studio_for

        self._host = SlowHost(studio_for(json.loads(settings)), ray.get_runtime_context().get_node_id())

    def state(self, asker: str) -> bytes:
        return self._host.state(asker)

    def part(self, asker: str, message: bytes) -> Iterator[bytes]:
        yield from self._host.part(asker, message)

    def stop(self, part: str) -> None:
        self._host.stop(part)

    def skip(self, part: str) -> None:
        self._host.skip(part)

    def parts(self) -> int:
        """Jobs that it has to do."""
        return sum(not job.done for job in self._host._studio.jobs())

    def pid(self) -> int:
        return os.getpid()

    def close(self) -> None:
        self._host.close()


def make(name: str, settings: dict[str, Any], **options: Any) -> Any:
    return SlowWorker.options(name=name, **options).remote(json.dumps(settings).encode())  # pyright: ignore
