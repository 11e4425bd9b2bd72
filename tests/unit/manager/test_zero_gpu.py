"""A card that is lent call by call: what happens there, what is made of it here.

The package that lends one takes part in tests/e2e/test_zero_gpu.py; here the task is called as it is.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from unit.tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.devices.device import Device
from studio.engines.demo.fake import FakeModel
from studio.errors import Cancelled, StudioError
from studio.jobs.pace import OnCard, Pace
from studio.manager import Fleet, ModelManager
from studio.manager.backends.process.wire import pack, unpack
from studio.manager.backends.zero import rented as module
from studio.manager.backends.zero import task
from studio.manager.backends.zero.rented import LEAST_SECONDS, UNKNOWN_SECONDS, Remote, Rented
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.results import Output

ROOT = Path(__file__).resolve().parents[3]


def fake_card(id: str, nbytes: int = 1_000_000, engine: str = "fake") -> Card:
    return tiny_card(Source("bundled"), 1, id=id, engine=engine, memory_bytes=nbytes)


CARD = fake_card("tiny")
REQUEST = ChatRequest(model="tiny", messages=(Message("user", "Hello"),))


class Listener:
    """A context that remembers."""

    adapters: tuple[Path, ...] = ()
    previews = False

    def __init__(self) -> None:
        self.written: list[str] = []
        self.cancelled = False

    def text(self, delta: str) -> None:
        self.written.append(delta)

    def step(self, done: int, total: int = 0) -> None: ...

    def alive(self) -> None: ...


class Silent:
    """A model that says nothing for a while, and then what it is told to."""

    def __init__(self, seconds: float, end: Exception | None = None) -> None:
        self.seconds, self.end, self.stopped = seconds, end, threading.Event()

    def nbytes(self) -> int:
        return 1

    def run(self, request: Any, context: Any) -> Output:
        del request
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            if context.cancelled:
                self.stopped.set()
                raise Cancelled
            threading.Event().wait(0.01)
        if self.end is not None:
            raise self.end
        return Output(text="done")

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def placed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    models: dict[str, Any] = {"tiny": FakeModel(CARD)}
    monkeypatch.setattr(task, "PLACED", models)
    return models


def rented_with(call: Any = task.run, nbytes: int = 10_000_000) -> Rented:
    rented = Rented(call, "Lent Card", nbytes)
    rented.weights["tiny"] = 1_000_000
    return rented


def remote(rented: Rented) -> tuple[Remote, OnCard]:
    clock = OnCard(Pace())
    return Remote(CARD, rented, clock), clock


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(StudioError) as caught:
        yield
    assert caught.value.code == code
    assert all(caught.value.what(language) and caught.value.next(language) for language in ("en", "zh-CN"))


def message(key: str = "tiny") -> bytes:
    return b"".join(pack("run", key, REQUEST, (), False))


def kinds(told: Iterator[list[bytes]]) -> list[tuple[Any, ...]]:
    return [unpack(one) for batch in told for one in batch]


def test_a_run_is_told_and_answered_and_its_seconds_are_learned() -> None:
    rented = rented_with()
    model, clock = remote(rented)
    assert rented.seconds(CARD, (REQUEST,), clock) == UNKNOWN_SECONDS
    listener = Listener()
    output = model.run(REQUEST, listener)  # pyright: ignore[reportArgumentType]
    assert output.text.startswith("You asked: Hello")
    assert "".join(listener.written) == output.text
    assert rented.seconds(CARD, (REQUEST,), clock) == LEAST_SECONDS, "a quick one asks for little"
    assert rented.seconds(CARD, (REQUEST, REQUEST), clock) == 2 * LEAST_SECONDS, "each call of a job asks"


def test_the_task_is_heard_of_twice_a_second_however_long_a_step_takes(placed: dict[str, Any]) -> None:
    placed["tiny"] = Silent(0.8)
    last, gaps = time.monotonic(), []
    for _ in task.run(message(), 1):
        gaps.append(time.monotonic() - last)
        last = time.monotonic()
    assert len(gaps) >= 3, "it yields though the model says nothing"


def test_an_error_is_a_value_with_its_code(placed: dict[str, Any]) -> None:
    placed["tiny"] = Silent(0, StudioError("out_of_memory", model="tiny"))
    assert kinds(task.run(message(), 1))[-1] == ("failed", "studio", "out_of_memory", {"model": "tiny"})
    model, _ = remote(rented_with())
    with refused("out_of_memory"):
        model.run(REQUEST, Listener())  # pyright: ignore[reportArgumentType]
    placed["tiny"] = Silent(0, ZeroDivisionError("a bug"))
    assert kinds(task.run(message(), 1))[-1][:3] == ("failed", "other", "ZeroDivisionError")


def test_closing_the_iterator_stops_the_run(placed: dict[str, Any]) -> None:
    placed["tiny"] = model = Silent(60)
    told = task.run(message(), 1)
    next(told)
    told.close()
    assert model.stopped.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "run"], "nothing goes on there"


def test_stop_does_not_wait_for_a_card() -> None:
    closed, free = threading.Event(), threading.Event()

    def call(message: bytes, seconds: int) -> Generator[list[bytes]]:
        del message, seconds
        free.wait(10)  # somebody else has it
        try:
            yield []
            yield []
        finally:
            closed.set()

    model, _ = remote(rented_with(call))
    listener = Listener()
    listener.cancelled = True
    with pytest.raises(Cancelled):
        model.run(REQUEST, listener)  # pyright: ignore[reportArgumentType]
    free.set()
    assert closed.wait(10), "the card is given back as soon as it is there"


def test_what_was_written_before_stop_is_kept() -> None:
    def call(message: bytes, seconds: int) -> Generator[list[bytes]]:
        del message, seconds
        yield [b"".join(pack("text", "Once upon"))]
        while True:
            yield []

    class Impatient(Listener):
        def text(self, delta: str) -> None:
            super().text(delta)
            self.cancelled = True

    model, _ = remote(rented_with(call))
    output = model.run(REQUEST, Impatient())  # pyright: ignore[reportArgumentType]
    assert (output.text, output.finish) == ("Once upon", "cancelled")


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("ZeroGPU quota exceeded", "gpu_quota"),
        ("ZeroGPU queue timeout", "gpu_busy"),
        ("ZeroGPU illegal duration", "gpu_too_long"),
        ("ZeroGPU worker error", "gpu_aborted"),
    ],
)
def test_what_the_lender_says_is_one_sentence_of_ours(title: str, code: str) -> None:
    class Said(Exception):
        message = "Try again in 1:00:00"

    Said.title = title  # pyright: ignore[reportAttributeAccessIssue]

    def call(message: bytes, seconds: int) -> Generator[list[bytes]]:
        del message, seconds
        raise Said
        yield []

    model, _ = remote(rented_with(call))
    with refused(code):
        model.run(REQUEST, Listener())  # pyright: ignore[reportArgumentType]


def test_a_call_that_ends_without_an_answer_was_aborted() -> None:
    def call(message: bytes, seconds: int) -> Generator[list[bytes]]:
        del message, seconds
        yield []

    model, _ = remote(rented_with(call))
    with refused("gpu_aborted"):
        model.run(REQUEST, Listener())  # pyright: ignore[reportArgumentType]


def test_models_are_placed_where_their_sum_and_the_largest_work_fit(placed: dict[str, Any]) -> None:
    placed.clear()
    large = fake_card("large", 6_000_000)
    rented = Rented(task.run, "Lent Card", 6_500_000)
    with refused("gpu_too_small"):
        rented.place([(CARD, Path()), (large, Path())], 300)
    assert not placed, "none is loaded where they do not all fit"
    rented = Rented(task.run, "Lent Card", 7_000_000)
    rented.place([(CARD, Path()), (large, Path())], 300)
    assert set(placed) == {"tiny", "large"}
    assert rented.has("large")


def test_a_model_of_the_processor_cannot_be_placed() -> None:
    llama = fake_card("talker", engine="llama")
    with refused("gpu_impossible"):
        Rented(task.run, "Lent Card", 1 << 40).place([(llama, Path())], 300)


def test_no_call_asks_for_more_than_a_job_may_work() -> None:
    rented = Rented(task.run, "Lent Card", 10_000_000)
    rented.place([], 20)
    assert rented.seconds(CARD, (REQUEST,), OnCard(Pace())) == 20


def test_only_what_was_placed_goes_to_the_card() -> None:
    rented = rented_with()
    fleet = Fleet([Device("cpu")], ModelManager, None, rented)
    other = fake_card("other")
    try:
        assert fleet.suited_to(CARD)[0].device.name == "Lent Card"
        assert fleet.choose("tiny", 1).device.name == "Lent Card"
        assert fleet.suited_to(other) == fleet.devices
        assert fleet.room(CARD)[1] == rented.nbytes
    finally:
        for manager in fleet:
            manager.close()


def test_the_default_install_knows_nothing_of_it() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, app, tabs.serve; print('spaces' in sys.modules, 'torch' in sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    assert said.split() == ["False", "False"]
    assert "spaces" not in (ROOT / "requirements.txt").read_text().replace("Spaces", "")
    assert module.ACCEPTED_TORCH
