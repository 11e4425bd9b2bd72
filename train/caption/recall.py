"""A second opinion on drawings: what EfficientNet-Lite0, as ImageNet left it, makes of them.

Its features were not made for icons, so they do not lean on how the icons of the training were drawn. One matrix takes
them to the vectors by which the reader of drawings names things.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from train.caption import augment, data, drawing, names
from train.caption.sources import HELD_OUT

SAMPLES = 30_000
BATCH = 64
EPOCHS = 30
SIDE = 128


@torch.no_grad()
def features(folder: Path, lite: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of icons changed at random, (SAMPLES, 1280) in half precision, and what each shows; made once."""
    file = folder / "features.pt"
    if not file.is_file():
        icons, entries = data.load(folder)
        known = {thing["name"]: index for index, thing in enumerate(names.things(entries))}
        seen = np.array([index for index, entry in enumerate(entries) if entry["set"] != HELD_OUT.package])
        random, chance = np.random.default_rng(7), torch.Generator().manual_seed(7)
        lite = lite.to(memory_format=torch.channels_last)
        found, truth = [], []
        for start in range(0, SAMPLES, BATCH):
            which = random.choice(seen, BATCH)
            batch = augment.batch(torch.from_numpy(icons[which]), torch.ones(BATCH, dtype=torch.long), SIDE, chance)
            pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16):
                found.append(lite.features(pixels).half())
            truth += [known[names.plain(entries[index]["label"])] for index in which]
            if start % (BATCH * 50) == 0:
                print(f"features: {start / SAMPLES:.0%}", flush=True)
        torch.save((torch.cat(found), torch.tensor(truth)), file)
    return torch.load(file, weights_only=True)


def train(folder: Path, lite: Any) -> nn.Linear:
    """The matrix, (128, 1280); needs a trained reader of drawings."""
    from train.caption.starter import average

    found, truth = features(folder, lite)
    _, entries = data.load(folder)
    trained: Any = average(folder / "drawing.pt", drawing.Both(lite, len(names.things(entries))))
    things = trained.drawing.things.requires_grad_(False)
    made = nn.Linear(1280, drawing.WIDTH)
    mean, spread = found.float().mean(0), found.float().std(0) + 0.05
    optimiser = torch.optim.AdamW(made.parameters(), 2e-3, weight_decay=0.1)
    steps = EPOCHS * len(found) // 512
    chance = torch.Generator().manual_seed(0)
    for step in range(steps):
        which = torch.randint(len(found), (512,), generator=chance)
        guessed = things(made((found[which].float() - mean) / spread))
        value = F.cross_entropy(guessed, truth[which], label_smoothing=0.1)
        optimiser.param_groups[0]["lr"] = 2e-3 * (1 - step / steps)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if step % 300 == 0:
            print(f"recall: loss {value.item():.3f}", flush=True)
    with torch.no_grad():  # what it learnt on standard features, for features as they come
        made.weight.div_(spread)
        made.bias.sub_(made.weight @ mean)
    torch.save(made.state_dict(), folder / "recall.pt")
    return made
