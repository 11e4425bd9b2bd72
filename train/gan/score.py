"""How often the GAN's picture is the word that was asked for, by the judge of the image starter and by the matcher.

The judge (train/image/score.py) looks at pixels, starts from other weights than anything here, and had no part in the
training. Each of 200 pictures has its own number as the seed, its word in turn; it counts where the word is ranked first
among itself and 19 others that the GAN knows. The same on every real icon of these words says how far that can be
trusted.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from studio.engines.lab.networks.generator import NOISE, load_generator, truncated
from studio.engines.lab.networks.matcher import Words, load_encoder, load_heads
from train.gan import data
from train.image import score as judging
from train.image.denoiser import Reader
from train.matcher import score as matching

PICTURES, CANDIDATES, EACH = 200, 20, 4


@torch.inference_mode()
def painted(network: Any, word: int, seed: int) -> np.ndarray:
    """uint8, (64, 64, 3), without truncation."""
    noise = torch.randn(1, NOISE, generator=torch.Generator().manual_seed(seed))
    pixels = network.pixels(truncated(network, noise, network.meanings[[word]], 1.0))
    return ((pixels[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def others(names: list[str], own: str, seed: int) -> tuple[str, ...]:
    """Nineteen other names, by the seed."""
    return tuple(random.Random(seed).sample([name for name in names if name != own], CANDIDATES - 1))


def score(folder: Path, text_encoder: Path, starters: Path, minutes: float, device: str) -> dict[str, float]:
    """Paint, judge, and write `score.json` beside the weights."""
    network, words = load_generator(starters / "gan")
    names, icons = [word["name"] for word in words], data.load(folder)
    judge, read = judging.train_judge(folder, text_encoder, minutes, device), Reader(text_encoder, device)
    heads, encoder = load_heads(starters / "matcher"), load_encoder(starters / "caption")
    hear = Words(text_encoder, starters / "image" / "tokenizer")
    marks: dict[str, list[bool]] = {"named": [], "matcher": [], "real": []}
    seconds = []
    for seed in range(PICTURES):
        word = seed % len(names)
        began = time.perf_counter()
        picture = painted(network, word, seed).repeat(2, 0).repeat(2, 1)
        seconds.append(time.perf_counter() - began)
        among = others(names, names[word], seed)
        marks["named"].append(judging.right(judge, read, picture, names[word], among))
        marks["matcher"].append(matching.right(heads, encoder, hear, picture, names[word], among))
    for at, word in enumerate(icons.words):
        picture = icons.pixels[at, 0].permute(1, 2, 0).numpy().repeat(2, 0).repeat(2, 1)
        marks["real"].append(judging.right(judge, read, picture, names[word], others(names, names[word], at)))
    found = {kind: sum(each) / len(each) for kind, each in marks.items()}
    found["milliseconds"] = round(sorted(seconds)[len(seconds) // 2] * 1000, 1)
    (starters / "gan" / "score.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def sheet(shipped: Path, target: Path) -> None:
    """Every word with seeds 1 to 4, none chosen."""
    network, words = load_generator(shipped)
    side, label, across = 96, 18, 8
    rows = -(-len(words) // across)
    wide = 2 * side + 8
    whole = Image.new("RGB", (across * wide + 8, rows * (wide + label) + 8), "white")
    draw = ImageDraw.Draw(whole)
    for number, word in enumerate(words):
        left, top = 8 + number % across * wide, 8 + number // across * (wide + label)
        for seed in range(1, EACH + 1):
            picture = Image.fromarray(painted(network, number, seed)).resize((side, side), Image.Resampling.LANCZOS)
            whole.paste(picture, (left + (seed - 1) % 2 * side, top + (seed - 1) // 2 * side))
        draw.text((left + side, top + 2 * side + 1), word["name"], "#444444", anchor="ma")
    whole.save(target, optimize=True)
