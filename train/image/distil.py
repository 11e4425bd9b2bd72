"""The student: what the denoiser does in 24 guided steps, in four without guidance.

The sampler of the 24 steps (DDIM, trailing, guidance 4) solves an ordinary differential equation step by step: the same
noise and words always end in the same picture. Its way is recorded from many noises, and the student, which begins as a
copy, learns to jump from each of four places on it to the next (Salimans and Ho 2022; the guidance is folded in as in
Meng et al. 2023). No picture is needed for that, only captions. At the end it walks all four steps by itself and learns
from where it comes out, so that its errors do not add up.
"""

# diffusers is imported lazily and typed more narrowly than it is used:
# pyright: reportPrivateImportUsage=false, reportArgumentType=false
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from train.image import captions
from train.image.denoiser import AS_DRAWN, SCHEDULE, Reader, group_weights
from train.run import Run

STEPS, TAUGHT, GUIDANCE = 4, 24, 4.0
BATCH, RATE = 64, 2e-4
WALKS = 0.3
"""The last share of the budget, in which it walks alone."""
SHARD = 2048
_SIDE, _CHANNELS = 8, 8


def walk(steps: int) -> list[tuple[int, int]]:
    """The steps of diffusers' trailing DDIM sampler: from which timestep to which; -1 is no noise at all.

    Where the steps do not divide the schedule, it lands a little beside the place from which it goes on.
    """
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(steps)
    wide = SCHEDULE["num_train_timesteps"] // steps
    return [(int(t), max(int(t) - wide, -1)) for t in scheduler.timesteps]


def levels(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Share of picture and of noise by timestep; the last entry, which is -1's, is the clean picture."""
    from diffusers import DDIMScheduler

    product = torch.cat([DDIMScheduler(**SCHEDULE).alphas_cumprod, torch.ones(1)])
    return product.sqrt().to(device), (1 - product).sqrt().to(device)


def jump(x: torch.Tensor, velocity: torch.Tensor, a: Any, s: Any, to_a: Any, to_s: Any) -> torch.Tensor:
    """DDIM's step between two noise levels."""
    return (to_a * a + to_s * s) * x + (to_s * a - to_a * s) * velocity


def teacher(shipped: Path, device: str) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel.from_pretrained(shipped).to(torch.float32).to(device).eval().requires_grad_(False)


@torch.no_grad()
def record(folder: Path, text_encoder: Path, shipped: Path, minutes: float, device: str) -> None:
    """Write the teacher's ways as `ways/*.npz`: captions, and float16 latents (count, 5, 8, 8, 8) at five places."""
    entries = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
    weights, model, read = group_weights(entries), teacher(shipped, device), Reader(text_encoder, device)
    (folder / "ways").mkdir(exist_ok=True)
    a, s = levels(device)
    steps, each = walk(TAUGHT), TAUGHT // STEPS
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16)
    until, number = time.monotonic() + minutes * 60, len(list((folder / "ways").glob("*.npz")))
    while time.monotonic() < until:
        random = np.random.default_rng(1_000_000 + number)
        torch.manual_seed(1_000_000 + number)
        which = random.choice(len(entries), SHARD, p=weights)
        colour = np.where(random.random(SHARD) < AS_DRAWN, 0, random.integers(1, 4, SHARD))
        said = [captions.caption(entries[i], int(c), random) for i, c in zip(which, colour, strict=True)]
        ways = torch.zeros(SHARD, STEPS + 1, _CHANNELS, _SIDE, _SIDE, dtype=torch.float16)
        for at in range(0, SHARD, BATCH):
            x = torch.randn(BATCH, _CHANNELS, _SIDE, _SIDE, device=device)
            with autocast:
                words = read([*[""] * BATCH, *said[at : at + BATCH]])
            ways[at : at + BATCH, 0] = x.half().cpu()
            for step, (t, then) in enumerate(steps, 1):
                with autocast:
                    found = model(torch.cat([x, x]), t, words).sample.float()
                plain, guided = found.chunk(2)
                x = jump(x, plain + GUIDANCE * (guided - plain), a[t], s[t], a[then], s[then])
                if step % each == 0:
                    ways[at : at + BATCH, step // each] = x.half().cpu()
        part = folder / "ways" / f"{number:05}.part"
        with part.open("wb") as file:
            np.savez(file, said=np.array(said), ways=ways.numpy())
        part.replace(part.with_suffix(".npz"))
        number += 1
        print(f"{number * SHARD} ways", flush=True)


def train(folder: Path, text_encoder: Path, shipped: Path, minutes: float, device: str) -> None:
    """Teach the student for so many minutes, from the last checkpoint if there is one, and write `student`."""
    from diffusers.models.attention_processor import AttnProcessor

    said, ways = _recorded(folder)
    model = teacher(shipped, device).train().requires_grad_(True)
    model.set_attn_processor(AttnProcessor())
    optimiser = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    run = Run(folder / "student.pt", model, optimiser, minutes, average=0.998)
    read, random = Reader(text_encoder, device), np.random.default_rng(run.step)
    torch.manual_seed(run.step)
    a, s = levels(device)
    places = torch.tensor([*(t for t, _ in walk(STEPS)), -1], device=device)
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16)

    def velocity(x: torch.Tensor, t: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        with autocast:
            return model(x, t, words).sample.float()

    while run.going():
        chosen = random.choice(len(said), BATCH)
        batch = [said[i] for i in chosen]
        with autocast:
            words = read(batch)
        way = torch.from_numpy(ways[chosen]).to(device).float()
        if run.fraction < 1 - WALKS:
            step = torch.from_numpy(random.integers(0, STEPS, BATCH)).to(device)
            x, goal = way[torch.arange(BATCH), step], way[torch.arange(BATCH), step + 1]
            t, then = places[step], places[step + 1]
            here, there = _shaped(a[t], s[t]), _shaped(a[then], s[then])
            gain = there[1] * here[0] - there[0] * here[1]
            wanted = (goal - (there[0] * here[0] + there[1] * here[1]) * x) / gain
            value = functional.mse_loss(velocity(x, t, words), wanted)
        else:
            x, value = way[:, 0], torch.zeros((), device=device)
            for step in range(STEPS):
                t, then = places[step], places[step + 1]
                x = jump(x, velocity(x, t.expand(BATCH), words), a[t], s[t], a[then], s[then])
                value = value + functional.mse_loss(x, way[:, step + 1]) * (4 if step == STEPS - 1 else 1)
        run.update(value, RATE, note=f"{run.step * BATCH} jumps")
    model.load_state_dict(run.average)
    model.save_pretrained(folder / "student")


def _shaped(*levels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(level.view(-1, 1, 1, 1) for level in levels)


def _recorded(folder: Path) -> tuple[list[str], np.ndarray]:
    found = [np.load(file) for file in sorted((folder / "ways").glob("*.npz"))]
    return [str(one) for each in found for one in each["said"]], np.concatenate([each["ways"] for each in found])
