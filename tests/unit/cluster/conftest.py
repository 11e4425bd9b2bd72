"""A real cluster of two machines on this one, once for all tests: a worker on each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import slow_worker
from machines import STANDS_IN, Cluster, workers
from waiting import until

from studio.cluster import actor
from studio.cluster.node import Node, Plan, part_of
from studio.devices.device import Device
from studio.service import Studio
from studio.settings import Settings

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("cluster")
    options = home / "slow.json"
    options.write_text("{}")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])))
        patch.setenv(slow_worker.FILE, str(options))
        patch.setattr(actor, "make", slow_worker.make)
        settings = Settings(**{**STANDS_IN, "home": home, "ray_workers": 1, "ray_max": 1})
        node = Node.start(settings)
        stack.callback(node.close)
        plan = Plan("second cpu", Device("cpu"), 1)
        second = part_of(node.address, [plan], "second")
        stack.callback(second.kill_all_processes, check_alive=False, allow_graceful=True)
        node.make(plan, resources={"second": 1.0})
        yield Cluster(node, settings, options)


@pytest.fixture(scope="module")
def here(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio that computes on it."""
    studio = cluster.studio(tmp_path_factory.mktemp("here"))
    yield studio
    studio.close()


@pytest.fixture
def slow(cluster: Cluster, here: Studio) -> Iterator[Callable[..., None]]:
    """`slow(step_seconds=0.1)`; both workers answer before and after."""
    assert until(lambda: len(workers(here).known) == 2, 60)
    yield cluster.slow
    cluster.slow()
    assert until(lambda: len(workers(here).known) == 2, 60)
