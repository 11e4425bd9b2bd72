"""What the model manager costs and saves, and a long walk over its rules.

Prints, and fails where an aim is missed:

- lease: milliseconds from asking for a loaded model to having let go of it, the median (aim: under 1);
- switch: two models that both fit, taken in turn: loads and bytes read from the disk (aim: none);
- return: a model of 724 MB that was parked, against one that is read again from its file, which the system has cached
  (aim: at least 5 times faster). The two take turns; the median of each round's ratio counts;
- walk: random events against the rules (aim: no violation), and known bugs sown in (aim: all found).

With a GPU the first three run there, and ten rounds of loading and unloading have to leave it as it was.

    python bench/manager.py [--rounds 7] [--events 1000000]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "unit" / "manager"))

import big
import psutil
from leasing import lease

from studio.catalog.card import Card
from studio.devices import memory
from studio.devices.detect import detect, physical_cores
from studio.devices.device import Device
from studio.engines.base import engine
from studio.engines.shared import quantise
from studio.manager import ModelManager, Spec

LEASES, SWITCHES, ROUNDS_BACK = 500, 20, 10


class Bench:
    """One device and a big model with random weights."""

    def __init__(self, folder: Path, device: Device) -> None:
        quantise.quiet()
        self.card: Card = big.big_model(folder, "text")
        self.files, self.device = folder, device
        self.manager = ModelManager(device)
        self.loads = 0

    def spec(self, key: str) -> Spec:
        kind = engine(self.card.engine)

        def load(report: Callable[[float], None]) -> Any:
            self.loads += 1
            return kind.load(self.card, self.files, self.device, report)

        return Spec(key, kind.weights(self.card, self.files), load, keep_alive=-1, park_alive=600)

    def settle(self) -> None:
        for _ in range(3):
            done = threading.Event()
            self.manager.lane.put(done.set)
            done.wait()

    def use(self, key: str) -> float:
        """Seconds until the model could compute."""
        started = time.perf_counter()
        with lease(self.manager, self.spec(key)):
            return time.perf_counter() - started

    def park(self, key: str) -> None:
        """Send a model off its device, as if its time were over."""
        entry = self.manager._core.ledger.entries[key]
        entry.keep_alive = 0
        self.manager._tell(self.manager._core.tick)
        self.settle()
        state = next(model.state for model in self.manager.status().models if model.key == key)
        if state != "parked":
            raise SystemExit(f"the model is {state}, not parked")


def leases(bench: Bench) -> bool:
    bench.use("a")
    median = statistics.median(bench.use("a") for _ in range(LEASES)) * 1000
    print(f"lease   {median:.3f} ms, the median of {LEASES} (aim: under 1)")
    return median < 1


def switches(bench: Bench) -> bool:
    for key in "ab":
        bench.use(key)
    loads, read = bench.loads, _read()
    seconds = [bench.use(key) for _ in range(SWITCHES) for key in "ab"]
    loads, read = bench.loads - loads, _read() - read
    median = statistics.median(seconds) * 1000
    print(f"switch  {median:.3f} ms, {loads} loads and {read} bytes from the disk in {len(seconds)} (aim: none)")
    bench.manager.evict()
    bench.settle()
    return not loads and not read


def returns(bench: Bench, rounds: int) -> bool:
    bench.use("a")
    ratios, cold, warm = [], [], []
    for _ in range(rounds):
        bench.manager.evict("a")
        bench.settle()
        cold.append(bench.use("a"))
        bench.park("a")
        warm.append(bench.use("a"))
        ratios.append(cold[-1] / warm[-1])
    ratio = statistics.median(ratios)
    print(
        f"return  {ratio:.0f} times faster than a load: {statistics.median(warm) * 1000:.1f} ms against "
        f"{statistics.median(cold) * 1000:.0f} ms, {bench.card.disk_bytes / 1e6:.0f} MB (aim: 5)"
    )
    return ratio >= 5


def rounds_back(bench: Bench) -> bool:
    """On a GPU: what is allocated after ten rounds is what was before the first."""
    import torch

    bench.manager.evict()
    bench.settle()
    before = torch.cuda.memory_allocated(bench.device.index)
    for _ in range(ROUNDS_BACK):
        bench.use("a")
        bench.manager.evict()
        bench.settle()
    left = torch.cuda.memory_allocated(bench.device.index) - before
    print(f"rounds  {left} bytes more on the GPU after {ROUNDS_BACK} loads and unloads (aim: 0)")
    return left == 0


def walk(events: int) -> bool:
    import manager_mutants as mutants
    import manager_world

    started, done, each = time.perf_counter(), 0, 400
    while done < events:
        manager_world.walk(done, each)  # raises where a rule is broken
        done += each
    print(f"walk    {done:,} events in {time.perf_counter() - started:.0f} s, no violation")
    found = []
    for what in mutants.MUTANTS:
        with mutants.sown(what):
            found.append(bool(mutants.caught()))
    print(f"bugs    {sum(found)} of {len(found)} found")
    return all(found)


def _read() -> int:
    """Bytes that this process made the disk read so far."""
    return int(psutil.Process().io_counters().read_bytes)  # pyright: ignore[reportAttributeAccessIssue]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = parser.parse_args()
    device = replace(detect(options.device)[0], threads=physical_cores())
    print(f"device  {device.name}, {memory.read_memory(device).free / 1e9:.1f} GB free")
    good: list[bool] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "big", device)
        try:
            good += [leases(bench), switches(bench), returns(bench, options.rounds)]
            if device.kind == "cuda":
                good.append(rounds_back(bench))
        finally:
            bench.manager.close()
    good.append(walk(options.events))
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
