"""The heads of the matcher, taught on icons and their captions; both networks before them stay as they are.

What those say of every icon is written once, so that an epoch takes seconds. Each icon is shown as it is drawn, in one
other colour, and in a second one as soft as a small model paints it. Among the wrong captions are those of the same
thing in another colour. A sixth of a batch are no icons but the names of ImageNet's classes, given as the encoder would
give a photograph of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from studio.engines.caption.lexicon import read_things
from studio.engines.lab.networks.matcher import MEANING, SEEN, SIDE, Heads, Words, load_encoder, observed
from train.image import captions, data
from train.image.critic import other_colour
from train.run import Run

SHOWN = 3
BATCH, RATE, PHOTOGRAPHS = 320, 1e-3, 64
_AT_ONCE = 64


def read_meanings(words: Words, captioner: Path) -> tuple[torch.Tensor, list[str]]:
    """What the names of things and classes mean, (things and classes, 384), and these names."""
    config = json.loads((captioner / "config.json").read_text(encoding="utf-8"))["encoder"]
    rows = (read_things(captioner) or [])[: config["things"] + config["classes"]]
    names = [row[0].lower() for row in rows]
    return torch.cat([words(names[at : at + 256]) for at in range(0, len(names), 256)]), names


def untrained(words: Words, captioner: Path) -> Heads:
    """Heads that know what the encoder's names mean."""
    meanings, _ = read_meanings(words, captioner)
    heads = Heads(len(meanings))
    heads.scale.copy_(meanings.abs().amax(1) / 127)
    heads.things.copy_((meanings / heads.scale[:, None]).round().to(torch.int8))
    return heads


def look(folder: Path, words: Words, captioner: Path) -> None:
    """Write what the encoder says of each picture: `seen.npy`, (icons, 3, SEEN)."""
    pictures, _ = data.load(folder)
    encoder, heads = load_encoder(captioner), untrained(words, captioner)
    seen = np.zeros((len(pictures), SHOWN, SEEN), np.float16)
    for at in range(0, len(pictures), _AT_ONCE):
        for shown in range(SHOWN):
            some = torch.from_numpy(np.ascontiguousarray(pictures[at : at + _AT_ONCE, shown]))
            some = some.permute(0, 3, 1, 2).float() / 127.5 - 1
            if shown == SHOWN - 1:
                some = functional.interpolate(functional.avg_pool2d(some, 2), scale_factor=2.0, mode="bilinear")
            some = functional.interpolate(some, (SIDE, SIDE), mode="bilinear", antialias=True)
            seen[at : at + _AT_ONCE, shown] = observed(encoder, heads, some).numpy()
        print(f"{at} of {len(pictures)}", flush=True)
    np.save(folder / "seen.npy", seen)


def listen(folder: Path, words: Words) -> None:
    """Write what the text encoder says of a caption of each picture and of the same in another colour: `said.npy` and
    `other.npy`, both (icons, 3, 384), the latter nought where the caption names no colour."""
    entries, random = data.entries(folder), np.random.default_rng(0)
    texts = [captions.caption(entry, shown, random) for entry in entries for shown in range(SHOWN)]
    swapped = [other_colour(text, random) for text in texts]
    both = sorted({text for text in (*texts, *swapped) if text}, key=len)  # alike in length, so that little is padding
    known = {"": np.zeros(MEANING, np.float16)}
    for at in range(0, len(both), _AT_ONCE):
        some = both[at : at + _AT_ONCE]
        known |= dict(zip(some, words(some).numpy().astype(np.float16), strict=True))
        if at % 2_560 == 0:
            print(f"{at} of {len(both)}", flush=True)
    for name, said in (("said", texts), ("other", swapped)):
        np.save(folder / f"{name}.npy", np.stack([known[text] for text in said]).reshape(-1, SHOWN, MEANING))


def train(folder: Path, words: Words, captioner: Path, target: Path, minutes: float) -> None:
    """Teach the heads for so many minutes, and write them to `target`."""
    seen, said, other = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("seen", "said", "other"))
    learnt = np.flatnonzero([not entry["held_out"] for entry in data.entries(folder)])
    heads = untrained(words, captioner)
    things = json.loads((captioner / "config.json").read_text(encoding="utf-8"))["encoder"]["things"]
    meanings = heads.meanings()
    run = Run(folder / "matcher.pt", heads, torch.optim.AdamW(heads.parameters(), RATE, weight_decay=0.05), minutes)
    random = np.random.default_rng(run.step)
    run.begin()
    while run.going():
        which, shown = random.choice(learnt, BATCH, replace=False), random.integers(0, SHOWN, BATCH)
        photographs = torch.from_numpy(random.integers(things, len(meanings), PHOTOGRAPHS))
        pictures = torch.cat([seen[which, shown].float(), as_photographs(meanings, photographs, things)])
        texts = torch.cat([said[which, shown].float(), meanings[photographs]])
        wrong = other[which, shown].float()
        hidden = torch.cat([texts, wrong[wrong.abs().sum(1) > 0]])
        likeness = heads.pictures(pictures) @ heads.words(hidden).T * heads.sharpness.exp()
        goal = torch.arange(len(pictures))
        value = functional.cross_entropy(likeness, goal) + functional.cross_entropy(likeness[:, : len(goal)].T, goal)
        right = (likeness.argmax(1) == goal).float().mean().item()
        run.update(value / 2, RATE, note=f"right {right:.0%} of {len(hidden)}")
    state = heads.state_dict()
    kept = {name: value if name == "things" else value.half() for name, value in state.items()}
    target.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in kept.items()}, target / "model.safetensors")


def as_photographs(meanings: torch.Tensor, which: torch.Tensor, things: int) -> torch.Tensor:
    """What the encoder would say of photographs of classes: mostly the right one, partly three others that are near."""
    classes = meanings[things:]
    near = (meanings[which] @ classes.T).topk(12, 1).indices
    chosen = near.gather(1, torch.randint(1, 12, (len(which), 3)))
    doubt = torch.rand(len(which), 1) * 0.6
    meaning = meanings[which] * (1 - doubt) + classes[chosen].mean(1) * doubt
    rest = torch.zeros(len(which), SEEN - meaning.shape[1])
    rest[:, 128:148] = torch.rand(len(which), 20).pow(3)
    rest[:, 128:148] /= rest[:, 128:148].sum(1, keepdim=True)
    rest[:, -1] = 1
    return torch.cat([functional.normalize(meaning, dim=-1), rest], 1)
