"""What the manager says of processes that models have of their own: what they hold, and that they are there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from leasing import lease
from stand_ins import Model, settled, spec

from studio.devices.device import Device
from studio.devices.memory import Reading
from studio.manager import ModelManager

ROOM = Reading(1000, 1000)


class Process(Model):
    """A model whose process holds 700 bytes; `waits` is called on the way in and out."""

    def __init__(self, host: int | None, waits: Callable[[], None] = lambda: None) -> None:
        super().__init__(400)
        self.host, self.waits = host, waits

    def process_nbytes(self) -> int:
        return 700

    def parked_nbytes(self) -> int | None:
        return self.host

    def park(self) -> None: ...

    def place(self) -> None: ...

    def close(self) -> None:
        self.waits()


@pytest.mark.parametrize(
    ("kind", "host", "beside"),
    [
        ("cpu", 0, 700),
        ("cpu", 300, 400),
        ("cpu", 900, 0),
        ("cpu", None, None),
        ("mps", None, None),
        ("cuda", None, 700),
    ],
)
def test_what_a_process_takes_beside_its_weights_is_said_where_it_is_known(kind, host, beside) -> None:
    manager = ModelManager(Device(kind), limit=1000, read=lambda _: ROOM)
    with lease(manager, spec("a", lambda _: Process(host), weights=400, apart=True)):
        (there,) = manager.status().models
    assert (there.process, there.beside) == (700, beside)
    manager.close()


def test_a_gpu_model_that_is_parked_has_its_weights_in_its_process() -> None:
    manager = ModelManager(Device("cuda"), limit=1000, read=lambda _: ROOM)
    with lease(manager, spec("a", lambda _: Process(300), apart=True, keep_alive=0, park_alive=600)):
        assert manager.status().models[0].beside == 700
    settled(manager)
    assert [(one.state, one.beside) for one in manager.status().models] == [("parked", 400)]
    manager.close()


def test_a_process_counts_as_one_from_its_start_to_its_end() -> None:
    manager = ModelManager(Device("cpu"), limit=1000, read=lambda _: ROOM)
    seen: list[tuple[str, int | None]] = []

    def look() -> None:
        seen.extend((one.state, one.process) for one in manager.status().models)

    def load(_report: object) -> Model:
        look()
        return Process(None, look)

    for wanted in (spec("a", load, apart=True), spec("here")):
        with lease(manager, wanted, timeout=10):
            pass
    assert {one.key: one.process for one in manager.status().models} == {"a": 700, "here": None}
    manager.evict()
    settled(manager)
    assert seen[0] == ("loading", 0)
    assert ("unloading", 0) in seen
    assert manager.status().models == ()
    manager.close()
