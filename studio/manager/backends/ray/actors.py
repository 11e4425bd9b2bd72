"""Workers of the cluster by their names, and what is called on them; the only module here that imports Ray.

A worker is a named actor of the namespace ATELIER (studio.cluster.actor). What is said to it and what it says are bytes
in the closed codec of studio.manager.backends.process.wire: Ray hands bytes over as they are, so nothing that a worker
says of a job is unpickled. Its errors are values too. Who reaches the ports of the cluster runs code on its machines
all the same; docs/cluster.md says how they are kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from studio.manager.backends.process import wire

NAMESPACE = "atelier"
PREFIX = "worker "
"""Begins the names of the actors that are workers."""
ASKER = secrets.token_hex(8)
"""What this process is called by workers: they stop what was asked by one that is silent."""


class Gone(Exception):
    """A worker does not answer: it died, its machine did, or there is no cluster any more."""


def names() -> tuple[str, ...]:
    """The workers that there are, whether or not they answer now. Raises Gone."""
    ray = _ray()
    with _translated():
        found = ray.util.list_named_actors()
    return tuple(sorted(name.removeprefix(PREFIX) for name in found if name.startswith(PREFIX)))


def here() -> str:
    """Which machine of the cluster this is. Raises Gone."""
    ray = _ray()
    with _translated():
        return ray.get_runtime_context().get_node_id()


def handle(name: str) -> Any:
    """A worker by its name. Raises Gone."""
    ray = _ray()
    with _translated():
        return ray.get_actor(PREFIX + name, namespace=NAMESPACE)


def states(waiting: dict[str, Any], seconds: float) -> dict[str, dict[str, Any] | None]:
    """What the workers say of themselves, of those that answered by now; None where one cannot.

    Args:
        waiting: worker -> its answer on the way, from `ask_state`; those that came are taken out.
        seconds: how long the first is waited for.
    """
    ray = _ray()
    refs = {ref: name for name, ref in waiting.items()}
    if not refs:
        return {}
    with _translated():
        ready, _ = ray.wait(list(refs), num_returns=len(refs), timeout=seconds)
    found: dict[str, dict[str, Any] | None] = {}
    for ref in ready:
        name = refs[ref]
        del waiting[name]
        try:
            with _translated():
                found[name] = read(ray.get(ref))
        except (Gone, ValueError):
            found[name] = None
    return found


def ask_state(name: str) -> Any:
    """Ask a worker how it stands. Raises Gone."""
    worker = handle(name)
    with _translated():
        return worker.state.remote(ASKER)


def begin(name: str, message: bytes) -> Any:
    """Have a worker compute a part; what comes of it is read with `told`. Raises Gone."""
    worker = handle(name)
    with _translated():
        return worker.part.options(num_returns="streaming").remote(ASKER, message)


def told(part: Any) -> Iterator[bytes]:
    """What a worker tells of a part, as it comes. Raises Gone."""
    ray = _ray()
    with _translated():
        for ref in part:
            yield ray.get(ref)


def leave(part: Any) -> None:
    """Nobody reads any more what is told of a part: whatever comes late is dropped."""
    with suppress(Gone), _translated():
        _ray().cancel(part)


def tell(name: str, what: str, part: str) -> None:
    """Stop or skip a part. Nobody waits for it, and it may be lost."""
    with suppress(Gone), _translated():
        getattr(handle(name), what).remote(part)


def read(data: object) -> dict[str, Any]:
    """A message of a worker.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(data, bytes):
        raise ValueError("no bytes")
    (found,) = wire.unpack(data)
    if not isinstance(found, dict):
        raise ValueError("no message")
    return found


@contextmanager
def _translated() -> Iterator[None]:
    """Every error of Ray is Gone: what a worker itself has to say are values."""
    try:
        yield
    except _errors() as error:
        raise Gone(f"{type(error).__name__}: {str(error)[:200]}") from None


@cache
def _errors() -> tuple[type[BaseException], ...]:
    from ray.exceptions import RayError

    # what Ray raises where it was never started or is shut down, a name is nobody's, or its server is gone
    return (RayError, ConnectionError, ValueError, RuntimeError, TimeoutError, OSError)


def _ray() -> Any:
    import ray

    if not ray.is_initialized():
        raise Gone("there is no cluster")
    return ray
