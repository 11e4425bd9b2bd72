"""Tries with a wrong password or key: a few are free, each further one of an address waits longer."""

from __future__ import annotations

import math
from time import monotonic

FREE = 4
"""Wrong ones of one address that cost nothing: fingers slip."""
LONGEST = 300.0
"""Seconds that the next try waits at most."""
_REMEMBERED = 5_000


class Tries:
    """How often each address was wrong in a row."""

    def __init__(self) -> None:
        self._tries: dict[str, tuple[int, float]] = {}  # address: wrong ones so far, when the next is looked at

    def wait(self, where: str) -> int:
        """Whole seconds until an address may try again; 0 for now."""
        return max(math.ceil(self._tries.get(where, (0, 0.0))[1] - monotonic()), 0)

    def count(self, where: str) -> int:
        """Take a try for a wrong one, before it is looked at: many that come at once are many tries. Returns how many
        that makes."""
        wrong = self._tries.get(where, (0, 0.0))[0] + 1
        self._tries[where] = (wrong, monotonic() + pause(wrong))
        while len(self._tries) > _REMEMBERED:
            del self._tries[next(iter(self._tries))]
        return wrong

    def right(self, where: str) -> None:
        """It was the right one."""
        self._tries.pop(where, None)


def pause(wrong: int) -> float:
    """Seconds until the next try after so many wrong ones."""
    return 0.0 if wrong < FREE else min(2.0 ** min(wrong - FREE, 30), LONGEST)
