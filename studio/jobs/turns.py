"""Turns: jobs wait here until it is theirs, and only as many as can work at a time are handed to the managers.

The managers serve who came first. Whoever sends ten jobs would keep all others waiting for ten, and what was handed
over has its place: nobody could put it elsewhere or on hold. Whose turn it is: studio.jobs.line.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

from studio.jobs.line import Entry, Line, Move, Saves, Share

_SHARE: ContextVar[Share] = ContextVar("share", default=("", ""))


@contextmanager
def asking(address: str, who: str) -> Iterator[None]:
    """Count the jobs that are started meanwhile, in this thread, for somebody."""
    token = _SHARE.set((address, who))
    try:
        yield
    finally:
        _SHARE.reset(token)


def asker() -> Share:
    """For whom jobs are counted that are started now in this thread; nobody where nobody said so."""
    return _SHARE.get()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a job waits for.

    Attributes:
        model, most: which model, and how many jobs it answers at once: these take one place.
        lane: what it competes for. seconds: how long it takes; None where nobody knows.
        who: whose it is, where nobody said so by `asking`.
    """

    model: str = ""
    most: int = 1
    lane: str = ""
    seconds: float | None = None
    who: str = ""


class Turns:
    """Jobs by their id, each either at work or waiting. Safe to use from several threads.

    Args:
        places: jobs at work at the same time in each lane; one in a lane that is not named.
        saves: seconds that a load takes which is done without (studio.jobs.line).
        strangers: whether those who send jobs do not know each other (studio.jobs.line).
    """

    def __init__(
        self, places: Mapping[str, int] | None = None, saves: Saves = lambda _, __: 0.0, *, strangers: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._lock, self._clock = threading.Lock(), clock
        self._saves = saves
        self._line = Line(places, saves, strangers=strangers)
        self._began: dict[str, float] = {}  # of those at work
        self._go: dict[str, Callable[[], None]] = {}
        self._shares: dict[str, Share] = {}
        self._order: tuple[Entry, ...] | None = None  # until something changes

    def ask(self, id: str, go: Callable[[], None], wish: Wish = Wish()) -> None:
        """Let a job go: at once where there is a place, else when its turn comes. Again: behind those who wait."""
        with self._changing():
            share = _SHARE.get()
            share = self._shares.setdefault(id, share if any(share) else ("", wish.who))
            self._go[id] = go
            self._line.add(Entry(id, share, wish.model, wish.most, wish.lane, wish.seconds))
        self._call()

    def again(self, id: str) -> None:
        """A job that was let go and has not begun waits again, before the others of the same person."""
        with self._changing():
            entry = self._line.leave(id, self._took(id))
            if entry is not None:
                self._line.add(entry, front=True)
        self._call()

    def drop(self, id: str) -> bool:
        """Take a job out that waits; False where it does not."""
        with self._changing():
            if self._line.drop(id) is None:
                return False
            self._forget(id)
        self._call()
        return True

    def leave(self, id: str) -> None:
        """A job is over: the next one's turn."""
        with self._changing():
            self._line.over(id, self._took(id))
            if self._line.waiting(id) is None:
                self._forget(id)
        self._call()

    def resize(self, lane: str, places: int) -> None:
        """A lane has more or fewer places from now on. Those at work go on."""
        with self._changing():
            self._line.resize(lane, places)
        self._call()

    def hold(self, id: str, on: bool) -> bool:
        """Put a job on hold, also one that is not in line yet, or let it go on; whether it waits here."""
        with self._changing():
            waits = self._line.hold(id, on)
        self._call()
        return waits

    def move(self, id: str, how: Move) -> bool:
        """Put a job elsewhere among those of the same person; False where nothing changed."""
        with self._changing():
            return self._line.move(id, how)

    def order(self) -> tuple[Entry, ...]:
        """All that wait, in the order in which they will go (Line.order)."""
        with self._lock:
            return self._ordered()

    def ahead(self, id: str) -> int:
        """How many have to end before a job can go; 0 for one that does not wait here."""
        with self._lock:
            return self._line.ahead(id, self._ordered())

    def working(self, lane: str) -> tuple[str, ...]:
        """The jobs of a lane that were let go, the first first."""
        with self._lock:
            return tuple(self._line.lanes[lane].working) if lane in self._line.lanes else ()

    def _ordered(self) -> tuple[Entry, ...]:
        if self._order is None:
            self._order = tuple(self._line.order())
        return self._order

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            self._order = None
            self._line.saves = cache(self._saves)  # it is asked again and again for one decision
            yield

    def _took(self, id: str) -> float:
        """Seconds since a job was let go."""
        began = self._began.pop(id, None)
        return 0.0 if began is None else self._clock() - began

    def _forget(self, id: str) -> None:
        self._go.pop(id, None)
        self._shares.pop(id, None)

    def _call(self) -> None:
        """Let as many go as there are places. Outside of the lock: who goes may be over at once."""
        while True:
            with self._changing():
                entry = self._line.next()
                go = self._go[entry.id] if entry is not None else None
                if entry is not None:
                    self._began[entry.id] = self._clock()
            if go is None:
                return
            go()
