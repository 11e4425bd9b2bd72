"""What the manager is told of the machine: devices, memory, peaks, and what it learns from them."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from leasing import lease
from stand_ins import Model, settled, spec

from studio.devices import detect, memory, peak_memory
from studio.devices.device import Device
from studio.devices.memory import Reading
from studio.manager import Fleet, ModelManager
from studio.manager.budget import Budget
from studio.manager.ledger import Ledger
from studio.manager.memory_estimates import Learned

GPU = Device("cuda", 0, "A GPU")
CPU = Device("cpu")


# ---- a GPU that is not there


@dataclass
class FakeCuda:
    """torch.cuda with a caching allocator: what is freed stays taken from the driver until the cache is emptied."""

    total: int = 1000
    others: int = 0
    active: int = 0
    reserved: int = 0
    peak: int = 0
    calls: list[str] = field(default_factory=list)

    def take(self, nbytes: int) -> None:
        self.active += nbytes
        self.reserved = max(self.reserved, self.active)
        self.peak = max(self.peak, self.reserved)

    def give(self, nbytes: int) -> None:
        self.active -= nbytes

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def memory_stats(self, index: int) -> dict[str, int]:
        assert index == 0
        return {"reserved_bytes.all.current": self.reserved, "active_bytes.all.current": self.active}

    def reset_peak_memory_stats(self, index: int) -> None:
        self.peak = self.reserved

    def max_memory_reserved(self, index: int) -> int:
        return self.peak

    def empty_cache(self) -> None:
        self.calls.append("empty_cache")
        self.reserved = self.active


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    fake = FakeCuda()
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=fake))
    monkeypatch.setattr(
        detect, "nvml_memory",
        lambda _: SimpleNamespace(total=fake.total, free=fake.total - fake.others - fake.reserved),
    )  # fmt: skip
    return fake


def test_free_on_a_gpu_is_what_the_driver_has_and_what_torch_keeps_unused(cuda: FakeCuda) -> None:
    cuda.others = 200
    cuda.take(500)
    cuda.give(300)
    assert memory.read_memory(GPU) == Reading(1000, 600, 200)


def test_a_peak_on_a_gpu_is_what_was_taken_from_the_driver_beyond_the_weights(cuda: FakeCuda) -> None:
    cuda.take(300)
    with peak_memory.measuring(GPU) as peak:
        cuda.take(250)
        cuda.give(250)
    assert peak.nbytes == 250


def test_a_careful_measurement_does_not_see_what_an_earlier_run_left_in_the_cache(cuda: FakeCuda) -> None:
    cuda.take(300)
    cuda.take(600)
    cuda.give(600)
    with peak_memory.measuring(GPU, fresh=True) as peak:
        cuda.take(50)
    assert peak.nbytes == 50


def test_ten_rounds_of_loading_and_unloading_leave_a_gpu_as_it_was(cuda: FakeCuda) -> None:
    manager = ModelManager(GPU)

    class Heavy(Model):
        def close(self) -> None:
            cuda.give(400)

    def load(_report: object) -> Model:
        cuda.take(400)
        return Heavy(400)

    for _ in range(10):
        with lease(manager, spec("a", load, weights=400), work=100):
            assert manager.status().budget == 1000
        manager.evict()
        settled(manager)
    assert (cuda.active, cuda.reserved) == (0, 0)
    manager.close()


def test_a_worker_of_its_own_counts_although_torch_here_knows_nothing_of_it(cuda: FakeCuda) -> None:
    manager = ModelManager(GPU)

    class Apart(Model):
        def close(self) -> None:
            cuda.others -= 400

    def load(_report: object) -> Model:
        cuda.others += 400
        return Apart(400)

    with lease(manager, spec("a", load, weights=400, apart=True)):
        assert manager.status().budget == 1000
    manager.close()


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["zero", "one", "two"]),
        ("2,0", ["two", "zero"]),
        ("GPU-b", ["by name GPU-b"]),
        ("1,7,0", ["one"]),
        ("", []),
        ("-1", []),
    ],
)
def test_gpus_are_counted_as_torch_does(monkeypatch: pytest.MonkeyPatch, visible: str | None, names: list[str]) -> None:
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 3,
        nvmlDeviceGetHandleByIndex=lambda index: ("zero", "one", "two")[index],
        nvmlDeviceGetHandleByUUID=lambda name: f"by name {name}",
        nvmlDeviceGetName=lambda handle: handle,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(detect, "_torch_has_cuda", lambda: True)
    detect._nvidia_names.cache_clear()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = [device.name for device in detect.detect("cuda") if device.kind == "cuda"]
    detect._nvidia_names.cache_clear()
    assert found == names


# ---- the budget


def budget(device: Device, reading: Reading, limit: int = 0, reserve: int = 0) -> Budget:
    return Budget(device, limit, reserve, lambda _: reading, lambda _: False)


def test_the_budget_is_what_is_free_and_what_models_hold_less_the_reserve() -> None:
    assert budget(GPU, Reading(1000, 300, 400), reserve=50).now(Ledger(0, unified=False))[0] == 650


def test_a_limit_of_the_person_holds_and_no_budget_is_below_nothing() -> None:
    assert budget(GPU, Reading(1000, 300, 400), limit=200).now(Ledger(0, unified=False))[0] == 200
    assert budget(GPU, Reading(1000, 10, 0), reserve=50).now(Ledger(0, unified=False))[0] == 0


def test_parked_models_may_take_half_of_what_the_machine_has_free() -> None:
    assert budget(GPU, Reading(1000, 300, 0)).now(Ledger(0, unified=False))[1] == 150


def test_a_container_limit_counts_where_psutil_sees_the_whole_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 500000\ninactive_file 250000\nactive_file 50000\n")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.read_memory(CPU) == Reading(1_000_000, 400_000)


# ---- peaks on a processor


def test_a_peak_on_a_processor_is_seen_while_it_lasts() -> None:
    with peak_memory.measuring(CPU, fresh=True) as peak:
        block = np.ones(100_000_000, dtype=np.uint8)
        time.sleep(20 * peak_memory.EVERY)  # long enough for one look, also on a busy machine
        del block
    assert peak.nbytes is not None
    assert 90_000_000 <= peak.nbytes <= 140_000_000


def test_nothing_is_claimed_of_a_device_that_cannot_tell() -> None:
    with peak_memory.measuring(Device("mps")) as peak:
        pass
    assert peak.nbytes is None


# ---- what is learned


def test_an_estimate_holds_until_something_was_measured(tmp_path: Path) -> None:
    learned = Learned(tmp_path / "memory.json")
    assert learned.expect("cuda:0", "m", "image 8", 100) == 100
    learned.note("cuda:0", "m", "image 8", 60)
    assert learned.expect("cuda:0", "m", "image 8", 100) == 60
    assert learned.expect("cuda:0", "m", "image 9", 100) == 100
    assert learned.expect("cpu", "m", "image 8", 100) == 100


def test_a_larger_peak_counts_at_once_and_a_smaller_one_by_and_by() -> None:
    learned = Learned()
    for peak in (80, 160, 80):
        learned.note("cpu", "m", "s", peak)
    assert learned.expect("cpu", "m", "s", 0) == 140
    for _ in range(40):
        learned.note("cpu", "m", "s", 80)
    assert 80 <= learned.expect("cpu", "m", "s", 0) <= 84


def test_running_out_of_memory_keeps_more_from_then_on() -> None:
    learned = Learned()
    learned.ran_out("cpu", "m", "s", 100)
    assert learned.expect("cpu", "m", "s", 100) == 150
    learned.ran_out("cpu", "m", "s", 150)
    assert learned.expect("cpu", "m", "s", 100) == 225


def test_what_was_learned_outlives_the_studio(tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    Learned(file).note("cpu", "m", "s", 70)
    again = Learned(file)
    assert again.expect("cpu", "m", "s", 0) == 70
    assert again.unknown("cpu", "m", "s"), "the first of a new start is measured with care"


@pytest.mark.parametrize("content", ["", "[1]", '{"a": "b", "c": -1}', "{"])
def test_a_damaged_table_is_begun_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "memory.json"
    file.write_text(content)
    learned = Learned(file)
    learned.note("cpu", "m", "s", 70)
    assert json.loads(file.read_text()) == {"cpu m s": 70}


def test_a_full_disk_costs_an_estimate_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    learned = Learned(tmp_path / "memory.json")
    learned.note("cpu", "m", "s", 70)
    assert learned.expect("cpu", "m", "s", 0) == 70


# ---- several devices


@pytest.fixture
def fleet() -> Any:
    room = {0: 100, 1: 300}

    def make(device: Device) -> ModelManager:
        total = room[device.index]
        return ModelManager(device, limit=total, read=lambda _: Reading(total, total))

    made = Fleet([Device("cuda", 0), Device("cuda", 1)], make, None)
    yield made
    for manager in made:
        manager.close()


def test_a_job_goes_where_its_model_is_warm(fleet: Fleet) -> None:
    small, large = fleet.devices
    with lease(small, spec("a", weights=40)):
        pass
    assert fleet.choose("a", 40) is small
    assert fleet.choose("b", 40) is large
    assert fleet.holding("a") == (small,)


def test_a_cold_model_goes_where_it_fits_without_sending_others_away(fleet: Fleet) -> None:
    small, large = fleet.devices
    with lease(large, spec("big", weights=250)):
        assert fleet.choose("b", 80) is small
        assert fleet.choose("c", 200) is large


def test_what_fits_nowhere_is_refused_by_the_largest(fleet: Fleet) -> None:
    assert fleet.choose("a", 999) is fleet.devices[1]


def test_models_that_compute_on_the_processor_do_not_wait_for_a_gpu() -> None:
    def make(device: Device) -> ModelManager:
        return ModelManager(device, limit=100, read=lambda _: Reading(100, 100))

    made = Fleet([Device("cuda", 0)], make, Device("cpu"))
    assert made.choose("gguf", 10, on_processor=True).device.kind == "cpu"
    assert [manager.device.kind for manager in made] == ["cuda", "cpu"]
    for manager in made:
        manager.close()
