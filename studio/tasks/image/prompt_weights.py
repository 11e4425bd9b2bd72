"""Weights in a prompt, in the syntax that AUTOMATIC1111's web UI made common.

``(word)`` counts 1.1 times, ``((word))`` 1.21 times, ``(word:1.3)`` 1.3 times, ``[word]`` 1/1.1 times; ``\\(`` is a
bracket that is only a bracket. A bracket that is never closed reaches to the end, one that was never opened is text.
Pure text: knows neither tokens nor models, and no input is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

_STRONGER, _WEAKER = 1.1, 1 / 1.1
_GREATEST = 10.0
"""Weights end here, either way: nested brackets grow without bound, and nothing is painted from such numbers."""

_DEEP = 64
"""How many brackets that are never closed count: by then a weight is at its end, and a wall of them costs nothing."""

_SPECIAL = re.compile(r"\\[()\[\]\\]|[()\[\]]|:\s*([+-]?[.\d]+)\s*\)")


def attention(text: str) -> list[tuple[str, float]]:
    """The prompt as pieces of plain text with their weights; neighbours differ in weight, none is empty.

    The rules are those of `parse_prompt_attention` in stable-diffusion-webui, so that its prompts mean the same here.
    """
    words: list[str] = []
    weights: list[float] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def add(piece: str) -> None:
        if piece:
            words.append(piece)
            weights.append(1.0)

    def multiply(start: int, factor: float) -> None:
        weights[start:] = [weight * factor for weight in weights[start:]]

    end = 0
    for match in _SPECIAL.finditer(text):
        add(text[end : match.start()])
        end, found = match.end(), match.group()
        weight = _number(match.group(1))
        if found in opened:
            opened[found].append(len(words))
        elif weight is not None and opened["("]:
            multiply(opened["("].pop(), weight)
        elif found == ")" and opened["("]:
            multiply(opened["("].pop(), _STRONGER)
        elif found == "]" and opened["["]:
            multiply(opened["["].pop(), _WEAKER)
        elif match.group(1) is not None and weight is None and opened["("]:  # "(a:1.2.3)": no number, but a bracket
            add(found[:-1])
            multiply(opened["("].pop(), _STRONGER)
        else:
            add(found.removeprefix("\\") if len(found) == 2 else found)
    add(text[end:])
    for start in opened["("][:_DEEP]:
        multiply(start, _STRONGER)
    for start in opened["["][:_DEEP]:
        multiply(start, _WEAKER)
    return _merged(zip(words, weights, strict=True))


def plain(text: str) -> str:
    """The prompt without its weights."""
    return "".join(words for words, _ in attention(text))


def weighted(text: str) -> bool:
    """Whether any part of the prompt counts more or less than the rest."""
    return any(weight != 1.0 for _, weight in attention(text))


def escape(text: str) -> str:
    """The text with its brackets marked as being only that: `plain` of it is the text."""
    return re.sub(r"([()\[\]\\])", r"\\\1", text)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _merged(pieces: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    merged: list[tuple[str, float]] = []
    for words, weight in pieces:
        weight = max(-_GREATEST, min(_GREATEST, weight)) if math.isfinite(weight) else _GREATEST  # noqa: PLW2901
        weight = 1.0 if math.isclose(weight, 1.0) else weight  # noqa: PLW2901
        if merged and merged[-1][1] == weight:
            merged[-1] = (merged[-1][0] + words, weight)
        else:
            merged.append((words, weight))
    return merged
