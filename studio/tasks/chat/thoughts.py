"""Thoughts of a model before it answers, told apart from an answer that only speaks of the tag."""

from __future__ import annotations

import re

OPEN, CLOSE = "<think>", "</think>"
_WHOLE = re.compile(r"\A\s*<think>(.*?)</think>[ \t]*\n*", re.DOTALL)
_UNOPENED = re.compile(r"\A((?:(?!</?think>).)*?)\n[ \t]*</think>[ \t]*(?:\n+|\Z)", re.DOTALL)
_UNCLOSED = re.compile(r"\A\s*<think>[ \t]*(?:\n(.*))?\Z", re.DOTALL)


def under_way(said: str) -> bool:
    """Whether what was said so far is a thought that goes on."""
    return said.lstrip().startswith(OPEN) and CLOSE not in said


def ended(said: str) -> str:
    """An answer whose thought ends here, so that what comes next is the answer itself."""
    return f"{said.rstrip()}\n{CLOSE}\n\n" if under_way(said) else said


def split(answer: str) -> tuple[str, str]:
    """(what was thought aloud, the answer itself).

    A thought stands at the very beginning. Where the model's template wrote the opening tag, the closing one stands on
    a line of its own. A tag anywhere else is part of what is said.
    """
    for form in (_WHOLE, _UNOPENED):
        if found := form.match(answer):
            return found[1].strip(), answer[found.end() :]
    if found := _UNCLOSED.match(answer):
        return (found[1] or "").strip(), ""
    return "", answer
