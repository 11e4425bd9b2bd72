"""Icons of twenty things, as small as the generator paints them.

From the pictures that `python -m train.image data` has rendered: each thing in four styles, each as it is drawn and in
three other colours. A generator of a million parameters that has an hour cannot learn 1,344 things; these twenty have
short names and plain shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from train.image import captions, data

SIDE = 64
AS_DRAWN = 0.6
"""How often an icon is shown in its own colours."""

THINGS = [
    "cat face",
    "panda",
    "frog",
    "penguin",
    "fish",
    "sunflower",
    "mushroom",
    "evergreen tree",
    "strawberry",
    "banana",
    "carrot",
    "hamburger",
    "house",
    "bus",
    "rocket",
    "sun",
    "star",
    "umbrella",
    "red heart",
    "guitar",
]


@dataclass(frozen=True)
class Icons:
    """What is learnt from.

    Attributes:
        pixels: uint8, (icons, 4, 3, 64, 64): each as it is drawn, then in three other colours.
        words: (icons,), numbers of `names`.
        names: `name` and `chinese` of each word.
        styles: (icons,), of which set each is.
    """

    pixels: torch.Tensor
    words: np.ndarray
    names: list[dict[str, str]]
    styles: list[str]

    def only(self, kept: list[bool]) -> Icons:
        """Those of them that are kept."""
        places = np.flatnonzero(kept)
        return Icons(self.pixels[places], self.words[places], self.names, [self.styles[at] for at in places])


def load(folder: Path) -> Icons:
    """The icons of the twenty things, of the pictures in `folder`; made small once."""
    entries = data.entries(folder)
    places = [at for at, entry in enumerate(entries) if entry["label"].lower() in THINGS]
    kept = folder / "small.npy"
    if not kept.is_file():
        pictures, _ = data.load(folder)
        some = pictures[places].reshape(len(places), pictures.shape[1], SIDE, 2, SIDE, 2, 3).astype(np.float32)
        np.save(kept, some.mean((3, 5)).round().astype(np.uint8).transpose(0, 1, 4, 2, 3))
    chinese = {entry["label"].lower(): entry["chinese"] for entry in entries}
    names = [{"name": name, "chinese": chinese[name]} for name in THINGS if name in chinese]
    known = [each["name"] for each in names]
    words = np.array([known.index(entries[at]["label"].lower()) for at in places])
    return Icons(torch.from_numpy(np.load(kept)), words, names, [entries[at]["style"] for at in places])


def batch(icons: Icons, count: int, chance: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """So many icons in -1..1, half of them mirrored, and the numbers of their words: every word is as likely.

    Each two that follow one another are of one word. A word that says a colour comes in no other.
    """
    word = chance.integers(0, len(icons.names), (count + 1) // 2).repeat(2)[:count]
    which = np.array([chance.choice(np.flatnonzero(icons.words == each)) for each in word])
    says = np.array([captions.coloured(each["name"]) for each in icons.names])[word]
    other = chance.integers(1, icons.pixels.shape[1], count)
    colour = np.where((chance.random(count) < AS_DRAWN) | says, 0, other)
    pixels = icons.pixels[which, colour].float() / 127.5 - 1
    mirrored = torch.from_numpy(chance.random(count) < 0.5)
    pixels[mirrored] = pixels[mirrored].flip(3)
    return pixels, torch.from_numpy(word)
