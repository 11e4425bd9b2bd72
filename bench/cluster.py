"""A cluster of workers on this machine: throughput, what the coordinator costs, warm models, and kills.

    python bench/cluster.py throughput [--jobs 32] [--step 0.2]    1, 2 and 4 workers with a fixed time a step
    python bench/cluster.py cost [--jobs 60]                       what a job costs more on a worker than here
    python bench/cluster.py warm [--jobs 100]                      four models, four workers, four people
    python bench/cluster.py faults [--jobs 100] [--every 10]       two machines, a worker killed with -9 again and again

It uses stand-ins for models and prints one JSON object, in which `wrong` is empty where all is well. Needs
`python start.py ray`; workers and machines are processes of this one.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "unit" / "cluster"))

from machines import STANDS_IN, pid, workers
from PIL import Image
from waiting import until

from studio.request_parts import Message
from studio.requests import CaptionRequest, ChatRequest, CodeRequest, ImageRequest, MusicRequest, Request
from studio.service import Studio
from studio.settings import Settings


def _png() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(data, "PNG")
    return data.getvalue()


STEPS = 20
FOX = ImageRequest(prompt="a fox", width=64, height=64, steps=STEPS, seed=7)
FIVE: tuple[Request, ...] = (
    ChatRequest(messages=(Message("user", "Why is the sky blue?"),), seed=1),
    FOX,
    MusicRequest(prompt="a waltz", duration=2, seed=3),
    CodeRequest(prefix="def f():", suffix="\n", language="python", seed=1),
    CaptionRequest(image=_png(), seed=5),
)


class Bench:
    """A cluster with slow stand-ins, and a studio that computes on it."""

    def __init__(self, home: Path, count: int, machines: int = 1, **options: Any) -> None:
        import slow_worker

        from studio.cluster import actor
        from studio.cluster.node import Node, Plan, part_of
        from studio.devices.device import Device

        file = home / "slow.json"
        file.write_text(json.dumps(options))
        os.environ[slow_worker.FILE] = str(file)
        os.environ["PYTHONPATH"] = os.pathsep.join([*sys.path[:3], os.environ.get("PYTHONPATH", "")])
        actor.make = slow_worker.make
        here = count // machines
        settings = Settings(**{**STANDS_IN, "home": home, "ray_workers": here})
        self.node, self._parts = Node.start(settings), []
        for number in range(1, machines):
            plans = [Plan(f"machine {number} cpu {one + 1}", Device("cpu"), 1) for one in range(here)]
            self._parts.append(part_of(self.node.address, plans, f"machine-{number}"))
            for plan in plans:
                self.node.make(plan, resources={f"machine-{number}": 1.0})
        self.studio = Studio(
            Settings(**{**STANDS_IN, "home": home / "first", "max_queue": 1000, "max_jobs_per_session": 100})
        )
        if not until(lambda: len(workers(self.studio).known) == count, 180):
            raise SystemExit(f"{len(workers(self.studio).known)} of {count} workers came")

    def close(self) -> None:
        self.studio.close()
        for part in self._parts:
            part.kill_all_processes(check_alive=False, allow_graceful=True)
        self.node.close()


@contextmanager
def cluster(count: int, machines: int = 1, **options: Any) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="atelier-cluster-") as home:
        bench = Bench(Path(home), count, machines, **options)
        try:
            yield bench
        finally:
            bench.close()


def warmed(bench: Bench, requests: Sequence[Request], count: int) -> None:
    """Have every worker compute each of these once, so that all know how long it takes."""
    for request in requests:
        for job in [bench.studio.submit(request) for _ in range(2 * count)]:
            job.result()


def throughput(jobs: int, step: float) -> dict[str, Any]:
    """Jobs a second of 1, 2 and 4 workers."""
    each = STEPS * step
    rates: dict[int, float] = {}
    for count in (1, 2, 4):
        with cluster(count, step_seconds=step) as bench:
            warmed(bench, [FOX], count)
            began = time.monotonic()
            made = [bench.studio.submit(replace(FOX, seed=number)) for number in range(jobs)]
            for job in made:
                job.result()
            rates[count] = jobs / (time.monotonic() - began)
            print(count, Counter(job.device for job in made), file=sys.stderr)
    linear = {count: rate / (count * rates[1]) for count, rate in rates.items()}
    wrong = [f"{count} workers: {share:.2f} of linear" for count, share in linear.items() if share < 0.9]
    return {
        "jobs a second": _rounded(rates), "of linear": _rounded(linear),
        "of what the steps allow": _rounded({count: rate * each / count for count, rate in rates.items()}),
        "wrong": wrong,
    }  # fmt: skip


def cost(jobs: int) -> dict[str, Any]:
    """Milliseconds that a picture of one step takes through a worker beyond those in this process."""
    quick = replace(FOX, steps=1)

    def times(studio: Studio) -> tuple[float, float]:
        for _ in range(5):
            studio.submit(quick).result()
        found, used = [], time.process_time()
        for number in range(jobs):
            began = time.perf_counter()
            studio.submit(replace(quick, seed=number)).result()
            found.append(time.perf_counter() - began)
        return statistics.median(found) * 1000, (time.process_time() - used) * 1000 / jobs

    with (
        tempfile.TemporaryDirectory() as home,
        Studio(Settings(**{**STANDS_IN, "ray": False, "home": Path(home)})) as alone,
    ):
        within = times(alone)
    with cluster(1) as bench:
        through = times(bench.studio)
    return {
        "ms a job here": round(within[0], 1), "ms a job through a worker": round(through[0], 1),
        "ms that it costs": round(through[0] - within[0], 1),
        "processor ms of the first machine a job": round(through[1], 1), "wrong": [],
    }  # fmt: skip


def warm(jobs: int) -> dict[str, Any]:
    """Four models, of which each is warm on one of four workers, asked by four people one after another."""
    with cluster(4, step_seconds=0.02, load_seconds=2.0) as bench:
        requests = [one for one in FIVE if one.task != "caption"]
        homes = {}
        for request in requests:
            job = bench.studio.submit(request)
            job.result()
            homes[request.task] = job.device
        there: list[bool] = []

        def person(request: Request, seed: int) -> None:
            chance = random.Random(seed)
            for _ in range(jobs // 4):
                job = bench.studio.submit(request, f"person {seed}")
                job.result()
                there.append(job.device == homes[request.task])
                time.sleep(chance.uniform(0.0, 0.2))

        people = [threading.Thread(target=person, args=(request, number)) for number, request in enumerate(requests)]
        for one in people:
            one.start()
        for one in people:
            one.join()
    share = sum(there) / len(there)
    return {
        "workers that the models are on": len(set(homes.values())), "requests": len(there),
        "where the model is warm": round(share, 3), "wrong": [] if share >= 0.99 else [f"{share:.3f} of requests"],
    }  # fmt: skip


def faults(jobs: int, every: float) -> dict[str, Any]:
    """Jobs of five kinds on two machines with a worker each; every so often one of these is killed."""
    wrong: list[str] = []
    with cluster(2, machines=2, step_seconds=0.02, load_seconds=0.5) as bench:
        studio, over, killed = bench.studio, threading.Event(), []

        def killer() -> None:
            names = studio.peers.names
            while not over.wait(every):
                name = names[len(killed) % len(names)]
                os.kill(pid(name), signal.SIGKILL)
                killed.append(name)

        thread = threading.Thread(target=killer)
        thread.start()
        began = time.monotonic()
        made = []
        for number in range(jobs):
            made.append(studio.submit(replace(FIVE[number % 5], seed=number), f"person {number % 4}"))
        if not until(lambda: all(job.done for job in made), 900):
            wrong.append(f"{sum(not job.done for job in made)} jobs have not ended")
        over.set()
        thread.join()
        seconds = time.monotonic() - began
        ends = Counter(job.kind for job in made)
        codes = Counter(error.code for job in made if (error := job.snapshot().error) is not None)
        if set(codes) - {"remote_gone"}:
            wrong.append(f"errors that say something else: {dict(codes)}")
        files = [file for job in made if (artifact := job.snapshot().artifact) is not None for file in artifact.files]
        kept = [file for file in studio.home.outputs.rglob("*") if file.suffix in (".png", ".wav", ".flac", ".mp3")]
        painted = {file for file in files if Path(file).suffix in (".png", ".wav", ".flac", ".mp3")}
        if len(painted) != len(kept) or len(set(files)) != len(files):
            wrong.append(f"{len(kept)} files are kept, {len(painted)} are results")
        if ends["done"] + ends["failed"] != jobs:
            wrong.append(f"{jobs} jobs, and these ends: {dict(ends)}")
        if not killed:
            wrong.append("nobody was killed")
    return {
        "jobs": jobs, "seconds": round(seconds, 1), "kills": len(killed), "ends": dict(ends), "told": dict(codes),
        "wrong": wrong,
    }  # fmt: skip


def _rounded(values: dict[int, float]) -> dict[int, float]:
    return {name: round(value, 3) for name, value in values.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = parser.add_subparsers(dest="word", required=True)
    for word, options in {
        "throughput": {"--jobs": 32, "--step": 0.2}, "cost": {"--jobs": 60}, "warm": {"--jobs": 100},
        "faults": {"--jobs": 100, "--every": 10.0},
    }.items():  # fmt: skip
        one = words.add_parser(word)
        for name, usual in options.items():
            one.add_argument(name, type=type(usual), default=usual)
    asked = vars(parser.parse_args())
    logging.disable(logging.WARNING)
    found = globals()[asked.pop("word")](**asked)
    print(json.dumps(found, indent=1))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
