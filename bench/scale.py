"""How many devices some people need: the queue's own rules, driven by a clock that nobody waits for.

People come at random over a day, most of them in its busy hours, and some of those hours are simulated. A job goes to
the device that will be done with it first, by learned work and where models are; who is next there is decided by the
studio's own scheduling (studio.jobs.line, through studio.jobs.turns, within the limits of studio.jobs.rates); what is
made up is only that a job takes its time. Prints, for each task and for all together, the fewest devices with which
the wait at the 95th percentile stays under an aim, that wait, and how busy devices are.

How long jobs take is in PACE, or in the table that a studio learned (`--pace home/cache/pace.json`).

    python bench/scale.py [--people 10000] [--aim 30] [--hours 1] [--pace FILE] [--seed 1]
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio.errors import StudioError
from studio.jobs import turns
from studio.jobs.rates import Rates
from studio.jobs.turns import Turns, Wish

BUSY_HOURS, SHARE_OF_BUSY = 12, 0.85
"""Hours of a day in which most come, and how many of all do."""
WARM = 900.0
"""Seconds before what is counted, in which the first people come."""


@dataclass(frozen=True)
class Kind:
    """What people ask for.

    Attributes:
        each: jobs that a person starts a day; they come in one sitting.
        seconds: that one takes where its model is in memory, on average.
        load: seconds until its model is there. at_once: jobs that it answers at once.
        gigabytes: memory of model and work on one device.
        pause: seconds in which a person looks at a result before they ask again.
        spread: how much longer or shorter a job is than the average: half of them by this factor or more.
    """

    name: str
    each: int
    seconds: float
    load: float
    gigabytes: float
    at_once: int = 1
    pause: float = 40.0
    spread: float = 1.5


PACE = {
    "a card of 24 GB": (
        Kind("chat", 8, 6.0, 10, 7.0, at_once=8),
        Kind("code", 30, 0.6, 10, 7.0, at_once=8, pause=15),
        Kind("image", 6, 5.0, 15, 9.0),
        Kind("music", 2, 20.0, 10, 6.0),
        Kind("caption", 5, 0.5, 5, 4.0),
    ),
    "two cores, starters": (
        Kind("chat", 8, 3.0, 1.5, 0.7, at_once=8),
        Kind("code", 30, 1.0, 1.5, 0.7, at_once=8, pause=15),
        Kind("image", 6, 1.0, 3.0, 0.5),
        Kind("music", 2, 1.5, 1.0, 0.3),
        Kind("caption", 5, 1.0, 2.0, 0.4),
    ),
}
"""Assumed figures, of two machines. Nobody measured the first: it is what such cards are said to do with models of 7
billion parameters in 4 bits, SDXL in 25 steps, MusicGen for 10 seconds of sound. `--pace` reads what was learned."""


@dataclass(slots=True)
class Job:
    """One that came, and what became of it."""

    id: str
    kind: Kind
    who: int
    came: float
    length: float
    began: float = -1.0
    ended: float = -1.0
    refused: bool = False


@dataclass(slots=True)
class Told:
    """What came of those hours.

    Attributes:
        busy: seconds that devices worked or loaded, all together. until: when the last job ended.
    """

    jobs: list[Job]
    devices: int
    busy: float
    until: float
    loads: int

    @property
    def waits(self) -> list[float]:
        return sorted(job.began - job.came for job in self.jobs if job.began >= 0 and job.came >= WARM)

    def wait(self, share: float) -> float:
        """Seconds that this share of the jobs waited at most."""
        waits = self.waits
        return waits[min(int(len(waits) * share), len(waits) - 1)] if waits else 0.0

    @property
    def used(self) -> float:
        """Share of their time that devices were busy."""
        return self.busy / (self.devices * self.until) if self.until else 0.0


@dataclass(slots=True)
class Device:
    """A device: the models that it holds, the newest last, who is at work there, and what waits for it.

    Attributes:
        due: seconds of work that were given to it and have not ended. next: the model of what came last.
        since: when it began to work; ready: when its model is there.
    """

    lane: str
    room: float
    held: dict[str, float] = field(default_factory=dict)
    working: set[str] = field(default_factory=set)
    due: float = 0.0
    next: str = ""
    since: float = 0.0
    ready: float = 0.0

    @property
    def taken(self) -> float:
        """Gigabytes of its memory that models have."""
        return sum(self.held.values())

    def done(self, kind: Kind) -> float:
        """Seconds until it would be done with a job."""
        there = kind.name in self.held and (kind.name == self.next or self.taken + kind.gigabytes <= self.room)
        return self.due + (0.0 if there or kind.name == self.next else kind.load)


class World:
    """Devices, people and a clock.

    Args:
        memory: gigabytes of a device.
        strangers: the fairness of a public studio (studio.jobs.line).
    """

    def __init__(self, kinds: Sequence[Kind], devices: int, memory: float = 24.0, *, strangers: bool = True) -> None:
        self.now, self.kinds = 0.0, {kind.name: kind for kind in kinds}
        self._devices = [Device(f"device {number}", memory) for number in range(devices)]
        self._memory = memory
        self.turns = Turns({}, self._saves, strangers=strangers, clock=lambda: self.now)
        self.rates = Rates(clock=lambda: self.now)
        self._events: list[tuple[float, int, str, Job]] = []
        self._number = itertools.count()
        self._place: dict[str, Device] = {}
        self.busy, self.loads = 0.0, 0

    def run(self, jobs: Sequence[Job]) -> Told:
        """Let all jobs come and end."""
        for job in jobs:
            self._at(job.came, "comes", job)
        while self._events:
            self.now, _, what, job = heapq.heappop(self._events)
            (self._comes if what == "comes" else self._ends)(job)
        return Told(list(jobs), len(self._devices), self.busy, self.now, self.loads)

    def _at(self, when: float, what: str, job: Job) -> None:
        heapq.heappush(self._events, (when, next(self._number), what, job))

    def _comes(self, job: Job) -> None:
        kind, share = job.kind, (f"10.{job.who >> 16 & 255}.{job.who >> 8 & 255}.{job.who & 255}", f"browser {job.who}")
        try:
            self.rates.count(share)
        except StudioError:
            job.refused = True
            return
        device = min(self._devices, key=lambda one: (one.done(kind), kind.name not in one.held, one.taken))
        device.due += kind.seconds / kind.at_once
        device.next = kind.name
        self._place[job.id] = device
        with turns.asking(*share):
            self.turns.ask(
                job.id, lambda: self._begins(job, device), Wish(kind.name, kind.at_once, device.lane, kind.seconds)
            )

    def _begins(self, job: Job, device: Device) -> None:
        """Its turn: with others whose model is at work there, or alone once its model is."""
        if not device.working:
            device.since, device.ready = self.now, self.now + self._load(device, job.kind)
        device.working.add(job.id)
        job.began = max(self.now, device.ready)
        self._at(job.began + job.length, "ends", job)

    def _load(self, device: Device, kind: Kind) -> float:
        """Seconds until the model is there; those that were used longest ago make room."""
        if kind.name in device.held:
            device.held[kind.name] = device.held.pop(kind.name)
            return 0.0
        while device.held and device.taken + kind.gigabytes > device.room:
            del device.held[next(iter(device.held))]
        device.held[kind.name] = kind.gigabytes
        self.loads += 1
        return kind.load

    def _ends(self, job: Job) -> None:
        job.ended, device = self.now, self._place.pop(job.id)
        device.due = max(device.due - job.kind.seconds / job.kind.at_once, 0.0)
        device.working.discard(job.id)
        if not device.working:
            self.busy += self.now - device.since
        self.turns.leave(job.id)

    def _saves(self, last: str, following: str) -> float:
        both = self.kinds[last].gigabytes + (0 if following == last else self.kinds[following].gigabytes)
        return self.kinds[last].load if both > self._memory else 0.0


def hours_of(kinds: Sequence[Kind], people: int, seed: int, hours: float = 1.0) -> list[Job]:
    """The jobs of some busy hours of a day with so many people, who ask for all kinds. The same for a seed."""
    dice, jobs = random.Random(seed), []
    length = hours * 3600 + WARM
    here = SHARE_OF_BUSY * length / (BUSY_HOURS * 3600)
    for who, kind in itertools.product(range(people), kinds):
        if dice.random() >= here:
            continue
        when = dice.uniform(0, length)
        for number in range(kind.each):
            seconds = kind.seconds * dice.lognormvariate(0, _sigma(kind.spread)) / _mean(kind.spread)
            jobs.append(Job(f"{kind.name} {who} {number}", kind, who, when, seconds))
            when += seconds + dice.expovariate(1 / kind.pause)
    return sorted((job for job in jobs if job.came < length), key=lambda job: job.came)


def fewest(kinds: Sequence[Kind], people: int, aim: float, seed: int, memory: float = 24.0, hours: float = 1.0) -> Told:
    """Those hours on the fewest devices with which 95 of 100 jobs wait no longer than `aim` seconds."""
    jobs = hours_of(kinds, people, seed, hours)
    work = sum(job.length / job.kind.at_once for job in jobs)
    count = max(1, math.ceil(work / (hours * 3600 + WARM)))
    while True:
        told = World(kinds, count, memory).run(hours_of(kinds, people, seed, hours))
        if told.wait(0.95) <= aim:
            return told
        count += max(1, count // 25)


def learned(file: Path, kinds: Sequence[Kind], units: Mapping[str, float]) -> tuple[Kind, ...]:
    """The kinds with the seconds of a studio's own table, where it has some.

    Args:
        units: work of one job of a kind (studio.jobs.pace.units).
    """
    table: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    found = []
    for one in kinds:
        kind = one
        runs = [(name.split()[2], value) for name, value in table.items() if name.startswith(f"run {kind.name} ")]
        if runs:
            model, each = runs[-1]  # the one that was used last
            load = table.get(f"load {model}", kind.load)
            kind = replace(kind, seconds=each * units.get(kind.name, 1.0), load=load)
        found.append(kind)
    return tuple(found)


UNITS = {"chat": 1.0, "code": 1.0, "image": 25 * 1024 * 1024.0, "music": 10.0, "caption": 1.0}


def rows(kinds: Sequence[Kind], people: int, aim: float, seed: int, memory: float, hours: float = 1.0) -> Iterator[str]:
    """The table, a line each; at last all tasks on the same devices."""
    yield "| | jobs a day | devices | memory of each | wait, 95th percentile | busy | loads an hour |"
    yield "|---|---|---|---|---|---|---|"
    for name, some in [*((kind.name, (kind,)) for kind in kinds), ("all on the same devices", tuple(kinds))]:
        told = fewest(some, people, aim, seed, memory, hours)
        needed, asked = max(kind.gigabytes for kind in some), people * sum(kind.each for kind in some)
        size = f"{needed:g} GB" if len(some) == 1 else f"{memory:g} GB"
        yield (
            f"| {name} | {asked:,} | {told.devices} | {size} | {told.wait(0.95):.0f} s "
            f"| {told.used:.0%} | {told.loads * 3600 / told.until:.0f} |"
        )


def _sigma(spread: float) -> float:
    """Of a lognormal whose quartiles are by this factor from its middle."""
    return math.log(spread) / 0.6745


def _mean(spread: float) -> float:
    return math.exp(_sigma(spread) ** 2 / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--aim", type=float, default=30.0, help="seconds of the wait at the 95th percentile")
    parser.add_argument("--memory", type=float, default=24.0, help="gigabytes of a device")
    parser.add_argument("--hours", type=float, default=1.0, help="busy hours that are simulated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=Path, help="a home/cache/pace.json")
    options = parser.parse_args()
    for name, assumed in PACE.items():
        kinds = learned(options.pace, assumed, UNITS) if options.pace else assumed
        print(f"{options.people:,} people a day, {name}, aim {options.aim:.0f} s\n")
        for row in rows(kinds, options.people, options.aim, options.seed, options.memory, options.hours):
            print(row, flush=True)
        print()


if __name__ == "__main__":
    main()
