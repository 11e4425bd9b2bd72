"""Memory as the service handles it: out of memory once and twice, what is learned, models that are only loaded."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from studio.devices import peak_memory
from studio.engines.demo.fake import FakeEngine, FakeModel
from studio.errors import StudioError
from studio.jobs.job import Job
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest
from studio.results import Output, Update
from studio.service import Studio
from studio.settings import Settings
from studio.status import ModelInfo

HELLO = ChatRequest(messages=(Message("user", "hello"),))
HILLS = ImageRequest(prompt="hills", steps=1, seed=1)
ENDINGS = [MemoryError(), RuntimeError("can't allocate memory"), StudioError("out_of_memory", model="m")]


def wait(job: Job) -> Update:
    *_, last = job.events(heartbeat=5)
    return last


@pytest.fixture
def public(settings: Settings) -> Iterator[Studio]:
    with Studio(settings.model_copy(update={"profile": "space"})) as running:
        yield running


def info(studio: Studio, model: str) -> ModelInfo:
    return next(one for one in studio.models.list() if one.card.id == model)


def runs_out(monkeypatch: pytest.MonkeyPatch, error: Exception, times: int) -> list[int]:
    """Let the first `times` runs end in `error`; the list grows by one for each run."""
    tries: list[int] = []
    real = FakeModel.run

    def run(self: FakeModel, request: ImageRequest, context: object) -> Output:
        tries.append(1)
        if len(tries) <= times:
            raise error
        return real(self, request, context)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(FakeModel, "run", run)
    return tries


@pytest.mark.parametrize("error", ENDINGS)
def test_running_out_of_memory_once_is_not_seen(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tries = runs_out(monkeypatch, error, 1)
    assert wait(studio.submit(HILLS)).kind == "done"
    assert len(tries) == 2


@pytest.mark.parametrize("error", ENDINGS)
def test_running_out_of_memory_twice_is_told_and_not_tried_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tries = runs_out(monkeypatch, error, 9)
    last = wait(studio.submit(HILLS))
    assert last.error is not None
    assert (last.error.code, len(tries)) == ("out_of_memory", 2)


def test_before_the_second_try_idle_models_have_left(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    wait(studio.submit(HELLO))
    seen: list[list[str]] = []
    real = FakeModel.run

    def run(self: FakeModel, request: ImageRequest, context: object) -> Output:
        seen.append(sorted(model.key for device in studio.status().devices for model in device.models))
        if len(seen) == 1:
            raise MemoryError
        return real(self, request, context)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(FakeModel, "run", run)
    wait(studio.submit(HILLS))
    assert seen == [["demo-chat", "demo-image"], ["demo-image"]]


def test_nothing_of_the_first_try_is_kept_alive_by_its_error(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tensor(np.ndarray):
        """An array that can be watched."""

    left: list[bool] = []
    watched: list[weakref.ref[Tensor]] = []
    real = FakeModel.run

    def run(self: FakeModel, request: ImageRequest, context: object) -> Output:
        if watched:
            left.append(watched[0]() is not None)
            return real(self, request, context)  # pyright: ignore[reportArgumentType]
        big = np.zeros(1000).view(Tensor)
        watched.append(weakref.ref(big))
        try:
            raise RuntimeError("can't allocate memory")
        except RuntimeError as error:
            raise StudioError("out_of_memory", model="m") from error

    monkeypatch.setattr(FakeModel, "run", run)
    assert wait(studio.submit(HILLS)).kind == "done"
    assert left == [False]


def test_an_answer_that_has_begun_is_not_begun_again(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def run(self: FakeModel, request: ChatRequest, context: Callable[..., None]) -> Output:
        tries.append(1)
        context.text("half an ")  # pyright: ignore[reportFunctionMemberAccess]
        raise MemoryError

    monkeypatch.setattr(FakeModel, "run", run)
    last = wait(studio.submit(HELLO))
    assert last.error is not None
    assert (last.error.code, len(tries)) == ("out_of_memory", 1)


def test_what_a_request_takes_is_measured_and_kept_for_the_next(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FakeModel.run

    def run(self: FakeModel, request: ImageRequest, context: object) -> Output:
        block = np.ones(80_000_000, dtype=np.uint8)
        time.sleep(20 * peak_memory.EVERY)  # long enough for one look, also on a busy machine
        del block
        return real(self, request, context)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(FakeModel, "run", run)
    wait(studio.submit(HILLS))
    table = json.loads((studio.home.cache / "memory.json").read_text())
    (name, peak), *_ = table.items()
    assert name == "cpu demo-image image 0"
    assert 70_000_000 < peak < 140_000_000


def test_requests_of_another_size_are_learned_apart(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "work", lambda _self, _card, request: (request.width or 0) << 20)
    for width in (256, 272, 512):
        wait(studio.submit(replace(HILLS, width=width)))
    wait(studio.submit(replace(HILLS, width=512, tiling=True)))
    table = json.loads((studio.home.cache / "memory.json").read_text())
    assert sorted(table) == [f"cpu demo-image image {shape}" for shape in ("16", "18", "18 tiling")]


def test_a_model_can_be_loaded_without_being_used(studio: Studio) -> None:
    assert wait(studio.models.load("demo-image")).kind == "done"
    assert info(studio, "demo-image").loaded


def test_a_pinned_model_stays_when_memory_is_freed(studio: Studio) -> None:
    studio.models.pin("demo-image", True)
    wait(studio.models.load("demo-image"))
    studio.models.unload()
    wait(studio.submit(HELLO))
    resident = info(studio, "demo-image").resident
    assert resident is not None
    assert (resident.state, resident.pinned, resident.seconds_left) == ("ready", True, None)


def test_strangers_can_neither_load_nor_pin(public: Studio) -> None:
    for refused in (lambda: public.models.load("demo-chat"), lambda: public.models.pin("demo-chat", True)):
        with pytest.raises(StudioError) as caught:
            refused()
        assert caught.value.code == "not_for_public"


def test_a_model_that_failed_to_load_says_so_and_for_how_long(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> FakeModel:
        raise StudioError("broken_model", model="demo-image", reason="cut off")

    monkeypatch.setattr(FakeEngine, "load", load)
    wait(studio.submit(HILLS))
    cooling = info(studio, "demo-image").cooling
    assert cooling is not None
    assert "cut off" in cooling.reason
    assert 0 < cooling.seconds <= 10
