"""Turns on a public studio: one job after another for each address, and there for each browser.

The managers serve who came first, which is right for one person. Among strangers, whoever sends ten jobs would keep all
others waiting for ten. So only as many jobs as there are devices are handed to the managers at a time, and of those
that wait the next one belongs to whoever had a turn longest ago. Jobs that one model answers at once count as one job.
Whose turn it is does not depend on that, so that nobody who wants another model waits for ever.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Share = tuple[str, str]
"""A network address, and who asks there; programs that do not say who they are, are one."""
Together = tuple[str, int]
"""A model, and how many jobs it answers at once."""
_SHARE: ContextVar[Share] = ContextVar("share", default=("", ""))


@contextmanager
def asking(address: str, who: str) -> Iterator[None]:
    """Count the jobs that are started meanwhile, in this thread, for somebody."""
    token = _SHARE.set((address, who))
    try:
        yield
    finally:
        _SHARE.reset(token)


class Turns:
    """Jobs by their id, each either at work or waiting. Safe to use from several threads.

    Args:
        places: jobs at work at the same time; 0: all of them, in the order in which they come.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._working: dict[str, Together] = {}
        self._shares: dict[str, Share] = {}
        self._waiting: dict[str, dict[str, deque[tuple[str, Together, Callable[[], None]]]]] = {}  # address: who: jobs

    def ask(self, id: str, go: Callable[[], None], together: Together = ("", 1)) -> None:
        """Let a job go: at once where there is a place, else when its turn comes. Again: behind those who wait.

        Args:
            together: of jobs with the same, so many take one place.
        """
        if not self._places:
            go()
            return
        with self._lock:
            address, who = self._shares.setdefault(id, _SHARE.get())
            self._working.pop(id, None)
            self._waiting.setdefault(address, {}).setdefault(who, deque()).append((id, together, go))
        self._call()

    def drop(self, id: str) -> bool:
        """Take a job out that waits; False where it does not."""
        with self._lock:
            address, who = self._shares.get(id, ("", ""))
            line = self._waiting.get(address, {}).get(who, deque())
            found = next((each for each in line if each[0] == id), None)
            if found is None:
                return False
            line.remove(found)
            self._tidy(address, who)
            del self._shares[id]
            return True

    def leave(self, id: str) -> None:
        """A job is over: the next one's turn."""
        with self._lock:
            self._working.pop(id, None)
            self._shares.pop(id, None)
        self._call()

    def _call(self) -> None:
        """Let as many go as there are places. Outside of the lock: who goes may be over at once."""
        while (go := self._next()) is not None:
            go()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            if not self._waiting:
                return None
            address = next(iter(self._waiting))
            who = next(iter(self._waiting[address]))
            if not self._room(self._waiting[address][who][0][1]):
                return None
            here = self._waiting.pop(address)
            line = here.pop(who)
            id, together, go = line.popleft()
            if line:
                here[who] = line  # behind the others of this address
            if here:
                self._waiting[address] = here  # and that behind the other addresses
            self._working[id] = together
            return go

    def _room(self, together: Together) -> bool:
        """Whether one more has a place, or shares one."""
        there = Counter(self._working.values())
        there[together] += 1
        return sum(-(-number // most) for (_, most), number in there.items()) <= self._places

    def _tidy(self, address: str, who: str) -> None:
        if not self._waiting[address][who]:
            del self._waiting[address][who]
        if not self._waiting[address]:
            del self._waiting[address]
