"""The manager with real threads: one load for many, one computation at a time, failures at every effect."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from leasing import lease
from stand_ins import ROOM, Machine, Model, settled, spec

from studio.devices.device import Device
from studio.errors import Cancelled, StudioError
from studio.manager import Lease, ModelManager
from studio.manager.lane import Gate


@pytest.fixture
def manager() -> Iterator[ModelManager]:
    made = ModelManager(Device("cpu"), limit=100, read=lambda _: ROOM)
    yield made
    made.close()


def test_thirty_two_threads_share_one_load_and_take_turns(manager: ModelManager) -> None:
    latch, loads, inside, peak, served = threading.Event(), [], [0], [0], []
    lock = threading.Lock()

    def load(_report: object) -> Model:
        loads.append(1)
        latch.wait(10)
        return Model()

    def use() -> None:
        with lease(manager, spec("a", load)):
            with lock:
                inside[0] += 1
                peak[0] = max(peak[0], inside[0])
            served.append(1)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=use) for _ in range(32)]
    for thread in threads:
        thread.start()
    latch.set()
    for thread in threads:
        thread.join(10)
    assert (len(loads), len(served), peak[0]) == (1, 32, 1)


def test_a_resident_model_is_not_loaded_again(manager: ModelManager) -> None:
    loads: list[int] = []

    def load(_report: object) -> Model:
        loads.append(1)
        return Model()

    for _ in range(3):
        with lease(manager, spec("a", load)):
            pass
    assert len(loads) == 1


def test_room_is_made_by_closing_the_idle_model(manager: ModelManager) -> None:
    old = Model(60)
    with lease(manager, spec("old", lambda _: old, weights=60)):
        pass
    with lease(manager, spec("new", weights=60)):
        assert old.told[-1] == "close"


def test_what_cannot_fit_is_refused_with_the_numbers(manager: ModelManager) -> None:
    with pytest.raises(StudioError) as caught, lease(manager, spec("big", weights=101)):
        pass
    assert caught.value.code == "does_not_fit"


@pytest.mark.parametrize("failure", [RuntimeError("bad file"), MemoryError(), StudioError("broken_model", model="m")])
def test_a_failed_load_is_told_and_leaves_no_trace(manager: ModelManager, failure: Exception) -> None:
    def load(_report: object) -> Model:
        raise failure

    with pytest.raises(StudioError), lease(manager, spec("a", load)):
        pass
    assert manager.status().models == ()
    manager.forgive("a")
    with lease(manager, spec("a")):
        assert manager.status().models[0].in_use


def test_a_load_is_given_up_when_nobody_waits_and_that_is_no_failure(manager: ModelManager) -> None:
    begun, asked, heard = threading.Event(), threading.Event(), list[str]()

    def load(_report: object) -> Model:
        begun.set()
        assert asked.wait(10)
        if not manager.awaited("a"):
            raise Cancelled
        return Model()

    def ask() -> int:
        granted, refused = (lambda lease: (heard.append("granted"), lease.release())), lambda _: heard.append("refused")
        return manager.acquire(spec("a", load), granted=granted, refused=refused)

    ticket = ask()
    assert begun.wait(10)
    assert manager.awaited("a")
    assert manager.cancel(ticket)
    asked.set()
    settled(manager)
    status = manager.status()
    assert (status.models, status.cooling, status.charged, heard) == ((), (), 0, [])
    ask()
    settled(manager)
    assert heard == ["granted"]


def test_who_asks_while_a_load_is_given_up_has_it_loaded_again(manager: ModelManager) -> None:
    loads, heard = list[int](), list[str]()

    def load(_report: object) -> Model:
        loads.append(1)
        if len(loads) == 1:
            manager.cancel(first)
            ask()  # too late for this load
            raise Cancelled
        return Model()

    def ask() -> int:
        granted, refused = (lambda lease: (heard.append("granted"), lease.release())), lambda _: heard.append("refused")
        return manager.acquire(spec("a", load), granted=granted, refused=refused)

    with manager._changed:  # the load begins once the ticket is known
        first = ask()
    settled(manager)
    assert (len(loads), heard) == (2, ["granted"])


def test_a_load_that_cannot_be_measured_counts_as_failed(manager: ModelManager) -> None:
    class Liar(Model):
        def nbytes(self) -> int:
            raise RuntimeError("no idea")

    with pytest.raises(StudioError), lease(manager, spec("a", lambda _: Liar())):
        pass
    assert manager.status().charged == 0


def test_a_model_that_does_not_go_stays_counted(manager: ModelManager) -> None:
    with lease(manager, spec("a", lambda _: Model(60, broken=("close",)), weights=60)):
        pass
    manager.evict("a")
    settled(manager)
    assert manager.status().charged == 60
    with pytest.raises(StudioError), lease(manager, spec("b", weights=60)):
        pass


def test_waiting_can_be_given_up(manager: ModelManager) -> None:
    stop = threading.Event()
    with lease(manager, spec("a")):
        stop.set()
        with pytest.raises(Cancelled), lease(manager, spec("b"), cancelled=stop.is_set):
            pass
    assert manager.status().waiting == 0


def test_waiting_ends_when_its_time_is_over(manager: ModelManager) -> None:
    with lease(manager, spec("a")), pytest.raises(TimeoutError), lease(manager, spec("a"), timeout=0.05):
        pass
    with lease(manager, spec("a")):
        pass


def test_keep_alive_frees_the_model_by_itself(manager: ModelManager) -> None:
    gone = threading.Event()

    class Watched(Model):
        def close(self) -> None:
            gone.set()

    with lease(manager, spec("a", lambda _: Watched(), keep_alive=0.05)):
        pass
    assert gone.wait(5)


def test_a_model_larger_than_half_the_device_is_granted_after_its_load() -> None:
    machine = Machine()
    manager = ModelManager(Device("cuda"), read=machine.read)
    with lease(manager, machine.spec("big", 700)):
        assert manager.status().budget == 1000
    manager.close()


def test_other_programs_taking_memory_let_idle_models_go() -> None:
    machine = Machine()
    manager = ModelManager(Device("cuda"), read=machine.read)
    with lease(manager, machine.spec("idle", 500)):
        pass
    machine.others = 400
    with lease(manager, machine.spec("other", 300)):
        assert [model.key for model in manager.status().models] == ["other"]
    machine.others = 800
    with pytest.raises(StudioError), lease(manager, machine.spec("third", 300)):
        pass
    manager.close()


def test_the_lane_cannot_wait_for_itself(manager: ModelManager) -> None:
    caught: list[Exception] = []

    def inside() -> None:
        try:
            with lease(manager, spec("a")):
                pass
        except RuntimeError as error:
            caught.append(error)

    manager.lane.put(inside)
    settled(manager)
    assert caught


def test_closing_refuses_new_requests_and_frees_everything() -> None:
    manager, model = ModelManager(Device("cpu"), limit=100, read=lambda _: ROOM), Model()
    with lease(manager, spec("a", lambda _: model)):
        pass
    assert manager.close()
    assert model.told[-1] == "close"
    with pytest.raises(StudioError) as caught, lease(manager, spec("b")):
        pass
    assert caught.value.code == "closing"


def test_whatever_is_leased_evicted_and_cancelled_at_once_everybody_is_answered_exactly_once(
    manager: ModelManager,
) -> None:
    answers: Counter[str] = Counter()
    inside, peak, lock = [0], [0], threading.Lock()

    def use(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(12):
            key = dice.choice("abc")
            stop = dice.random() < 0.2
            try:
                with lease(manager, spec(key, weights=60), timeout=30, cancelled=(lambda: True) if stop else None):
                    with lock:
                        inside[0] += 1
                        peak[0] = max(peak[0], inside[0])
                    if dice.random() < 0.3:
                        manager.evict(dice.choice("abc"))
                    with lock:
                        inside[0] -= 1
                answers["granted"] += 1
            except Cancelled:
                answers["cancelled"] += 1

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(answers.values()) == 8 * 12
    assert peak[0] == 1
    manager.evict()
    settled(manager)
    assert (manager.status().charged, manager.status().waiting) == (0, 0)


def test_two_devices_never_compute_while_a_model_is_built() -> None:
    gate, building, wrong = Gate(), threading.Event(), []
    first, second = (ModelManager(Device("cuda", n), limit=100, read=lambda _: ROOM, gate=gate) for n in (0, 1))

    def load(_report: object) -> Model:
        building.set()
        for _ in range(2000):
            wrong.extend([1] if running.is_set() else [])
        building.clear()
        return Model()

    running = threading.Event()

    def run() -> None:
        running.set()
        wrong.extend([1] if building.is_set() else [])
        running.clear()

    def build(manager: ModelManager, key: str) -> None:
        with lease(manager, spec(key, load)):
            pass

    threads = [threading.Thread(target=build, args=(first, f"m{n}")) for n in range(5)]
    for thread in threads:
        thread.start()
        for _ in range(40):
            second.lane.put(run)
    for thread in threads:
        thread.join(20)
    settled(second)
    assert not wrong
    assert first.close()
    assert second.close()


def test_after_closing_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    made = ModelManager(Device("cpu"), limit=100, read=lambda _: ROOM)
    with lease(made, spec("a")):
        pass
    assert made.close()
    assert set(threading.enumerate()) == before


class Runs:
    """Runs of one shared model that go on until they are told to end."""

    def __init__(self, manager: ModelManager, model: Model, places: int = 3) -> None:
        self._manager, self._spec = manager, spec("shared", lambda _: model, places=places)
        self.inside, self.end, self.threads = threading.Semaphore(0), threading.Event(), set[str]()

    def begin(self, run: Callable[[], None] | None = None) -> None:
        def task(lease: Lease) -> None:
            self.threads.add(threading.current_thread().name)
            self.inside.release()
            try:
                (run or self.end.wait)()
            finally:
                lease.release()

        self._manager.acquire(
            self._spec,
            granted=lambda lease: self._manager.start(lease, lambda: task(lease)),
            refused=lambda error: pytest.fail(str(error)),
        )  # fmt: skip

    def wait(self, count: int) -> None:
        for _ in range(count):
            assert self.inside.acquire(timeout=10)


def test_a_shared_model_runs_as_often_as_it_has_places_while_others_are_built(manager: ModelManager) -> None:
    runs, model = Runs(manager, Model()), Model()
    for _ in range(3):
        runs.begin()
    runs.wait(3)
    built = threading.Event()
    manager.acquire(
        spec("b", lambda _: built.set() or model), granted=lambda lease: lease.release(), refused=lambda _: None
    )  # fmt: skip
    assert built.wait(10), "a load waits for no answer"
    runs.begin()
    assert not runs.inside.acquire(timeout=0.05), "there are three places"
    runs.end.set()
    runs.wait(1)


def test_a_run_that_breaks_takes_neither_the_others_nor_its_place_with_it(manager: ModelManager) -> None:
    runs = Runs(manager, Model(), places=2)

    def breaks() -> None:
        raise SystemExit

    runs.begin()
    runs.begin(breaks)
    runs.begin()
    runs.wait(3)
    runs.end.set()


def test_closing_waits_for_shared_runs_and_closes_their_model_after_them() -> None:
    manager, model, order = ModelManager(Device("cpu"), limit=100, read=lambda _: ROOM), Model(), list[str]()
    runs = Runs(manager, model)

    def run() -> None:
        runs.end.wait(10)
        order.append("closed too early" if "close" in model.told else "ran")

    runs.begin(run)
    runs.begin(run)
    runs.wait(2)
    threading.Timer(0.05, runs.end.set).start()
    assert manager.close()
    assert order == ["ran", "ran"]
    assert model.told[-1] == "close"
