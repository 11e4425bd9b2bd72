"""A line of jobs at random: who comes, what is moved, held and dropped, and an account of what must be true meanwhile.

The account is written independently of studio.jobs.line: it counts turns and knows no ranks.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

from studio.jobs.line import LEAD, PASSED, Entry, Line, Share

PEOPLE: tuple[Share, ...] = (("", "a"), ("", "b"), ("far", "c"), ("far", "d"))
MODELS = ("x", "y", "z")


class Wrong(AssertionError):
    """What must be true is not."""


class World:
    """One line, walked at random.

    Args:
        saves: seconds that a load takes which is done without; 0 for no grouping.
    """

    def __init__(self, seed: int, saves: float = 20.0, lanes: tuple[str, ...] = ("",), many: bool = False) -> None:
        self.dice, self.lanes, self.grouped = random.Random(seed), lanes, saves > 0
        self.line = Line(dict.fromkeys(lanes, 1), lambda _, __: saves)
        self.people = PEOPLE if many else PEOPLE[:2]
        self.number = 0
        self.jobs: dict[str, Entry] = {}  # those that wait
        self.wanted: dict[tuple[Share, str], list[str]] = {}  # each one's order, by lane
        self.put: set[str] = set()
        self.held: set[str] = set()
        self.passed: Counter[str] = Counter()
        self.turns: dict[frozenset[Share], Counter[Share]] = {}  # of two who wait together, since they do

    # ---- what happens

    def come(self) -> None:
        share, lane = self.dice.choice(self.people), self.dice.choice(self.lanes)
        self.number += 1
        entry = Entry(f"{self.number}", share, self.dice.choice(MODELS), 1, lane, self.dice.choice([None, 1.0, 10.0]))
        self.jobs[entry.id] = entry
        self.wanted.setdefault((share, lane), []).append(entry.id)
        self.line.add(entry)

    def move(self) -> None:
        if not self.jobs:
            return
        id = self.dice.choice(sorted(self.jobs))
        entry = self.jobs[id]
        shown = [one.id for one in self.line.order() if self._alike(one, entry)]
        how = self.dice.choice(["up", "down", "front"])
        self.line.move(id, how)  # pyright: ignore[reportArgumentType]
        at = shown.index(id)
        to = {"up": max(at - 1, 0), "down": min(at + 1, len(shown) - 1), "front": 0}[how]
        shown.insert(to, shown.pop(at))
        own = self.wanted[entry.share, entry.lane]
        places = [at for at, one in enumerate(own) if one in shown]
        for place, one in zip(places, shown, strict=True):
            own[place] = one
        self.put.add(id)

    def hold(self) -> None:
        if self.jobs:
            id = self.dice.choice(sorted(self.jobs))
            if not self.line.hold(id, id not in self.held):
                raise Wrong(f"{id} does not wait")
            self.held ^= {id}
            self._together()

    def drop(self) -> None:
        if self.jobs:
            id = self.dice.choice(sorted(self.jobs))
            if self.line.drop(id) is None:
                raise Wrong(f"{id} does not wait")
            self._gone(id)

    def work(self) -> None:
        """Whoever is at work ends, and the next one goes."""
        for lane in self.line.lanes.values():
            for id in list(lane.working):
                self.line.over(id)
        said = {
            lane: [one for one in self.line.order() if one.lane == lane and one.id not in self.held]
            for lane in self.lanes
        }
        for lane in {entry.lane for entry in self.jobs.values() if entry.id not in self.held}:
            if not said[lane]:
                raise Wrong("somebody waits, and nobody is to go")
        while (entry := self.line.next()) is not None:
            if said[entry.lane][0].id != entry.id:
                raise Wrong(f"{entry.id} goes, and {said[entry.lane][0].id} was told to be next")
            self._went(entry)
        for lane, line in said.items():
            if line and not self.line.lanes[lane].working:
                raise Wrong("there is room, and nobody goes")

    # ---- what must be true

    def _went(self, entry: Entry) -> None:
        if entry.id in self.held:
            raise Wrong("it was on hold")
        own = self.wanted[entry.share, entry.lane]
        before = [id for id in own[: own.index(entry.id)] if id not in self.held]
        if before and (not self.grouped or entry.id in self.put or any(id in self.put for id in before)):
            raise Wrong(f"{entry.id} went before {before}")
        for id in before:
            self._pass(id)
        for pair, turns in self.turns.items():
            if entry.share in pair and entry.lane == "":
                turns[entry.share] += 1
                (one, other) = pair
                if abs(turns[one] - turns[other]) > 1 + (2 * LEAD if self.grouped else 0):
                    raise Wrong(f"one had {turns} turns, the other waited")
        self._gone(entry.id)

    def _pass(self, id: str) -> None:
        self.passed[id] += 1
        if self.passed[id] > PASSED:
            raise Wrong(f"{id} was passed {self.passed[id]} times")

    def _gone(self, id: str) -> None:
        entry = self.jobs.pop(id)
        self.held.discard(id)
        self.wanted[entry.share, entry.lane].remove(id)
        self._together()

    def _together(self) -> None:
        """Turns are counted from when two wait together until one of them does not any more."""
        waiting = {entry.share for entry in self.jobs.values() if entry.lane == "" and entry.id not in self.held}
        alike = {frozenset(pair) for pair in combinations(sorted(waiting), 2) if pair[0][0] == pair[1][0]}
        self.turns = {pair: self.turns.get(pair, Counter()) for pair in alike}

    def _alike(self, one: Entry, other: Entry) -> bool:
        held = one.id in self.held, other.id in self.held
        return (one.share, one.lane, held[0]) == (other.share, other.lane, held[1])


def walk(seed: int, events: int = 120, **how: object) -> str:
    """What was wrong in a walk; empty for nothing."""
    world = World(seed, **how)  # pyright: ignore[reportArgumentType]
    acts = [world.come, world.come, world.come, world.move, world.hold, world.drop, world.work, world.work, world.work]
    try:
        for _ in range(events):
            world.dice.choice(acts)()
            world._together()
    except Wrong as wrong:
        return str(wrong) or "wrong"
    return ""
