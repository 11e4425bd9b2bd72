"""How often the matcher finds a picture's caption among twenty, on icons that its heads never learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from studio.engines.lab.networks.matcher import SIDE, Heads, Words, load_encoder, load_heads, observed
from train.image import data
from train.image.score import COLOURS, tasks


@torch.inference_mode()
def right(heads: Heads, encoder: Any, words: Words, picture: np.ndarray, own: str, others: tuple[str, ...]) -> bool:
    """Whether `own` is nearest to a picture, uint8 (side, side, 3), among itself and `others`."""
    pixels = torch.from_numpy(picture.copy())[None].permute(0, 3, 1, 2).float() / 127.5 - 1
    pixels = functional.interpolate(pixels, (SIDE, SIDE), mode="bilinear", antialias=True)
    likeness = heads.pictures(observed(encoder, heads, pixels)) @ heads.words(words([own, *others])).T
    return int(likeness.argmax()) == 0


def score(folder: Path, words: Words, captioner: Path, shipped: Path) -> dict[str, float]:
    """Shares of right ones: held-out icons by name and style, and the main colours of the same in another colour."""
    pictures, entries = data.load(folder)
    heads, encoder = load_heads(shipped), load_encoder(captioner)
    places = {f"{entry['label'].lower()}, {entry['style']}": at for at, entry in enumerate(entries)}
    found: dict[str, list[bool]] = {"names": [], "colours": []}
    for task in tasks(entries):
        if task.kind != "unseen style":
            continue
        at = places[task.meaning]
        found["names"].append(right(heads, encoder, words, pictures[at, 0], task.meaning, task.others))
        shades = [colour for colour, share in entries[at]["colours"][3][:1] if share > 0.4 and colour in COLOURS]
        for colour in shades:
            name = entries[at]["label"].lower()
            others = tuple(f"{other} {name}" for other in COLOURS if other != colour)
            found["colours"].append(right(heads, encoder, words, pictures[at, 3], f"{colour} {name}", others))
    return {kind: sum(marks) / len(marks) for kind, marks in found.items() if marks}
