"""How often the picture is what was asked for, by a judge that never saw the generator.

The judge pairs pictures with captions (contrastive, as in Radford et al. 2021) and is trained on the icons alone.
Each of 200 prompts is painted once, with its own number as the seed; it counts where the judge ranks its caption
first among 20. The same judge on real icons says how far its word can be trusted.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from train.image import captions, data
from train.image.denoiser import Reader
from train.image.glossary import BY_HAND
from train.run import Run

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "teal")
CANDIDATES = 20
_BATCH, _RATE = 128, 1e-3


@dataclass(frozen=True)
class Task:
    """A prompt, what it means in English, and the other meanings among which it has to be found."""

    kind: str
    prompt: str
    meaning: str
    others: tuple[str, ...]


def tasks(entries: list[dict[str, Any]]) -> list[Task]:
    """The 200 prompts: 80 of a concept in a style that it was never seen in, 60 of a colour, 60 Chinese names."""
    chosen = random.Random(1)
    held = [entry for entry in entries if entry["held_out"]]
    labels = {
        entry["concept"]: entry for entry in entries if entry["group"] in ("animals", "food", "travel", "objects")
    }
    plain = [entry for entry in labels.values() if not captions.coloured(entry["label"])]
    found = []
    unseen = [f"{entry['label'].lower()}, {entry['style']}" for entry in chosen.sample(held, 80)]
    for words in unseen:
        found.append(Task("unseen style", words, words, _others(chosen, unseen, words)))
    for entry in chosen.sample(plain, 60):
        name, colour = entry["label"].lower(), chosen.choice(COLOURS)
        recoloured = [f"{other} {name}" for other in COLOURS if other != colour]
        objects = [f"{colour} {other['label'].lower()}" for other in chosen.sample(plain, 30) if other is not entry]
        others = (*recoloured, *objects[: CANDIDATES - 1 - len(recoloured)])
        found.append(Task("colour", f"a {colour} {name}", f"{colour} {name}", others))
    chinese = chosen.sample([entry for entry in labels.values() if entry["chinese"] not in BY_HAND], 60)
    meanings = [entry["label"].lower() for entry in chinese]
    for entry, meaning in zip(chinese, meanings, strict=True):
        found.append(Task("Chinese", entry["chinese"], meaning, _others(chosen, meanings, meaning)))
    return found


def _others(chosen: random.Random, all_: list[str], own: str) -> tuple[str, ...]:
    return tuple(chosen.sample([words for words in all_ if words != own], CANDIDATES - 1))


class Judge(nn.Module):
    """Pictures and captions as directions in one space of 256 dimensions."""

    def __init__(self) -> None:
        super().__init__()
        sides = (3, 32, 64, 128, 192)
        layers: list[nn.Module] = []
        for before, after in pairwise(sides):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.Conv2d(after, after, 3, 1, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.look = nn.Sequential(*layers, nn.Flatten(), nn.Linear(192 * 16, 256))
        self.hear = nn.Sequential(nn.Linear(384, 512), nn.ReLU(), nn.Linear(512, 256))
        self.sharpness = nn.Parameter(torch.tensor(2.7))

    def pictures(self, batch: torch.Tensor) -> torch.Tensor:
        """uint8 (count, 128, 128, 3) to (count, 256)."""
        small = functional.avg_pool2d(batch.permute(0, 3, 1, 2).float() / 127.5 - 1, 2)
        return functional.normalize(self.look(small).float(), dim=-1)

    def words(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(count, tokens, 384) to (count, 256)."""
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return functional.normalize(self.hear(mean).float(), dim=-1)


def train_judge(folder: Path, text_encoder: Path, minutes: float, device: str) -> Judge:
    """The judge, trained for so many minutes on every icon, held out or not; or as it was trained before."""
    pictures, entries = data.load(folder)
    judge = Judge().to(device)
    if (folder / "judge.safetensors").is_file():
        judge.load_state_dict(load_file(folder / "judge.safetensors"))
        return judge.eval()
    run = Run(folder / "judge.pt", judge, torch.optim.AdamW(judge.parameters(), _RATE, weight_decay=0.05), minutes)
    read, chance = Reader(text_encoder, device), np.random.default_rng(run.step)
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16)
    while run.going():
        which = np.sort(chance.choice(len(entries), _BATCH, replace=False))
        colour = np.where(chance.random(_BATCH) < 0.5, 0, chance.integers(1, pictures.shape[1], _BATCH))
        seen = torch.from_numpy(pictures[which, colour]).to(device)
        said = [captions.caption(entries[i], c, chance) for i, c in zip(which, colour, strict=True)]
        with autocast:
            likeness = judge.pictures(_jittered(seen, chance)) @ judge.words(*_read(read, said)).T
        likeness = likeness.float() * judge.sharpness.exp()
        goal = torch.arange(_BATCH, device=device)
        value = (functional.cross_entropy(likeness, goal) + functional.cross_entropy(likeness.T, goal)) / 2
        share = (likeness.argmax(1) == goal).float().mean().item()
        run.update(value, _RATE, note=f"right {share:.0%} of {_BATCH}")
    save_file(judge.state_dict(), folder / "judge.safetensors")
    return judge.eval()


def _jittered(pictures: torch.Tensor, chance: np.random.Generator) -> torch.Tensor:
    """Moved a little and blurred now and then: a judge must not look for an artist's hand."""
    moved = torch.roll(pictures, tuple(int(n) for n in chance.integers(-6, 7, 2)), (1, 2))
    if chance.random() < 0.5:
        soft = functional.avg_pool2d(moved.permute(0, 3, 1, 2).float(), 3, 1, 1)
        return soft.permute(0, 2, 3, 1)
    return moved


def _read(read: Reader, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    return read(texts), read.mask(texts)


@torch.no_grad()
def right(judge: Judge, read: Reader, picture: np.ndarray, meaning: str, others: tuple[str, ...]) -> bool:
    """Whether `meaning` is ranked first among itself and `others` for a picture, uint8 (128, 128, 3)."""
    device = next(judge.parameters()).device
    seen = judge.pictures(torch.from_numpy(picture.copy())[None].to(device))
    likeness = seen @ judge.words(*_read(read, [meaning, *others])).T
    return int(likeness.argmax()) == 0


def score(folder: Path, text_encoder: Path, paint: Any, minutes: float, device: str) -> dict[str, float]:
    """Paint all prompts, judge them, and write `score.json`.

    Args:
        paint: (prompt, seed) -> uint8, square, the judge's 128 pixels or a multiple of them.
    """
    _, entries = data.load(folder)
    judge, read = train_judge(folder, text_encoder, minutes, device), Reader(text_encoder, device)
    found: dict[str, list[bool]] = {}
    for seed, task in enumerate(tasks(entries)):
        good = right(judge, read, _small(paint(task.prompt, seed)), task.meaning, task.others)
        found.setdefault(task.kind, []).append(good)
    shares = {kind: sum(marks) / len(marks) for kind, marks in found.items()}
    shares["all"] = sum(sum(marks) for marks in found.values()) / sum(len(marks) for marks in found.values())
    shares["real icons"] = _real(folder, judge, read)
    (folder / "score.json").write_text(json.dumps(shares, indent=2) + "\n", encoding="utf-8")
    return shares


def _small(picture: np.ndarray) -> np.ndarray:
    """A picture at the size at which the judge has learnt to look."""
    by = len(picture) // data.SIZE
    parts = picture.reshape(data.SIZE, by, data.SIZE, by, 3).astype(np.float32)
    return parts.mean((1, 3)).round().astype(np.uint8)


def _real(folder: Path, judge: Judge, read: Reader) -> float:
    """The judge's share on the 80 held-out icons themselves."""
    pictures, entries = data.load(folder)
    places = {f"{e['label'].lower()}, {e['style']}": index for index, e in enumerate(entries)}
    unseen = [task for task in tasks(entries) if task.kind == "unseen style"]
    marks = [right(judge, read, pictures[places[t.meaning], 0], t.meaning, t.others) for t in unseen]
    return sum(marks) / len(marks)
