"""Node: this machine's part of the cluster; Ray started here or joined, and a worker for each device.

What is started here can be reached from this machine alone, unless STUDIO_RAY_HOST says at which address others join.
Whoever reaches the ports of a cluster and knows its token runs code on every machine of it (docs/cluster.md).
"""

from __future__ import annotations

import logging
import os
import platform
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self

from studio.devices.detect import detect, physical_cores
from studio.devices.device import Device
from studio.errors import StudioError
from studio.manager.backends.ray import actors
from studio.settings import ROOT, Settings, is_loopback

log = logging.getLogger("studio.cluster")

ROOM = "atelier"
"""The resource of Ray of which a machine has one for each worker that it has room for."""
STORE_BYTES = 256_000_000
"""Memory for what is on its way between machines; pieces of it are small."""
CLOSE_SECONDS = 10.0
_HERS = ("models", "demo", "offline", "threads", "memory_gb", "reserve_gb", "keep_alive", "park_alive", "isolate")
"""Settings that a worker has from whoever makes it on the same machine."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A worker that is to be: its name, the device, and its share of the processor."""

    name: str
    device: Device
    threads: int


def plans(settings: Settings, machine: str) -> tuple[Plan, ...]:
    """The workers of this machine: as many as the settings say, else one for each device."""
    devices = detect(settings.device)
    count = len(devices) if settings.ray_workers < 0 else settings.ray_workers
    each = max((settings.threads or physical_cores()) // max(count, 1), 1)
    found: list[Plan] = []
    for number in range(count):
        device = devices[number % len(devices)]
        again = number // len(devices)
        found.append(Plan(f"{machine} {device}" + (f" {again + 1}" if again else ""), device, each))
    return tuple(found)


def settings_for(settings: Settings, plan: Plan) -> dict[str, Any]:
    """What a worker of this machine is given; paths as text."""
    given = {name: getattr(settings, name) for name in _HERS}
    home = settings.home
    models = settings.models or (None if home is None else home / "models")
    return given | {
        "home": None if home is None else str(home), "models": None if models is None else str(models),
        "device": "cpu" if plan.device.kind == "cpu" else "auto", "threads": plan.threads, "worker": plan.name,
        "keep_free_gb": settings.keep_free_gb,
    }  # fmt: skip


class Node:
    """This machine in a cluster, until `close`.

    Attributes:
        address: where others may join.
    """

    def __init__(self, settings: Settings, address: str, part: Any = None) -> None:
        self.settings, self.address, self._part = settings, address, part
        self._workers: dict[str, Any] = {}
        self._open = True

    @classmethod
    def join(cls, settings: Settings, address: str) -> Self:
        """Bring this machine's devices into a cluster that is elsewhere: its own part of Ray, and its workers.

        Raises:
            StudioError: ray_missing, ray_unreachable.
        """
        _prepare()
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # which Ray reads when it is imported
        ray = require_ray()
        if is_loopback(address.rpartition(":")[0]):
            _listen_here()
        mark = f"{ROOM}-{secrets.token_hex(4)}"
        try:
            made = plans(settings, platform.node())
            part = part_of(address, made, mark)
            ray.init(address=address, namespace=actors.NAMESPACE, log_to_driver=False, configure_logging=False)
        except Exception as error:  # many classes of Ray's own, and of gRPC
            ray.shutdown()
            raise StudioError("ray_unreachable", address=address, reason=_line(error)) from error
        node = cls(settings, address, part)
        taken = set(actors.names())
        for plan in made:
            node.make(replace(plan, name=_free(plan.name, taken)), resources={mark: 1.0})
        return node

    @property
    def lives(self) -> bool:
        """Whether the cluster is there."""
        import ray

        try:
            actors.names()
        except actors.Gone:
            return False
        return ray.is_initialized() and (self._part is None or not self._part.dead_processes())

    @classmethod
    def start(cls, settings: Settings) -> Self:
        """Join RAY_ADDRESS, else start a cluster here; with the workers of this machine.

        Raises:
            StudioError: ray_missing, ray_unreachable, ray_not_started.
        """
        _prepare()
        ray = require_ray()
        address = os.environ.get("RAY_ADDRESS", "")
        common: dict[str, Any] = {
            "namespace": actors.NAMESPACE, "log_to_driver": False, "configure_logging": False,
        }  # fmt: skip
        made = plans(settings, platform.node())
        try:
            if address:
                ray.init(address=address, **common)
            else:
                _keep_here(settings)
                gpus = sum(plan.device.kind == "cuda" for plan in made)
                ray.init(
                    include_dashboard=False, num_cpus=max(len(made), 1), num_gpus=gpus,
                    resources={ROOM: float(len(made) + settings.ray_max)},
                    object_store_memory=STORE_BYTES, **common,
                    **({"_node_ip_address": settings.ray_host} if settings.ray_host else {}),
                )  # fmt: skip
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            ray.shutdown()
            if address:
                raise StudioError("ray_unreachable", address=address, reason=_line(error)) from error
            raise StudioError("ray_not_started", reason=_line(error)) from error
        node = cls(settings, ray.get_runtime_context().gcs_address)
        here = ray.get_runtime_context().get_node_id()
        if not address:
            for plan in made:
                node.make(plan, node_id=here)
        return node

    def make(self, plan: Plan, node_id: str = "", **options: Any) -> None:
        """Have a worker made; it is used once it answers."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from studio.cluster import actor

        where = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node_id, soft=False)} if node_id else {}
        resources = {ROOM: 1.0, **options.pop("resources", {})}
        self._workers[plan.name] = actor.make(
            actors.PREFIX + plan.name, settings_for(self.settings, plan), resources=resources,
            num_gpus=1 if plan.device.kind == "cuda" else 0, **where, **options,
        )  # fmt: skip

    def given(self) -> dict[str, Any]:
        """What a worker is given that may come to be anywhere: nothing of the folders of this machine."""
        elsewhere = ("models", "threads", "memory_gb", "reserve_gb")
        return {name: getattr(self.settings, name) for name in _HERS if name not in elsewhere}

    def grow(self, name: str, given: dict[str, Any], gpus: float) -> None:
        """Have one more worker made, wherever the cluster has room; Ray's autoscaler adds a machine where none has."""
        from studio.cluster import actor

        options = {"resources": {ROOM: 1.0}, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}
        whole = {**given, "device": "auto" if gpus else "cpu", "worker": name}
        self._workers[name] = actor.make(actors.PREFIX + name, whole, **options)

    def end(self, name: str) -> None:
        """Take a worker away that was made here, in order."""
        import ray

        worker = self._workers.pop(name, None)
        if worker is None:
            return
        with suppress(Exception):  # it may be gone, or never have come
            ray.get(worker.close.remote(), timeout=CLOSE_SECONDS)
        with suppress(Exception):
            ray.kill(worker, no_restart=True)

    @property
    def made(self) -> tuple[str, ...]:
        """The workers that were made here."""
        return tuple(self._workers)

    def close(self) -> None:
        """Leave the cluster; where it was started here, it ends."""
        if not self._open:
            return
        import ray

        self._open = False
        closing = []
        for worker in self._workers.values():
            with suppress(Exception):
                closing.append(worker.close.remote())
        with suppress(Exception):
            ray.wait(closing, num_returns=len(closing), timeout=CLOSE_SECONDS)
        self._workers.clear()
        ray.shutdown()
        if self._part is not None:
            self._part.kill_all_processes(check_alive=False, allow_graceful=True)


def part_of(address: str, made: Sequence[Plan], mark: str) -> Any:
    """Ray's own processes of one more machine, with room for its workers.

    Args:
        mark: a resource that no other machine has.
    """
    from ray._private.node import Node as Part
    from ray._private.parameter import RayParams

    many, gpus = float(len(made)), sum(plan.device.kind == "cuda" for plan in made)
    there = RayParams(
        gcs_address=address, num_cpus=max(len(made), 1), num_gpus=gpus, resources={ROOM: many, mark: many},
        object_store_memory=STORE_BYTES,
    )  # fmt: skip
    return Part(there, head=False, shutdown_at_exit=True, spawn_reaper=True, connect_only=False)


def require_ray() -> Any:
    """Ray. Raises StudioError: ray_missing."""
    try:
        import ray
    except ImportError:
        raise StudioError("ray_missing") from None
    return ray


def _prepare() -> None:
    """What Ray reads from the environment, and gives to the processes that it starts."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it tells nobody anything
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # that a token is asked for is meant so
    path = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path))


def _keep_here(settings: Settings) -> None:
    """Keep the ports of a new cluster to this machine, or to the address that others join it at."""
    if settings.ray_host:
        os.environ["RAY_GCS_SERVER_PORT"] = str(settings.ray_port)
    else:
        _listen_here()


def _listen_here() -> None:
    """Have Ray listen on loopback alone: its own switch for Windows and macOS, which it does not ask for elsewhere."""
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = False


def _free(name: str, taken: set[str]) -> str:
    """A worker's name that none has: two machines may be called the same."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} #{number}"
    taken.add(free)
    return free


def _line(error: BaseException) -> str:
    """What went wrong, in short."""
    return " ".join(str(error).split())[:200] or type(error).__name__
