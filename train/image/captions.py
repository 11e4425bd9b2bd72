"""What could be said of a picture: its name, tags, style and measured colours, put together at random.

A caption never lies: a recoloured picture is always called by the colour that was measured in it, and loses
colour words of its original name.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from train.image.sources import ICON_SETS

_STYLES = {icons.words[0]: icons.words for icons in ICON_SETS}
_COLOUR = re.compile(
    r"\b(red|orange|yellow|green|blue|light blue|purple|violet|pink|brown|black|gr[ae]y|white|dark|light|teal|"
    r"golden|silver|blond)\b-?\s*"
)
_KINDS = ("", "", "", "", " icon", " emoji", " symbol", " drawing")
_BACKGROUNDS = ("on white", "white background", "on a white background")
_SOFT = {
    "dark gray": ("dark gray", "gray"), "light gray": ("light gray", "gray"), "dark blue": ("dark blue", "blue"),
    "light green": ("light green", "green"), "light blue": ("light blue", "blue"),
}  # fmt: skip
"""A shade may also be called by the plain name of its colour."""


def caption(entry: dict[str, Any], variant: int, random: np.random.Generator) -> str:
    """One caption of an icon, or of its recoloured version number `variant` (0: as drawn).

    Args:
        entry: label, tags with their rarity, style, and colours (names with shares) of each variant.
    """
    said = _subject(entry, variant, random)
    words = []
    if random.random() < 0.6:
        words.append(str(random.choice(_STYLES[entry["style"]])))
    if entry["tags"] and random.random() < 0.3:
        words.extend(str(tag) for tag in random.permutation(entry["tags"])[: random.integers(1, 3)])
    if random.random() < 0.15:
        words.append(str(random.choice(_BACKGROUNDS)))
    random.shuffle(words)
    if words and random.random() < 0.15:
        return ", ".join([words[0], said, *words[1:]])
    return ", ".join([said, *words])


def coloured(name: str) -> bool:
    """Whether a name says a colour itself."""
    return bool(_COLOUR.search(name.lower()))


def _subject(entry: dict[str, Any], variant: int, random: np.random.Generator) -> str:
    label = entry["label"].lower()
    name = label
    fitting = [(tag, rarity) for tag, rarity in zip(entry["tags"], entry["rarity"], strict=True)
               if not _COLOUR.search(tag)]  # fmt: skip
    if fitting and random.random() < 0.3:  # "coffee" for a hot beverage, "gift" for a wrapped gift: what people say
        tags, rarities = zip(*fitting, strict=True)
        name = str(random.choice(tags, p=np.array(rarities) / sum(rarities)))
    own = bool(_COLOUR.search(name))
    if variant or random.random() < 0.15:
        name = _COLOUR.sub("", name).strip() or label
    if (variant or (not own and random.random() < 0.35)) and (colour := _colour(entry["colours"][variant], random)):
        name = f"{colour} {name}"
    name += str(random.choice(_KINDS))
    if random.random() < 0.4:
        name = ("an " if name[0] in "aeiou" else "a ") + name
    return name


def _colour(measured: list[tuple[str, float]], random: np.random.Generator) -> str:
    """The main colour, now and then with the second one."""
    if not measured:
        return ""
    first = str(random.choice(_SOFT.get(measured[0][0], (measured[0][0],))))
    if len(measured) > 1 and measured[1][1] > 0.25 and random.random() < 0.5:
        second = str(random.choice(_SOFT.get(measured[1][0], (measured[1][0],))))
        return f"{first} and {second}" if second != first else first
    return first
