"""Knowing that it does not know: pictures of no thing are told apart, and confidence is measured.

One matrix over the features of EfficientNet-Lite0 learns five kinds of pictures without a thing (strangers.py) from
scripts, against the icons of the training and invented scenes. What counts as certain is a threshold, measured on icons
of the set that training never saw: `measure` says how often it is right on these, on other strangers, on charts that
matplotlib draws, on this project's own screenshots and on photographs.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image

from studio.engines.caption.networks.observer import STRANGERS
from studio.media.image import decode_image
from train.caption import data, names, photographs, score, sentences, strangers
from train.caption.sources import HELD_OUT
from train.image import colours

LEARNT, TRIED = range(1000, 1160), range(60)
"""Seeds of strangers to learn from, and of those to try."""
ICONS, SCENES = 500, 150
DECAY = 1e-2


def train(folder: Path, model: Any, processor: Any) -> None:
    """Learn the strangers, and put what was learnt into the encoder of a captioner.

    Args:
        model: the captioner, whose encoder has a matrix for strangers. processor: prepares its pictures.
    """
    rows: list[torch.Tensor] = []
    truth: list[int] = []
    for place, kind in enumerate(strangers.KINDS):
        assert kind == STRANGERS[place]
        for seed in LEARNT:
            rows.append(_features(model, processor, decode_image(strangers.made(kind, seed))))
            truth.append(place + 1)
    for picture in (*_icons(folder), *_scenes()):
        rows.append(_features(model, processor, picture))
        truth.append(0)
    found, wanted = torch.stack(rows), torch.tensor(truth)
    mean, spread = found.mean(0), found.std(0) + 0.05
    weight, bias = (torch.zeros(*shape, requires_grad=True) for shape in ((len(STRANGERS) + 1, found.shape[1]), (6,)))
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=300)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy((found - mean) / spread @ weight.T + bias, wanted) + DECAY * (weight**2).sum()
        value.backward()
        return value

    optimiser.step(closure)  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        made = weight / spread
        model.encoder.strange.weight.copy_(made)
        model.encoder.strange.bias.copy_(bias - made @ mean)


def measure(folder: Path, model: Any, processor: Any) -> dict[str, dict[str, float]]:
    """Shares of pictures that are called strangers, are called uncertain, or are named with certainty, by set."""
    icons, entries = data.load(folder)
    every = [index for index, entry in enumerate(entries) if entry["set"] == HELD_OUT.package]
    known = [name.english for name in sentences.all_names(entries)]
    rows: dict[str, list[tuple[str, float]]] = {}
    for index in every:
        found = _look(model, processor, Image.fromarray(colours.on_white(np.asarray(icons[index]))))
        wanted = sentences.spoken(names.plain(entries[index]["label"])).lower()
        right = known[int(found.things[0, 0])].lower() == wanted
        rows.setdefault(f"held-out icons, {'right' if right else 'wrong'}", []).append(_verdict(found))
    for kind in strangers.KINDS:
        for seed in TRIED:
            found = _look(model, processor, decode_image(strangers.made(kind, seed)))
            rows.setdefault(f"generated: {kind}", []).append(_verdict(found))
    shots = sorted((Path(__file__).parents[2] / "docs" / "screenshots").glob("*.png"))
    others = {"screenshots of this project": [Image.open(file).convert("RGB") for file in shots]}
    others["charts by matplotlib"] = list(plotted())
    others["photographs"] = [Image.fromarray(picture) for picture in score.photographs(folder).values()]
    for name, pictures in others.items():
        rows[name] = [_verdict(_look(model, processor, picture)) for picture in pictures]
    found = {
        name: {"pictures": len(marks), **{verdict: sum(mark == verdict for mark, _ in marks) / len(marks)
                                          for verdict in ("strange", "uncertain", "certain")}}
        for name, marks in rows.items()
    }  # fmt: skip
    (folder / "doubt.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def plotted(count: int = 40) -> Iterator[Image.Image]:
    """Charts by a program that the strangers know nothing of."""
    from matplotlib.figure import Figure  # type: ignore[import-not-found]

    for seed in range(count):
        numbers = np.random.default_rng(seed)
        figure = Figure(figsize=(6.4, 4.8))
        axes = figure.subplots()
        values = numbers.random(int(numbers.integers(4, 20)))
        match seed % 5:
            case 0:
                axes.bar(range(len(values)), values, color=numbers.random(3))
            case 1:
                axes.plot(np.cumsum(numbers.normal(size=(80, 3)), 0))
            case 2:
                axes.scatter(*numbers.normal(size=(2, 120)), c=numbers.random(120))
            case 3:
                axes.pie(values[:6], labels=list("abcdef"[: len(values[:6])]))
            case _:
                axes.hist(numbers.normal(size=400), bins=20)
        axes.set_title(f"Sample {seed}")
        file = io.BytesIO()
        figure.savefig(file, format="png")
        yield Image.open(file).convert("RGB")


def _verdict(found: Any) -> tuple[str, float]:
    if int(found.strange[0]):
        return "strange", float(found.confidence[0])
    return "uncertain" if bool(found.doubtful()[0]) else "certain", float(found.confidence[0])


@torch.no_grad()
def _look(model: Any, processor: Any, picture: Image.Image) -> Any:
    return model.encoder.look(_pixels(processor, picture).to(model.dtype))


@torch.no_grad()
def _features(model: Any, processor: Any, picture: Image.Image) -> torch.Tensor:
    return model.encoder.lite.features(_pixels(processor, picture).to(model.dtype))[0].float().clamp(min=0).sqrt()


def _pixels(processor: Any, picture: Image.Image) -> torch.Tensor:
    if max(picture.size) > 1024:
        picture = picture.copy()
        picture.thumbnail((1024, 1024), Image.Resampling.LANCZOS)
    return processor(images=[picture], return_tensors="pt")["pixel_values"]


def _icons(folder: Path) -> Iterable[Image.Image]:
    icons, entries = data.load(folder)
    chance = random.Random(5)
    seen = [index for index, entry in enumerate(entries) if entry["set"] != HELD_OUT.package]
    for index in chance.sample(seen, ICONS):
        icon = Image.fromarray(np.asarray(icons[index]))
        colour = tuple(chance.randrange(256) for _ in range(3)) if chance.random() < 0.5 else (255, 255, 255)
        ground = Image.new("RGBA", icon.size, colour)
        ground.alpha_composite(icon)
        yield ground.convert("RGB")


def _scenes() -> Iterable[Image.Image]:
    for seed in range(SCENES):
        scene = photographs.scene(np.random.default_rng(5000 + seed))
        yield Image.fromarray((scene * 255).astype(np.uint8))
