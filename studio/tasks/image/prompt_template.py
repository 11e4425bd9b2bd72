"""Prompt templates filled in: styles round a prompt, words drawn from lists, alternatives, adaptations named in it.

    a {red|blue} __animals/cats__ <lora:ink:0.8>      in the style "watercolour of {prompt}"
    {3::red|blue} takes red three times as often      {2$$red|green|blue} takes two of them

Pure text. Every draw comes from the dice that the caller hands in, so that a seed always gives the same words.
Knows nothing of where lists and styles lie (studio.tasks.image.wordlists) or of the weights in a prompt
(studio.tasks.image.prompt_weights).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.errors import StudioError
from studio.request_parts import Lora

MAX_DEPTH = 12
"""How many lists may name one another in turn."""
MAX_DRAWS = 500
"""How many words one prompt may draw."""

_NEGATIVE = re.compile(r"negative prompt\s*:", re.IGNORECASE)
_WILDCARD = re.compile(r"<(?:lora|lyco):[^<>]*>|__([^\W_](?:(?:[^\W_]|[-./ ]|_(?!_)){0,98}[^\W_])?)__", re.IGNORECASE)
"""Or an adaptation, whose name may look like one."""
_LORA = re.compile(r"<(?:lora|lyco):([^<>]*)>", re.IGNORECASE)
_WEIGHT = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)::")
_SEVERAL = re.compile(r"\s*(\d{1,3})\$\$")
_HOLE = "{prompt}"

Lines = Callable[[str], Sequence[str]]
"""The lines of the list with a name; raises StudioError where there is none."""


@dataclass(frozen=True, slots=True)
class Style:
    """Words for every prompt: `{prompt}` in them marks where it goes, without that they follow it."""

    prompt: str
    negative: str = ""


def read_style(text: str) -> Style:
    """A style file: the words, and in its last line perhaps `Negative prompt: …`."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    negative = ""
    if lines and (found := _NEGATIVE.match(lines[-1])):
        negative = lines.pop()[found.end() :].strip()
    return Style(" ".join(lines), negative)


def with_style(prompt: str, style: Style) -> str:
    """The prompt with a style's words round it."""
    if _HOLE in style.prompt:
        return style.prompt.replace(_HOLE, prompt)
    return ", ".join(part for part in (prompt, style.prompt) if part.strip())


def with_negative(negative: str, style: Style) -> str:
    """The negative prompt with a style's own, once: a picture's settings that are used again have it already."""
    if style.negative in negative:
        return negative
    return ", ".join(part for part in (negative, style.negative) if part.strip())


def read_lines(text: str) -> tuple[str, ...]:
    """What a list has to draw from: its lines, without blank ones and those that begin with #."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def fill(text: str, dice: random.Random, lines: Lines, longest: int) -> str:
    """`text` with one of each `{a|b}` and one line for each `__name__`.

    A backslash before a brace or a bar takes its meaning away. Braces without a bar stay as they are.

    Args:
        longest: characters that the result may have.

    Raises:
        StudioError: whatever `lines` raises, wildcard_loop, or too_long.
    """
    draws = 0

    def draw(name: str, depth: int) -> str:
        nonlocal draws
        draws += 1
        if depth > MAX_DEPTH or draws > MAX_DRAWS:
            raise StudioError("wildcard_loop", name=name)
        return whole(dice.choice(lines(name)), depth)

    def whole(part: str, depth: int) -> str:
        filled = _WILDCARD.sub(lambda found: draw(found[1], depth + 1) if found[1] else found[0], _choose(part, dice))
        if len(filled) > longest:
            raise StudioError("too_long", field="field.prompt", count=len(filled), limit=longest)
        return filled

    return whole(text, 0)


def take_loras(text: str) -> tuple[str, tuple[Lora, ...]]:
    """`text` without its `<lora:name:weight>`, and the adaptations it named; of two of one name the last.

    `<lyco:…>` is what an extension of that time wrote for the same.

    Raises:
        StudioError: bad_lora.
    """
    found: dict[str, Lora] = {}
    for tag in _LORA.finditer(text):
        name, _, rest = tag[1].strip().partition(":")
        weight = rest.partition(":")[0].strip()  # a second number would be the text encoder's own
        try:
            lora = Lora(name.strip(), float(weight) if weight else 1.0)
        except ValueError:
            raise StudioError("bad_lora", text=tag[0].strip()[:80]) from None
        if not lora.name:
            raise StudioError("bad_lora", text=tag[0].strip()[:80])
        found.pop(lora.name, None)
        found[lora.name] = lora
    if not found:
        return text, ()
    rest = re.sub(r"[ \t]{2,}", " ", _LORA.sub("", text))
    return re.sub(r",[ \t]*(?=,)", "", rest).strip(" \t,"), tuple(found.values())


def with_weight(text: str, name: str, weight: float) -> str:
    """`text` with another weight for the adaptation `name`, or for all where it is empty."""

    def weigh(tag: re.Match[str]) -> str:
        own = tag[1].partition(":")[0].strip()
        return f"<lora:{own}:{weight:g}>" if name in ("", own) else tag[0]

    return _LORA.sub(weigh, text)


def without_loras(text: str, out: Callable[[str], bool]) -> tuple[str, tuple[Lora, ...]]:
    """`text` without the adaptations whose names `out` holds for, and those; others stay as they are written."""
    found: list[Lora] = []

    def kept(tag: re.Match[str]) -> str:
        name = tag[1].partition(":")[0]
        if not out(name.strip()):
            return tag[0]
        found.extend(take_loras(tag[0])[1])
        return ""

    left = _LORA.sub(kept, text)
    if not found:
        return text, ()
    return re.sub(r"(,)(?:\s*,)+", r"\1", re.sub(r"[ \t]+(?=[, ])", "", left)).strip(" \t,"), tuple(found)


def _choose(text: str, dice: random.Random) -> str:
    """One of each `{a|b}`, inner ones first; one pass, however deep they lie in one another."""
    open_braces: list[list[list[str]]] = []  # of each brace that is open: its alternatives, each in pieces
    done: list[str] = []
    here = done
    signs = iter(text)
    for sign in signs:
        if sign == "\\":
            following = next(signs, "")
            here.append(following if following and following in "{|}" else sign + following)
        elif sign == "{":
            here = []
            open_braces.append([here])
        elif sign == "|" and open_braces:
            here = []
            open_braces[-1].append(here)
        elif sign == "}" and open_braces:
            alternatives = ["".join(pieces) for pieces in open_braces.pop()]
            here = open_braces[-1][-1] if open_braces else done
            here.append(_one(alternatives, dice) if len(alternatives) > 1 else "{" + alternatives[0] + "}")
        else:
            here.append(sign)
    while open_braces:  # never closed: these were only signs
        rest = "{" + "|".join("".join(pieces) for pieces in open_braces.pop())
        (open_braces[-1][-1] if open_braces else done).append(rest)
    return "".join(done)


def _one(alternatives: list[str], dice: random.Random) -> str:
    """One of the alternatives, or as many as the first asks for; each as often as its weight says."""
    count = 1
    if several := _SEVERAL.match(alternatives[0]):
        count, alternatives[0] = int(several[1]), alternatives[0][several.end() :]
    weighed = [_WEIGHT.match(text) for text in alternatives]
    if not any(weighed):
        several_of = min(count, len(alternatives))
        return dice.choice(alternatives) if count == 1 else ", ".join(dice.sample(alternatives, several_of))
    left = [
        (float(found[1]), text[found.end() :]) if found else (1.0, text)
        for found, text in zip(weighed, alternatives, strict=True)
    ]
    taken: list[str] = []
    while len(taken) < count and sum(weight for weight, _ in left) > 0:
        (place,) = dice.choices(range(len(left)), [weight for weight, _ in left])
        taken.append(left.pop(place)[1])
    return ", ".join(taken)
