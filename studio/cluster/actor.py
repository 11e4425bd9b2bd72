"""Actor: one worker of the cluster as Ray has it, a host in a process of its own. Importing it imports Ray.

What is called on it: studio.manager.backends.ray.actors.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import ray

if TYPE_CHECKING:
    from studio.cluster.host import Host

THREADS = 128
"""Calls that are answered at a time: parts, which wait for most of theirs, and short questions."""
remote: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=0, max_concurrency=THREADS)  # pyright: ignore[reportCallIssue]
"""Makes an actor of a class."""


class Calls:
    """One device of one machine.

    Args:
        settings: those of its studio, as JSON; what is not named there comes from the environment of its machine.
    """

    def __init__(self, settings: bytes) -> None:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        self._host = self._made(json.loads(settings), ray.get_runtime_context().get_node_id())

    def state(self, asker: str) -> bytes:
        return self._host.state(asker)

    def part(self, asker: str, message: bytes) -> Iterator[bytes]:
        yield from self._host.part(asker, message)

    def stop(self, part: str) -> None:
        self._host.stop(part)

    def skip(self, part: str) -> None:
        self._host.skip(part)

    def pid(self) -> int:
        return os.getpid()

    def close(self) -> None:
        """End: what runs stops, and memory is given back."""
        self._host.close()

    def _made(self, settings: dict[str, Any], place: str) -> Host:
        from studio.cluster.host import Host, studio_for

        return Host(studio_for(settings), place)


Worker = remote(Calls)


def make(name: str, settings: dict[str, Any], kind: Any = Worker, **options: Any) -> Any:
    """A worker, which lives as long as its maker's process, and comes back by itself where its own dies.

    Args:
        name: of the actor. kind: its class. options: of Ray.
    """
    return kind.options(name=name, **options).remote(json.dumps(settings).encode())
