"""Presses of buttons: one at a time for each browser, and a share of the jobs for each address.

What is done before a job is accepted (reading files, decoding pictures) is done while a press is held. It is held by
browser and button: one person's slow picture keeps nobody else waiting, nor a thread for every further press. Pictures
are opened by few at a time for all together, since each takes a processor and memory.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from studio.errors import StudioError
from studio.jobs.job import Job

AT_ONCE = 2
"""Requests that are read and decoded at the same time, of everybody."""
ELSEWHERE = 2
"""Places that one address leaves free once it has half of them."""
PATIENCE = 20.0
"""Seconds that one more waits before it is told to come back."""


class Presses:
    """Who presses which button at the moment. A second press of the same one is not kept waiting: it is told so."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: set[tuple[str, str]] = set()
        self._turns: dict[str, tuple[threading.Lock, int]] = {}  # and how many use or want it

    @contextmanager
    def of(self, who: str, button: str) -> Iterator[bool]:
        """Hold a button of one browser; False where it is held already. Other browsers, and other buttons, are free."""
        with self._guard:
            free = (who, button) not in self._held
            if free:
                self._held.add((who, button))
        try:
            yield free
        finally:
            if free:
                with self._guard:
                    self._held.discard((who, button))

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Go one after another among those of one name, for what is short and must not be done twice at a time."""
        with self._guard:
            lock, users = self._turns.get(name, (threading.Lock(), 0))
            self._turns[name] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                users = self._turns[name][1] - 1
                if users:
                    self._turns[name] = lock, users
                else:
                    del self._turns[name]


class Bench:
    """Where pictures are opened: room for few at a time, and a bound on how long the others wait."""

    def __init__(self, room: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._room, self._patience = threading.BoundedSemaphore(room), patience

    @contextmanager
    def place(self) -> Iterator[None]:
        """Raises StudioError too_busy where nobody leaves in time."""
        if not self._room.acquire(timeout=self._patience):
            raise StudioError("too_busy")
        try:
            yield
        finally:
            self._room.release()


class Shares:
    """How many jobs each network address has open.

    Whoever throws cookies away is somebody new each time, but comes from where they came from before. Many people may
    come from one address: they may have all places but a few, which are for those who come from elsewhere.

    Args:
        places: jobs that may be open at once. unnamed: those of programs of one address that do not name themselves.
    """

    def __init__(self, places: int, unnamed: int) -> None:
        self._half, self._most = max(places // 2, 1), max(places - ELSEWHERE, 1)
        self._unnamed = min(unnamed, self._half)
        self._guard = threading.Lock()
        self._asking: Counter[str] = Counter()
        self._places: dict[str, tuple[str, bool]] = {}

    @contextmanager
    def of(self, address: str, named: bool, jobs: Iterable[Job]) -> Iterator[list[Job]]:
        """A place for one more job, which goes into the list that is yielded.

        Args:
            jobs: all that are known.

        Raises:
            StudioError: too_many_jobs, where the address has its share.
        """
        open_ = {job.id for job in jobs if not job.done}
        with self._guard:
            self._places = {id: place for id, place in self._places.items() if id in open_}
            here = [how for where, how in self._places.values() if where == address]
            count, unnamed = len(here) + self._asking[address], here.count(False) + self._asking[address]
            crowded = len(open_) + self._asking.total() >= self._most and count >= self._half
            if crowded or (not named and unnamed >= self._unnamed):
                raise StudioError("too_many_jobs", count=count)
            self._asking[address] += 1
        started: list[Job] = []
        try:
            yield started
        finally:
            with self._guard:
                self._asking[address] -= 1
                if not self._asking[address]:
                    del self._asking[address]
                self._places.update({job.id: (address, named) for job in started})
