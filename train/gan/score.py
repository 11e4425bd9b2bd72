"""How often the GAN's picture is the word that was asked for, by a judge of its own and by the matcher.

The judge learns from the pixels of three of the four sets of icons, from nothing, and has no part in the training; how
often it is right about the fourth set says how far it can be trusted. The matcher shares its eye with the GAN's
discriminator, which may have learnt to please that. Each of 200 pictures has its own number as the seed, its word in
turn; it counts where the word is ranked first of all twenty.

And how far pictures of one word are apart, in levels of 255 as `train.gan.training.apart` measures it: a generator that
has one picture a word would be at nought, whatever it is named.
"""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn
from torch.nn import functional

from studio.engines.lab.networks.generator import NOISE, load_generator, truncated
from studio.engines.lab.networks.matcher import Words, load_encoder, load_heads
from train.gan import data
from train.gan.discriminator import moved
from train.gan.training import apart
from train.matcher import score as matching

PICTURES, EACH = 200, 4
ICON_PAIRS = 2_000
STEPS, BATCH, RATE = 700, 48, 2e-3
HELD_OUT = "sticker style"
"""The set of icons that the judge does not see while it learns."""


@torch.inference_mode()
def painted(network: Any, word: int, seed: int) -> np.ndarray:
    """uint8, (64, 64, 3), without truncation."""
    noise = torch.randn(1, NOISE, generator=torch.Generator().manual_seed(seed))
    pixels = network.pixels(truncated(network, noise, network.meanings[[word]], 1.0))
    return ((pixels[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def judge(icons: data.Icons, seed: int = 0) -> nn.Module:
    """A network that names icons of 64 pixels, taught on all sets but one."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in pairwise((3, 24, 48, 96, 128)):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 16, len(icons.names)))
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.05)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    learnt = icons.only([style != HELD_OUT for style in icons.styles])
    random, chance = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    for step in range(STEPS):
        pixels, word = data.batch(learnt, BATCH, random)
        seen = moved(pixels, chance)
        if random.random() < 0.5:  # as soft as a small network paints
            seen = functional.avg_pool2d(seen, 3, 1, 1)
        loss = functional.cross_entropy(model(seen), word, label_smoothing=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        falling.step()
        if step % 100 == 0:
            print(f"judge, step {step}  loss {loss.item():.3f}", flush=True)
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def score(folder: Path, text_encoder: Path, starters: Path) -> dict[str, float]:
    """Paint, judge, and write `score.json` beside the weights."""
    network, words = load_generator(starters / "gan")
    names, icons = [word["name"] for word in words], data.load(folder)
    with torch.inference_mode(False):
        known = judge(icons)
    heads, encoder = load_heads(starters / "matcher"), load_encoder(starters / "caption")
    hear = Words(text_encoder, starters / "image" / "tokenizer")
    marks: dict[str, list[bool]] = {"named": [], "matcher": [], "real": []}
    seconds, pictures = [], []
    for seed in range(PICTURES):
        word = seed % len(names)
        began = time.perf_counter()
        picture = painted(network, word, seed)
        seconds.append(time.perf_counter() - began)
        pictures.append(picture)
        marks["named"].append(_named(known, torch.from_numpy(picture).permute(2, 0, 1)) == word)
        others = tuple(name for name in names if name != names[word])
        marks["matcher"].append(matching.right(heads, encoder, hear, picture, names[word], others))
    for at, word in enumerate(icons.words):
        if icons.styles[at] == HELD_OUT:
            marks["real"].append(_named(known, icons.pixels[at, 0]) == word)
    found = {kind: sum(each) / len(each) for kind, each in marks.items()}
    found |= {"apart": apart_by_word(pictures, len(names)), "apart_real": apart_of_icons(icons)}
    found["milliseconds"] = round(sorted(seconds)[len(seconds) // 2] * 1000, 1)
    (starters / "gan" / "score.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def apart_by_word(pictures: list[np.ndarray], words: int) -> float:
    """Mean distance of all pairs of one word; picture i is of word i modulo `words`."""
    found = []
    for word in range(words):
        shown = torch.from_numpy(np.stack(pictures[word::words])).permute(0, 3, 1, 2).float()
        first, second = torch.triu_indices(len(shown), len(shown), 1)
        found.append(apart(torch.stack([shown[first], shown[second]], 1).flatten(0, 1)).mean().item())
    return round(sum(found) / len(found), 1)


def apart_of_icons(icons: data.Icons, seed: int = 0) -> float:
    """The same of pairs of icons as the training shows them."""
    shown, _ = data.batch(icons, 2 * ICON_PAIRS, np.random.default_rng(seed))
    return round(apart(shown).mean().item() * 127.5, 1)


def _named(known: nn.Module, picture: torch.Tensor) -> int:
    """The word that the judge gives a picture, uint8 (3, 64, 64)."""
    return int(known(picture[None].float() / 127.5 - 1).argmax())


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
