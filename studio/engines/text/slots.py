"""Slots of one llama.cpp server: each answers one request at a time and remembers what it has read.

A conversation comes back to the slot that has read it, so that only what is new is read. One that no slot has read gets
the slot that nobody has used for the longest time, and what that had read is forgotten.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile

from studio.requests import Task

PATIENCE = 0.1
"""Seconds between two looks at Stop while no slot is free."""
TAIL = 4
"""Tokens at the end of a prompt that may be gone in the next turn: some templates open an answer otherwise than they
write it down."""


@dataclass(slots=True, eq=False)
class Slot:
    """One place of a server.

    Attributes:
        read: the tokens that it was given last; what it answered stands behind them.
        task: what it was used for.
        used: when, as a number that grows.
    """

    number: int
    read: list[int] = field(default_factory=list)
    task: Task = "chat"
    used: int = 0


class Slots:
    """So many slots, from several threads.

    Attributes:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self._free = [Slot(number) for number in range(count)]
        self.count, self._uses = count, 0
        self._changed = threading.Condition()

    @property
    def several(self) -> bool:
        """More than one is in use."""
        return self.count - len(self._free) > 1

    @contextmanager
    def taken(self, ids: list[int], task: Task, check: Callable[[], None]) -> Iterator[Slot]:
        """A slot for these tokens, nobody else's meanwhile.

        Args:
            check: raises once the person pressed Stop.
        """
        with self._changed:
            while not self._free:
                check()
                self._changed.wait(PATIENCE)
            slot = self._chosen(ids, task)
            self._free.remove(slot)
        try:
            yield slot
        finally:
            with self._changed:
                self._uses += 1
                slot.used, slot.task = self._uses, task
                self._free.append(slot)
                self._changed.notify()

    def _chosen(self, ids: list[int], task: Task) -> Slot:
        """The one whose conversation goes on: all that it has read is asked again. Two that begin with the same system
        prompt are not one for that. Code is changed anywhere, so it keeps to a slot of code."""
        common = {slot: shared(slot.read, ids) for slot in self._free}
        best = max(self._free, key=common.__getitem__)
        if best.read and len(best.read) - common[best] <= TAIL:
            return best
        if task == "code" and (again := [slot for slot in self._free if slot.used and slot.task == "code"]):
            return max(again, key=common.__getitem__)
        return min(self._free, key=lambda slot: slot.used)


def shared(one: list[int], other: list[int]) -> int:
    """How many tokens both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
