"""How often the caption is right: icons of a set that training never saw, and photographs as they come.

A caption is right where it names exactly what is drawn, whatever the colour. Close is not enough: `heart suit` for a
heart is wrong, and so is `grinning face` for `grinning face with big eyes`.
"""

from __future__ import annotations

import io
import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.requests import CaptionRequest
from train.caption import data, sentences, sources
from train.caption import names as naming
from train.caption.sources import HELD_OUT
from train.image import colours

COUNT = 200


def chosen(entries: list[dict[str, Any]], count: int = COUNT) -> list[int]:
    """Icons of the held-out set, drawn once by a seed."""
    held = [index for index, entry in enumerate(entries) if entry["set"] == HELD_OUT.package]
    return random.Random(1).sample(held, count)


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def object_of(caption: str) -> str:
    """What a short caption names, without its article and colours."""
    if re.search(r"[\u4e00-\u9fff]", caption):
        return re.sub(r"^[^色]{1,3}色(和[^色]{1,3}色)?的", "", caption)
    colour = "|".join(sorted(colours.NAMES, key=len, reverse=True))
    return re.sub(rf"^(an? )?(({colour}) )?(and ({colour}) )?", "", caption)


def names_it(caption: str, name: str) -> bool:
    """Whether a short caption names exactly this, whatever its colour and the case of its letters."""
    return object_of(caption).lower() == name.lower()


def colour_of(caption: str) -> str:
    """The first colour that a caption says, without light and dark."""
    found = re.search(r"\b(" + "|".join({plain(name) for name in colours.NAMES}) + r")\b", caption)
    return found.group(1) if found else ""


def plain(colour: str) -> str:
    return colour.rpartition(" ")[2]


def score(folder: Path, caption: Callable[[CaptionRequest], str]) -> dict[str, float]:
    """Caption the held-out icons, and write `score.json` and `score.txt`, which has every caption.

    Args:
        caption: through the studio's own engine.
    """
    icons, entries = data.load(folder)
    known = {name.english: name for name in sentences.all_names(entries)}
    marks: dict[str, list[bool]] = {"name": [], "main colour": [], "Chinese name": []}
    lines, seconds = [], []
    for index in chosen(entries):
        entry, icon = entries[index], np.asarray(icons[index])
        name = known[sentences.spoken(naming.plain(entry["label"]))]
        picture = png(colours.on_white(icon))
        began = time.perf_counter()
        said = caption(CaptionRequest(image=picture, length="short", max_tokens=60, temperature=0.0, seed=0))
        seconds.append(time.perf_counter() - began)
        chinese = caption(
            CaptionRequest(image=picture, prompt="中文", length="short", max_tokens=60, temperature=0.0, seed=0)
        )
        measured = colours.measure(icon)
        marks["name"].append(names_it(said, name.english))
        marks["Chinese name"].append(names_it(chinese, name.chinese))
        if measured and measured[0][1] > 0.4:
            marks["main colour"].append(colour_of(said) == plain(measured[0][0]))
        lines.append(f"{'+' if marks['name'][-1] else '-'} {name.english} | {said} | {chinese}")
    shares = {kind: sum(good) / len(good) for kind, good in marks.items()}
    shares["seconds a picture, median"] = float(np.median(seconds))
    shares["pictures with one main colour"] = len(marks["main colour"])
    (folder / "score.json").write_text(json.dumps(shares, indent=2) + "\n", encoding="utf-8")
    (folder / "score.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return shares


def photographs(folder: Path) -> dict[str, np.ndarray]:
    """The photographs among the samples of scikit-image and scikit-learn, (height, width, 3)."""
    found = sources.samples(folder)
    return {file.stem: np.asarray(Image.open(file).convert("RGB")) for file in found}
