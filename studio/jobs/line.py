"""Line: the jobs that wait for a device, and which of them goes next; pure bookkeeping.

Nothing here locks, sleeps or knows what a job is: studio.jobs.turns lets go who is next. The rules:

- A lane is what jobs compete for: as many of them work at a time as it has places. Jobs that one model answers at once
  take one place.
- Of those who wait, the next turn is that of the address that had fewest, and there of whoever had fewest; who comes
  waits behind those with as many. Two who wait together are never more than LEAD + 1 turns apart.
- Among people who do not know each other (`strangers`) a turn is as long as it takes: the next is that of whoever used
  the lane for the fewest seconds, and nobody has two jobs at work.
- Everybody's own jobs go in the order in which they came, or in which they were put by hand. One that is on hold keeps
  its place and is passed by.
- A job whose model was the last to be used may go before one that needs another model, where that saves a load: never
  past one that was put by hand, PASSED times at most past the same one, and only as long as what went past it takes no
  longer than PATIENCE together. It counts as a turn of whoever it belongs to, who may be LEAD turns ahead at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Literal, TypeVar

K = TypeVar("K")
Share = tuple[str, str]
"""A network address, and who asks there; programs that do not say who they are, are one."""
Saves = Callable[[str, str], float]
"""Seconds that are saved where a model, the first, is used once more before another, the second, takes its place."""
Move = Literal["up", "down", "front"]

PASSED = 3
"""Jobs that may go past one that waits."""
LEAD = 3
"""Turns by which somebody may get ahead of another who waits, because of a model."""
PATIENCE = 120.0
"""Seconds that what goes past a job may take, together."""
UNKNOWN = 30.0
"""What a job counts for there, whose length nobody knows."""
WORTH = 1.0
"""Seconds that have to be saved for it."""


@dataclass(slots=True)
class Entry:
    """A job in line.

    Attributes:
        share: whose it is.
        model: what it is computed with. most: jobs that this model answers at once.
        lane: what it competes for.
        seconds: how long it takes; None where nobody knows.
        put: its place was chosen by hand. held: it is on hold.
        passed: how many went past it, and for how long these take (delayed).
        saved: seconds that were saved because it went first; 0 where it did not.
    """

    id: str
    share: Share
    model: str = ""
    most: int = 1
    lane: str = ""
    seconds: float | None = None
    put: bool = False
    held: bool = False
    passed: int = 0
    delayed: float = 0.0
    saved: float = 0.0


@dataclass(slots=True)
class Rank:
    """How many turns somebody had among those who wait in a lane, or seconds of it; and since when they wait.

    Attributes:
        open: seconds that those of theirs which are at work are expected to take.
    """

    turns: float
    since: int
    open: float = 0.0

    @property
    def key(self) -> tuple[float, int]:
        return self.turns + self.open, self.since


@dataclass(slots=True)
class Lane:
    """Who is at work in a lane, which model was the last to be used there, and whose turn it is."""

    places: int
    working: dict[str, Entry] = field(default_factory=dict)
    last: str = ""
    addresses: dict[str, Rank] = field(default_factory=dict)
    people: dict[Share, Rank] = field(default_factory=dict)

    def room(self, entry: Entry) -> bool:
        """Whether one more has a place, or shares one."""
        there = Counter((other.model, other.most) for other in self.working.values())
        there[entry.model, entry.most] += 1
        return sum(-(-number // most) for (_, most), number in there.items()) <= self.places

    def taken(self, entry: Entry) -> bool:
        """Whether a job's model is at work to the full, so that a further device is of no use to it."""
        same = sum(other.model == entry.model for other in self.working.values())
        return self.places > 1 and bool(entry.model) and same > 0 and same % entry.most == 0


class Line:
    """All jobs that wait, each person's in their own order.

    Args:
        places: of each lane; a lane that is not among them has one.
        saves: seconds that a load takes which is done without.
        strangers: they do not know each other: turns are told by seconds, and nobody has two jobs at work.
    """

    def __init__(
        self, places: Mapping[str, int] | None = None, saves: Saves = lambda _, __: 0.0, *, strangers: bool = False
    ) -> None:
        self._places, self.saves, self._strangers = dict(places or {}), saves, strangers
        self.lanes: dict[str, Lane] = {}
        self.own: dict[Share, list[Entry]] = {}
        self._holding: set[str] = set()  # whether or not they are in line yet
        self._clock = 0

    # ---- coming and going

    def add(self, entry: Entry, front: bool = False) -> None:
        """A job waits from now on: behind those of the same person, or before them (`front`)."""
        self.leave(entry.id)
        entry.held = entry.id in self._holding
        line = self.own.setdefault(entry.share, [])
        line.insert(0 if front else len(line), entry)
        self._join(entry)

    def next(self) -> Entry | None:
        """Who goes now, and is at work from now on; None where there is no room, or nobody."""
        for name, lane in self.lanes.items():
            if (entry := self._choose(name, lane, real=True)) is not None:
                self._take(entry, lane)
                lane.working[entry.id] = entry
                return entry
        return None

    def drop(self, id: str) -> Entry | None:
        """Take a job out that waits; None where it does not."""
        entry = self.waiting(id)
        if entry is not None:
            self._remove(entry)
            self._holding.discard(id)
        return entry

    def leave(self, id: str, seconds: float = 0.0) -> Entry | None:
        """A job is at work no more, after so many seconds."""
        for lane in self.lanes.values():
            if (entry := lane.working.pop(id, None)) is not None:
                if self._strangers:
                    self._settle(entry, lane, seconds)
                return entry
        return None

    def over(self, id: str, seconds: float = 0.0) -> None:
        """Nothing more is to be known of a job."""
        self.leave(id, seconds)
        self._holding.discard(id)

    # ---- steering

    def resize(self, lane: str, places: int) -> None:
        """A lane has more or fewer places from now on."""
        self._places[lane] = self.lanes.setdefault(lane, Lane(places)).places = places

    def hold(self, id: str, on: bool) -> bool:
        """Put a job on hold, also one that is not in line yet, or let it go on; whether it waits."""
        (self._holding.add if on else self._holding.discard)(id)
        entry = self.waiting(id)
        if entry is None:
            return False
        if entry.held and not on:  # it has not waited for a turn meanwhile
            entry.held = False
            self._join(entry)
        entry.held = on
        self._forget(entry, self.lanes[entry.lane])
        return True

    def move(self, id: str, how: Move) -> bool:
        """Put a job elsewhere among those of the same person; False where it is there already or does not wait."""
        entry = self.waiting(id)
        if entry is None:
            return False
        line = self.own[entry.share]
        alike = [one for one in line if one.lane == entry.lane and one.held == entry.held]
        places = [at for at, one in enumerate(line) if one in alike]
        shown = {one.id: at for at, one in enumerate(self.order())}  # what is seen is what is changed
        alike.sort(key=lambda one: shown[one.id])
        at = alike.index(entry)
        to = {"up": max(at - 1, 0), "down": min(at + 1, len(alike) - 1), "front": 0}[how]
        alike.insert(to, alike.pop(at))
        for place, one in zip(places, alike, strict=True):
            line[place] = one
        entry.put = True
        return at != to

    # ---- looking

    def waiting(self, id: str) -> Entry | None:
        return next((entry for line in self.own.values() for entry in line if entry.id == id), None)

    def order(self) -> list[Entry]:
        """Copies of all that wait, in the order in which they will go if nobody comes and none ends early; those on
        hold at the end, each person's in their order."""
        ahead = Line(self._places, self.saves, strangers=self._strangers)
        ahead._clock = self._clock
        ahead.own = {share: [copy(entry) for entry in line] for share, line in self.own.items()}
        steps: list[tuple[int, str, Entry]] = []
        for name, lane in self.lanes.items():
            there = Lane(lane.places, {}, lane.last, _copied(lane.addresses), _copied(lane.people))
            number = 0
            while (entry := ahead._choose(name, there, real=False)) is not None:
                ahead._take(entry, there)
                steps.append((number, name, entry))
                number += 1
        held = [copy(entry) for line in self.own.values() for entry in line if entry.held]
        return [entry for _, _, entry in sorted(steps, key=lambda step: step[:2])] + held

    def ahead(self, id: str, order: Sequence[Entry]) -> int:
        """How many have to end before a job can go: those at work in its lane, and those that go before it.

        Jobs that are at work on one model at once are one: as soon as any of them ends, its place is free.

        Args:
            order: as `order` tells it.
        """
        entry = self.waiting(id)
        if entry is None:
            return 0
        working = self.lanes[entry.lane].working.values()
        at_work = {(other.model, other.id if other.most == 1 else "") for other in working}
        before = 0
        for other in order:
            if other.id == id:
                break
            before += other.lane == entry.lane and not other.held
        return len(at_work) + before

    # ---- within

    def _join(self, entry: Entry) -> None:
        """A job can go from now on: where its owner had none that could, they wait behind those with as many turns."""
        lane = self.lanes.setdefault(entry.lane, Lane(self._places.get(entry.lane, 1)))
        if entry.held:
            return
        self._clock += 1
        name, address = entry.lane, entry.share[0]
        others = {share for share in self.own if share != entry.share and self._waits(share, name)}
        if not any(one.lane == name and not one.held and one is not entry for one in self.own[entry.share]):
            here = [rank.turns for share, rank in lane.people.items() if share[0] == address and share in others]
            lane.people[entry.share] = Rank(_behind(lane.people.get(entry.share), here), self._clock)
            if not here:
                there = {share[0] for share in others}
                turns = [rank.turns for one, rank in lane.addresses.items() if one in there]
                lane.addresses[address] = Rank(_behind(lane.addresses.get(address), turns), self._clock)

    def _choose(self, name: str, lane: Lane, real: bool) -> Entry | None:
        """The next of a lane. `real`: there has to be room for it."""
        heads = list(self._heads(name, lane, real))
        if not heads:
            return None
        head = heads[0]
        if real and not lane.room(head):
            return None
        chosen = head
        if lane.last and head.model != lane.last and (saved := self.saves(lane.last, head.model)) >= WORTH:
            chosen = next((entry for entry in self._passing(heads, name, lane) if not real or lane.room(entry)), head)
            chosen.saved = saved if chosen is not head else 0.0
        if chosen is not head:
            for entry in {id(one): one for one in (head, *self._before(chosen))}.values():
                entry.passed += 1
                entry.delayed += UNKNOWN if chosen.seconds is None else chosen.seconds
        return chosen

    def _heads(self, name: str, lane: Lane, real: bool) -> Iterator[Entry]:
        """The first job of everybody who waits in a lane, in the order of their turns."""
        people = [share for share in self.own if share in lane.people and self._waits(share, name)]
        if real and self._strangers:
            busy = {entry.share for other in self.lanes.values() for entry in other.working.values()}
            people = [share for share in people if share not in busy]
        people.sort(key=lambda share: (lane.addresses[share[0]].key, lane.people[share].key))
        for share in people:
            for entry in self.own[share]:
                if entry.lane == name and not entry.held and not (real and lane.taken(entry)):
                    yield entry
                    break

    def _passing(self, heads: list[Entry], name: str, lane: Lane) -> Iterator[Entry]:
        """Jobs with the model that was the last to be used, which may go before the first of `heads`."""
        head = heads[0]
        for first in heads:
            if first is not head and self._lead(first, head, lane) >= LEAD:
                continue
            for entry in self.own[first.share]:
                if entry.lane != name or entry.held or entry.model != lane.last:
                    continue
                before = self._before(entry)
                seconds = UNKNOWN if entry.seconds is None else entry.seconds
                if before and (entry.put or any(one.put for one in before)):
                    continue
                if all(_patient(one, seconds) for one in (head, *before)):
                    yield entry

    def _before(self, entry: Entry) -> list[Entry]:
        """The same person's jobs that would go first."""
        line = self.own[entry.share]
        return [one for one in line[: line.index(entry)] if one.lane == entry.lane and not one.held]

    def _lead(self, one: Entry, other: Entry, lane: Lane) -> float:
        """By how many turns somebody is ahead of another."""
        if one.share[0] != other.share[0]:
            ahead = lane.addresses[one.share[0]].key[0] - lane.addresses[other.share[0]].key[0]
        else:
            ahead = lane.people[one.share].key[0] - lane.people[other.share].key[0]
        return ahead / UNKNOWN if self._strangers else ahead

    def _take(self, entry: Entry, lane: Lane) -> None:
        """It is somebody's turn."""
        self._clock += 1
        for rank in (lane.addresses[entry.share[0]], lane.people[entry.share]):
            rank.since = self._clock
            if self._strangers:
                rank.open += _expected(entry)
            else:
                rank.turns += 1
        lane.last = entry.model
        self.own[entry.share].remove(entry)
        self._forget(entry, lane)

    def _settle(self, entry: Entry, lane: Lane, seconds: float) -> None:
        """What somebody's job took is theirs, whether or not they wait again."""
        rivals = {share for share in self.own if share != entry.share and self._waits(share, entry.lane)}
        near = [rank for share, rank in lane.people.items() if share in rivals and share[0] == entry.share[0]]
        far = [rank for where, rank in lane.addresses.items() if where in {share[0] for share in rivals}]
        for rank in (
            lane.addresses.setdefault(entry.share[0], Rank(_behind(None, [one.turns for one in far]), self._clock)),
            lane.people.setdefault(entry.share, Rank(_behind(None, [one.turns for one in near]), self._clock)),
        ):
            rank.open = max(rank.open - _expected(entry), 0.0)
            rank.turns += seconds
        self._forget(entry, lane)

    def _remove(self, entry: Entry) -> None:
        self.own[entry.share].remove(entry)
        self._forget(entry, self.lanes[entry.lane])

    def _forget(self, entry: Entry, lane: Lane) -> None:
        """Forget whom nobody has to be compared with: those who wait no more and are not ahead of anybody who does."""
        if not self.own.get(entry.share, True):
            del self.own[entry.share]
        name = entry.lane
        waiting = {
            address: lane.addresses[address].turns for address in lane.addresses if self._waits_at(address, name)
        }
        least = min(waiting.values(), default=None)
        for address, rank in list(lane.addresses.items()):
            if address not in waiting and (least is None or rank.turns <= least):
                del lane.addresses[address]
        for share, rank in list(lane.people.items()):
            if self._waits(share, name):
                continue
            here = [other.turns for one, other in lane.people.items() if one[0] == share[0] and self._waits(one, name)]
            if not here or rank.turns <= min(here):
                del lane.people[share]

    def _waits(self, share: Share, lane: str) -> bool:
        return any(entry.lane == lane and not entry.held for entry in self.own.get(share, ()))

    def _waits_at(self, address: str, lane: str) -> bool:
        return any(share[0] == address and self._waits(share, lane) for share in self.own)


def _patient(entry: Entry, seconds: float) -> bool:
    return entry.passed < PASSED and entry.delayed + seconds <= PATIENCE


def _expected(entry: Entry) -> float:
    return UNKNOWN if entry.seconds is None else entry.seconds


def _behind(known: Rank | None, rivals: list[float]) -> float:
    """The turns that somebody who comes counts as having had."""
    return max(known.turns if known else 0, min(rivals, default=0))


def _copied(ranks: dict[K, Rank]) -> dict[K, Rank]:
    return {key: copy(rank) for key, rank in ranks.items()}
