"""A fault at every effect: loading, measuring, parking, placing, closing, reading the memory, hanging."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from leasing import lease
from stand_ins import ROOM, Model, Parking, of, settled, spec

from studio.devices.device import Device
from studio.devices.memory import Reading
from studio.errors import StudioError
from studio.manager import Lease, ModelManager, Spec, watchdog


@pytest.fixture
def manager() -> Iterator[ModelManager]:
    made = ModelManager(Device("cpu"), limit=100, read=lambda _: ROOM)
    yield made
    made.close()


def used(manager: ModelManager, wanted: Spec) -> None:
    with lease(manager, wanted, timeout=10):
        pass


def states(manager: ModelManager) -> dict[str, str]:
    settled(manager)
    return {model.key: model.state for model in manager.status().models}


@pytest.mark.parametrize("failure", [RuntimeError("x"), SystemExit(1), KeyboardInterrupt(), MemoryError()])
def test_whatever_a_load_raises_is_told_and_the_lane_goes_on(manager: ModelManager, failure: BaseException) -> None:
    def load(_report: object) -> Model:
        raise failure

    with pytest.raises(StudioError):
        used(manager, spec("a", load))
    assert states(manager) == {}
    used(manager, spec("b"))


def test_a_model_that_cannot_be_measured_is_closed_again(manager: ModelManager) -> None:
    model = Model(broken=("nbytes",))
    with pytest.raises(StudioError):
        used(manager, of(model))
    assert model.told == ["nbytes", "close"]
    assert manager.status().charged == 0


def test_a_model_that_says_less_than_nothing_is_counted_as_nothing(manager: ModelManager) -> None:
    used(manager, spec("a", lambda _: Model(-5)))
    assert manager.status().charged == 0


def test_a_model_larger_than_it_said_lets_others_go_and_is_refused_what_is_not_there(manager: ModelManager) -> None:
    used(manager, spec("small", weights=40))
    with pytest.raises(StudioError) as caught:
        used(manager, spec("liar", lambda _: Model(500), weights=10))
    assert caught.value.code == "does_not_fit"
    settled(manager)
    assert states(manager) == {}


def test_room_is_made_by_parking_and_what_was_parked_comes_back_without_a_load(manager: ModelManager) -> None:
    model, loads = Parking(60), []

    def load(_report: object) -> Model:
        loads.append(1)
        return model

    wanted = spec("a", load, 60, park_alive=600)
    used(manager, wanted)
    used(manager, spec("b", weights=60))
    assert states(manager) == {"a": "parked", "b": "ready"}
    used(manager, wanted)
    assert (loads, model.told) == ([1], ["nbytes", "park", "place"])


def test_a_model_that_does_not_want_to_be_parked_is_closed(manager: ModelManager) -> None:
    model = Parking(60)
    used(manager, of(model, park_alive=600))
    model.host = None
    used(manager, spec("b", weights=60))
    assert states(manager) == {"b": "ready"}
    assert model.told[-1] == "close"


def test_a_model_that_breaks_while_it_is_parked_is_closed(manager: ModelManager) -> None:
    model = Parking(60, broken=("park",))
    used(manager, of(model, park_alive=600))
    used(manager, spec("b", weights=60))
    assert states(manager) == {"b": "ready"}


def test_a_model_that_breaks_on_its_way_back_is_loaded_anew(manager: ModelManager) -> None:
    made: list[Parking] = []

    def load(_report: object) -> Model:
        made.append(Parking(60, broken=("place",)))
        return made[-1]

    wanted = spec("a", load, 60, park_alive=600)
    used(manager, wanted)
    used(manager, spec("b", weights=60))
    used(manager, wanted)
    assert len(made) == 2
    assert made[0].told == ["nbytes", "park", "place", "close"]


def test_what_can_neither_be_parked_nor_closed_stays_counted(manager: ModelManager) -> None:
    used(manager, of(Parking(60, broken=("park", "close")), park_alive=600))
    with pytest.raises(StudioError) as caught:
        used(manager, spec("b", weights=60))
    assert caught.value.code == "stuck_full"
    assert states(manager) == {"a": "broken"}
    assert manager.status().charged == 60


def test_a_load_that_runs_out_of_memory_is_tried_once_more_after_idle_models_left(manager: ModelManager) -> None:
    tries: list[dict[str, str]] = []

    def load(_report: object) -> Model:
        tries.append({model.key: model.state for model in manager.status().models})
        if len(tries) == 1:
            raise MemoryError
        return Model()

    used(manager, spec("idle"))
    used(manager, spec("a", load))
    assert tries == [{"idle": "ready", "a": "loading"}, {"a": "loading"}]


def test_a_load_that_keeps_running_out_of_memory_is_given_up(manager: ModelManager) -> None:
    tries: list[int] = []

    def load(_report: object) -> Model:
        tries.append(1)
        raise MemoryError

    used(manager, spec("idle"))
    with pytest.raises(StudioError) as caught:
        used(manager, spec("a", load))
    assert (caught.value.code, len(tries)) == ("out_of_memory", 2)


def test_a_driver_that_stumbles_takes_no_job_with_it() -> None:
    answers = [ROOM]

    def read(_: Device) -> Reading:
        if not answers:
            raise OSError("driver")
        return answers[-1]

    manager = ModelManager(Device("cpu"), limit=100, read=read)
    answers.clear()
    used(manager, spec("a"))
    assert manager.status().total == ROOM.total
    manager.close()


def test_no_effect_happens_while_the_books_are_locked(manager: ModelManager) -> None:
    held: list[bool] = []

    class Watching(Parking):
        def _tell(self, what: str) -> None:
            held.append(manager._changed._is_owned())  # pyright: ignore[reportAttributeAccessIssue]

    def load(_report: object) -> Model:
        held.append(manager._changed._is_owned())  # pyright: ignore[reportAttributeAccessIssue]
        return Watching(60)

    wanted = spec("a", load, 60, park_alive=600)
    for other in (wanted, spec("b", weights=60), wanted):
        used(manager, other)
    manager.evict()
    settled(manager)
    assert len(held) >= 5
    assert not any(held)


def hung(answers: threading.Event) -> Spec:
    def load(_report: object) -> Model:
        answers.wait(20)
        return Model()

    return spec("slow", load)


def test_a_device_that_hangs_refuses_everybody_and_comes_back_when_it_answers() -> None:
    manager = ModelManager(Device("cpu"), limit=100, read=lambda _: ROOM, stuck_after=0.2)
    answers = threading.Event()
    with pytest.raises(StudioError) as caught:
        used(manager, hung(answers))
    assert caught.value.code == "device_stuck"
    assert manager.status().stuck is not None
    with pytest.raises(StudioError):
        used(manager, spec("b"))
    answers.set()
    deadline = time.monotonic() + 10
    while manager.status().stuck is not None and time.monotonic() < deadline:
        settled(manager)
    used(manager, spec("b"))
    assert states(manager) == {"slow": "ready", "b": "ready"}
    manager.close()


class Apart(Parking):
    """One in a process of its own: what hangs in it goes on, and raises, once it is ended."""

    def __init__(self, hangs: str = "", obeys: bool = True) -> None:
        super().__init__(60)
        self.hangs, self.obeys = hangs, obeys
        self.ended, self.silent = threading.Event(), 0.0

    def kill(self, silent: float = 0.0) -> None:
        self.told.append("kill")
        self.silent = silent
        if self.obeys:
            self.ended.set()

    def _tell(self, what: str) -> None:
        super()._tell(what)
        if what == self.hangs:
            self.wait()

    def loading(self, manager: ModelManager) -> Callable[[object], Apart]:
        """A load of it that hangs."""

        def load(_report: object) -> Apart:
            manager.begun(self)
            self.wait()
            return self

        return load

    def wait(self) -> None:
        if self.ended.wait(20):
            raise StudioError("worker_hung", model="a", minutes=1)


def watched(**more: Any) -> ModelManager:
    return ModelManager(Device("cpu"), limit=100, read=lambda _: ROOM, stuck_after=0.2, **more)


def refusal(error: StudioError) -> None:
    raise error


def test_a_hung_model_in_a_process_of_its_own_is_ended_and_nobody_else_is_refused() -> None:
    manager, model, over = watched(), Apart(), threading.Event()

    def run(lease: Lease) -> None:
        model.ended.wait(20)
        lease.release()
        over.set()

    manager.acquire(of(model, apart=True), granted=lambda lease: manager.lane.put(lambda: run(lease)), refused=refusal)
    assert over.wait(10)
    assert model.silent > 0.2
    used(manager, spec("b"))
    assert manager.status().stuck is None
    manager.close()


def test_a_load_that_hangs_in_a_process_of_its_own_is_ended_and_cools_down() -> None:
    manager, model = watched(), Apart()
    with pytest.raises(StudioError) as caught:
        used(manager, spec("a", model.loading(manager), apart=True))
    assert caught.value.code == "worker_hung"
    assert model.told == ["kill"]
    used(manager, spec("b"))
    assert manager.status().stuck is None
    assert [one.key for one in manager.status().cooling] == ["a"]
    with pytest.raises(StudioError) as caught:
        used(manager, spec("a", model.loading(manager), apart=True))
    assert caught.value.code == "cooling_down"
    assert states(manager) == {"b": "ready"}
    manager.close()


def test_a_load_that_hangs_before_its_process_begins_counts_as_any_other() -> None:
    manager, answers = watched(), threading.Event()
    used(manager, of(Apart(), "before", apart=True))
    with pytest.raises(StudioError) as caught:
        used(manager, hung(answers))
    assert caught.value.code == "device_stuck"
    answers.set()
    manager.close()


@pytest.mark.parametrize("hangs", ["park", "place"])
def test_a_model_that_hangs_on_the_move_is_ended_and_loaded_anew(hangs: str) -> None:
    manager, made = watched(), list[Apart]()

    def load(_report: object) -> Model:
        made.append(Apart(hangs if not made else ""))
        return made[-1]

    wanted = spec("a", load, 60, apart=True, park_alive=600)
    used(manager, wanted)
    used(manager, spec("b", weights=60))
    used(manager, wanted)
    assert [model.told.count("kill") for model in made] == [1, 0]
    assert states(manager)["a"] == "ready"
    assert manager.status().stuck is None
    manager.close()


def test_only_what_the_device_is_at_is_ended_and_not_who_waits_behind_it() -> None:
    manager, behind, answers = watched(), Apart(), threading.Event()
    used(manager, of(behind, "warm", apart=True))
    manager.acquire(hung(answers), granted=lambda lease: lease.release(), refused=lambda _: None)
    manager.acquire(of(behind, "warm", apart=True), granted=lambda _: None, refused=refusal)  # its run is next
    deadline = time.monotonic() + 10
    while manager.status().stuck is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert manager.status().stuck is not None
    assert "kill" not in behind.told
    answers.set()
    manager.close()


def test_a_shared_model_counts_as_hung_when_none_of_its_runs_is_heard_and_what_loads_meanwhile_goes_on() -> None:
    manager, loading, other = watched(), Apart(), threading.Event()
    heard, silent = threading.Event(), threading.Event()

    def talks(lease: Lease) -> None:
        while not heard.wait(0.02):
            manager.lane.beat()
        silent.wait(20)
        lease.release()

    def hangs(lease: Lease) -> None:
        silent.wait(20)
        lease.release()

    for run in (talks, hangs):
        manager.acquire(
            spec("shared", places=2), granted=lambda lease, run=run: manager.start(lease, lambda: run(lease)),
            refused=refusal,
        )  # fmt: skip
    assert not other.wait(0.5)
    assert manager.status().stuck is None, "one of them is heard"

    def load(_report: object) -> Apart:
        manager.begun(loading)
        while not other.wait(0.02):
            manager.lane.beat()
        return loading

    manager.acquire(spec("b", load, apart=True), granted=lambda lease: lease.release(), refused=lambda _: None)
    heard.set()
    deadline = time.monotonic() + 10
    while manager.status().stuck is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert manager.status().stuck is not None
    assert "kill" not in loading.told
    other.set()
    silent.set()
    manager.close()


def test_where_a_process_cannot_be_ended_the_device_counts_as_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "GOING", 0.2)
    manager, model = watched(), Apart(obeys=False)
    with pytest.raises(StudioError) as caught:
        used(manager, spec("a", model.loading(manager), apart=True))
    assert caught.value.code == "device_stuck"
    assert model.told == ["kill"]
    model.ended.set()
    manager.close()


def test_signs_of_life_keep_a_slow_device_from_counting_as_stuck() -> None:
    manager = ModelManager(Device("cpu"), limit=100, read=lambda _: ROOM, stuck_after=1.0)

    def load(report: object) -> Model:
        for step in range(15):
            threading.Event().wait(0.1)
            report(step / 15)  # pyright: ignore[reportCallIssue]
        return Model()

    used(manager, spec("slow", load))
    manager.close()
