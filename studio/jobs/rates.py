"""Rates: how many jobs somebody may start in a while, and all together; for studios that several people use.

How many are open at a time is bounded elsewhere (studio.jobs.queue). This bounds those that end at once: whoever stops
all that they begin costs as much as the decoding of a picture each time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from studio.errors import StudioError
from studio.jobs.line import Share

PERSON, PERSON_SECONDS = 30, 2.0
ALL, ALL_SECONDS = 300, 0.1
"""Jobs that may be started at once, and seconds until there may be one more."""
ACQUAINTED = 20
"""Times as many among people who know the password: programs of theirs ask for hundreds."""
KNOWN = 5_000
"""People whose jobs are counted; those who were seen longest ago are forgotten first."""


class Bucket:
    """Jobs that were started lately, less those that time took away."""

    def __init__(self, most: int, seconds: float, now: float) -> None:
        self._most, self._seconds, self._level, self._when = most, seconds, 0.0, now

    def wait(self, now: float) -> float:
        """Seconds until there is room for one more; 0 where there is."""
        self._level = max(self._level - (now - self._when) / self._seconds, 0.0)
        self._when = now
        return max(self._level + 1 - self._most, 0.0) * self._seconds

    def take(self) -> None:
        self._level += 1


class Rates:
    """The buckets of one studio. Its owner lets one thread in at a time.

    Args:
        times: as many as strangers may start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, times: int = 1) -> None:
        self._clock, self._times = clock, times
        self._people: dict[Share, Bucket] = {}
        self._all = Bucket(ALL * times, ALL_SECONDS / times, clock())

    def count(self, who: Share) -> None:
        """One more of somebody.

        Raises:
            StudioError: too_often, where nobody is let in for a while.
        """
        now = self._clock()
        mine = self._people.pop(who, None) or Bucket(PERSON * self._times, PERSON_SECONDS / self._times, now)
        self._people[who] = mine  # at the end: seen last
        while len(self._people) > KNOWN:
            del self._people[next(iter(self._people))]
        if wait := max(mine.wait(now), self._all.wait(now)):
            raise StudioError("too_often", seconds=math.ceil(wait))
        mine.take()
        self._all.take()
