"""Loops: an answer that says the same again and again, told from what is only long or regular."""

from __future__ import annotations

LONGEST = 600
"""Letters of what may be repeated."""
LEAST, TIMES = 300, 5
"""Letters that a loop takes at least, and how often it says the same."""
CODE = 8
"""In code so many times as much has to repeat: tables of zeros are no loop."""


def loops(said: str) -> bool:
    """Whether a text ends in a loop."""
    more = CODE if said.count("```") % 2 else 1
    end = said[-24:]
    for period in range(1, LONGEST + 1):
        long = max(LEAST, TIMES * period) * more
        if len(said) < long:
            return False
        if said[-24 - period : -period] == end and said[-long + period :] == said[-long:-period]:
            return bool(end.strip())
    return False
