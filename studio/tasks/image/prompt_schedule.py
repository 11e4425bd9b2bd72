"""Prompts that change while a picture is painted, and words that other programs take as commands.

    [a:b:0.5]  a in the first half of the steps, then b      [a:b:8]  a for eight steps, then b
    [a:0.5]    a from there on        [a::0.5]  a until there        [a|b]  a and b by turns, a step each
    a AND b :0.5   two prompts, each read for itself, whose pulls on the picture are added: b's half as much

The rules are those of `get_learned_conditioning_prompt_schedules` and, for AND, `get_multicond_prompt_list` in
stable-diffusion-webui; a backslash takes the meaning of a sign away. Pure text: knows neither tokens nor models, and no
input is an error. Weights are studio.tasks.image.prompt_weights's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

BREAK = re.compile(r"\s*\bBREAK\b\s*")
"""Ends a chunk of a prompt: what follows is read as if a prompt began with it."""

_AND = re.compile(r"\bAND\b")
_WEIGHT = re.compile(r"[-+]?(?:[0-9]{1,6}\.?|[0-9]{0,6}\.[0-9]{1,9})")
_MOST = 8
"""Prompts that AND can join: each is as much work as a picture of its own."""
_TAG = re.compile(
    r"<(?:hypernet|embed|embedding|segment|object|region|refiner|base|video|clear|trigger|break|param|setvar|var)"
    r"(?::[^<>]*)?>|\bembedding:[\w./\\-]*[\w]",
    re.IGNORECASE,
)
_SIGN = re.compile(r"\\.|[\[\]():|]|[^\\\[\]():|]+|\\", re.DOTALL)
_NUMBER = re.compile(r"\s*([0-9]{0,6}(?:\.[0-9]{0,9})?)\s*")
_DEEP = 32
"""Brackets inside one another that can mean something; deeper ones are signs."""


@dataclass(slots=True)
class _Edit:
    before: Sequence[str | _Edit | _Turns]
    after: Sequence[str | _Edit | _Turns]
    when: str


@dataclass(slots=True)
class _Turns:
    options: Sequence[Sequence[str | _Edit | _Turns]]


@dataclass(slots=True)
class _Open:
    """A bracket that is not closed yet: its parts between colons or bars, all signs kept."""

    sign: str
    parts: list[list[str | _Edit | _Turns]] = field(default_factory=lambda: [[]])
    marks: list[str] = field(default_factory=list)

    @property
    def flat(self) -> list[str | _Edit | _Turns]:
        """All of it as it was written."""
        found: list[str | _Edit | _Turns] = [self.sign]
        for part, mark in zip(self.parts, [*self.marks, ""], strict=True):
            found += [*part, mark]
        return found


def timetable(prompt: str, steps: int, begun: int = 0) -> tuple[str, ...]:
    """The prompt of each of `steps` steps.

    Args:
        begun: passes that lie behind: a share above 1 is one of the second pass.
    """
    tree = _parsed(prompt)
    steps = max(steps, 1)
    return tuple(_at(tree, step, steps, begun) for step in range(1, steps + 1))


def edited(prompt: str) -> bool:
    """Whether the prompt changes from step to step."""
    return any(not isinstance(piece, str) for piece in _parsed(prompt))


def without_tags(prompt: str) -> tuple[str, tuple[str, ...]]:
    """The prompt without what names something that there is not here (hypernetworks, embeddings …), and those."""
    found = tuple(dict.fromkeys(_TAG.findall(prompt)))
    if not found:
        return prompt, ()
    rest = re.sub(r"\(\s*(?::\s*[\d.]+\s*)?\)", "", _TAG.sub("", prompt))  # and the weight of nothing
    rest = re.sub(r",[ \t]*(?=,)", "", re.sub(r"[ \t]{2,}", " ", rest))
    return rest.strip(" \t,"), found


def joined(prompt: str) -> tuple[tuple[str, float], ...]:
    """The prompts that AND joins, each with its weight; one alone, as it is, where there is no AND.

    In a text of capitals AND is a word. Of more than `_MOST` prompts the last has all that is left.
    """
    if not _AND.search(prompt) or not any(sign.islower() for sign in prompt):
        return ((prompt, 1.0),)
    return tuple(_weighed(part) for part in _AND.split(prompt, _MOST - 1))


def _weighed(part: str) -> tuple[str, float]:
    """A prompt and the number behind its last colon, 1 where there is none."""
    words, colon, number = part.rpartition(":")
    found = _WEIGHT.fullmatch(number.strip())
    return (words.strip(), float(found[0])) if colon and found else (part.strip(), 1.0)


def _parsed(text: str) -> list[str | _Edit | _Turns]:
    done = _Open("")
    stack = [done]
    for found in _SIGN.finditer(text):
        sign, here = found.group(), stack[-1]
        if sign in ("[", "(") and len(stack) <= _DEEP:
            stack.append(_Open(sign))
        elif sign == "]" and here.sign == "[":
            stack.pop()
            stack[-1].parts[-1] += _meaning(here)
        elif sign == ")" and here.sign == "(":
            stack.pop()
            stack[-1].parts[-1] += [*here.flat, ")"]
        elif sign in (":", "|") and here.sign == "[":
            here.marks.append(sign)
            here.parts.append([])
        else:
            here.parts[-1].append(sign)
    while len(stack) > 1:  # never closed: only signs
        here = stack.pop()
        stack[-1].parts[-1] += here.flat
    return done.parts[0]


def _meaning(bracket: _Open) -> list[str | _Edit | _Turns]:
    marks, parts = bracket.marks, bracket.parts
    if marks and set(marks) == {"|"}:
        return [_Turns(parts)]
    last = "".join(piece for piece in parts[-1] if isinstance(piece, str))
    number = _NUMBER.fullmatch(last)
    if len(marks) in (1, 2) and set(marks) == {":"} and number and any(sign.isdigit() for sign in last):
        before = parts[0] if len(marks) == 2 else []
        return [_Edit(before, parts[-2], number[1])]
    return [*bracket.flat, "]"]


def _at(tree: Sequence[str | _Edit | _Turns], step: int, steps: int, begun: int) -> str:
    words = []
    for piece in tree:
        if isinstance(piece, str):
            words.append(piece)
        elif isinstance(piece, _Turns):
            words.append(_at(piece.options[(step - 1) % len(piece.options)], step, steps, begun))
        else:
            words.append(
                _at(piece.before if step <= _when(piece.when, steps, begun) else piece.after, step, steps, begun)
            )
    return "".join(words)


def _when(number: str, steps: int, begun: int) -> int:
    """The last step of what stands first: a share of the steps where it has a point, else a number of steps."""
    if "." in number:
        return int((float(number) - begun) * steps)
    return int(number) - begun * steps
