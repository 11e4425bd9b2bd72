"""The student: what the denoiser does in many guided steps, in four without guidance.

A sampler solves an ordinary differential equation step by step: the same noise and words always end in the same
picture. Its way (DPM-Solver++ of second order, twelve steps, as good as 24 of DDIM) is recorded from many noises, and
the student, which begins as a copy, learns to jump from each of four places on it to the next (Salimans and Ho 2022;
the guidance is folded in as in Meng et al. 2023). No picture is needed for that, only captions. At the end it walks
all four steps by itself and learns from where it comes out, so that its errors do not add up, and from what critics say
of the picture (Clark et al. 2023), which is how it comes to follow words better than its teacher.
"""

# diffusers is imported lazily and typed more narrowly than it is used:
# pyright: reportPrivateImportUsage=false, reportArgumentType=false
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from train.image import captions, critic, data
from train.image.denoiser import AS_DRAWN, SCHEDULE, Reader, group_weights, load
from train.run import Run

STEPS, TAUGHT, GUIDANCE = 4, 12, 4.0
BATCH, RATE = 64, 2e-4
WALKS = 0.45
"""The last share of the budget, in which it walks alone."""
HEARD = 0.05
"""How much the critics' word counts against the distance from the teacher's way."""
SHARD, FREE = 2048, 2048
"""Ways a file; prompts for which there is no way."""
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


@torch.no_grad()
def record(folder: Path, text_encoder: Path, unet: Path, minutes: float, device: str) -> None:
    """Write the teacher's ways as `ways/*.npz`: captions, and float16 latents (count, 5, 8, 8, 8) at five places.

    Args:
        unet: the folder of the teacher.
    """
    from diffusers import DPMSolverMultistepScheduler

    entries = data.entries(folder)
    weights, model, read = group_weights(entries), load(unet, device), Reader(text_encoder, device)
    (folder / "ways").mkdir(exist_ok=True)
    each = TAUGHT // STEPS
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16)
    until, number = time.monotonic() + minutes * 60, len(list((folder / "ways").glob("*.npz")))
    while time.monotonic() < until:
        random = np.random.default_rng(1_000_000 + number)
        torch.manual_seed(1_000_000 + number)
        said = _prompts(entries, weights, random, SHARD)
        ways = torch.zeros(SHARD, STEPS + 1, _CHANNELS, _SIDE, _SIDE, dtype=torch.float16)
        for at in range(0, SHARD, BATCH):
            solver: Any = DPMSolverMultistepScheduler(**SCHEDULE, final_sigmas_type="zero")
            solver.set_timesteps(TAUGHT, device=device)
            x = torch.randn(BATCH, _CHANNELS, _SIDE, _SIDE, device=device)
            with autocast:
                words = read([*[""] * BATCH, *said[at : at + BATCH]])
            ways[at : at + BATCH, 0] = x.half().cpu()
            for step, t in enumerate(solver.timesteps, 1):
                with autocast:
                    found = model(torch.cat([x, x]), t, words).sample.float()
                plain, guided = found.chunk(2)
                x = solver.step(plain + GUIDANCE * (guided - plain), t, x).prev_sample
                if step % each == 0:
                    ways[at : at + BATCH, step // each] = x.half().cpu()
        part = folder / "ways" / f"{number:05}.part"
        with part.open("wb") as file:
            np.savez(file, said=np.array(said), ways=ways.numpy())
        part.replace(part.with_suffix(".npz"))
        number += 1
        print(f"{number * SHARD} ways", flush=True)


def train(folder: Path, text_encoder: Path, unet: Path, minutes: float, device: str) -> None:
    """Teach the student for so many minutes, from the last checkpoint if there is one, and write `student`.

    Args:
        unet: the folder of the teacher, as which it begins.
    """
    from diffusers.models.attention_processor import AttnProcessor

    texts, ways = _recorded(folder)
    critics = critic.train(folder, text_encoder, minutes / 8, device)
    model = load(unet, device).train()
    model.set_attn_processor(AttnProcessor())
    optimiser = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    run = Run(folder / "student.pt", model, optimiser, minutes, average=0.998)
    torch.manual_seed(run.step)
    random, read, entries = np.random.default_rng(run.step), Reader(text_encoder, device), data.entries(folder)
    lesson = Lesson(model, critics, random, device)
    known = Prompts(read, texts, random)
    free = Prompts(read, _free(entries, group_weights(entries), random, FREE), random)
    run.begin()
    while run.going():
        chosen = random.choice(len(texts), BATCH)
        way = torch.from_numpy(ways[chosen]).to(device).float()
        if run.fraction < 1 - WALKS:
            run.update(lesson.jumps(known[chosen], way), RATE, note=f"{run.step * BATCH} jumps")
            continue
        near, own = lesson.walks(known[chosen], way)
        _, other = lesson.walks(free[random.choice(FREE, BATCH // 2)], None)
        note = f"way {float(near):.4f}  critics {float(own):.3f}, {float(other):.3f}"
        run.update(near + HEARD * (2 * own + other) / 3, RATE / 2, note=note)
    model.load_state_dict(run.average)
    model.save_pretrained(folder / "student")


class Prompts:
    """Texts as the denoiser and the critics take them, read once: that takes longer than a step of training.

    Attributes:
        states: word vectors, float16, (count, 24, 384). said: what the critics hear.
    """

    def __init__(self, read: Reader, texts: list[str], random: np.random.Generator) -> None:
        with torch.autocast(torch.device(read.device).type, torch.bfloat16):
            found = [read(texts[at : at + 128]).half() for at in range(0, len(texts), 128)]
        self.states = torch.cat(found)  # by autocast's rules there are no halves on a processor
        self.said = critic.listen(read, texts, random)

    def __getitem__(self, chosen: np.ndarray) -> tuple[torch.Tensor, critic.Said]:
        return self.states[chosen].float(), self.said[chosen]


class Lesson:
    """The two ways of learning, by one jump and by the whole walk."""

    def __init__(self, model: Any, critics: Any, random: np.random.Generator, device: str) -> None:
        self._model, self._critics, self._random = model, critics, random
        self._a, self._s = levels(device)
        self._places = torch.tensor([*(t for t, _ in walk(STEPS)), -1], device=device)
        self._autocast = torch.autocast(torch.device(device).type, torch.bfloat16)

    def jumps(self, prompts: tuple[torch.Tensor, critic.Said], way: torch.Tensor) -> torch.Tensor:
        """The loss of one jump, from a random place of each way to the next."""
        words, count = prompts[0], len(way)
        step = torch.from_numpy(self._random.integers(0, STEPS, count)).to(way.device)
        x, goal = way[torch.arange(count), step], way[torch.arange(count), step + 1]
        t, then = self._places[step], self._places[step + 1]
        a, s, to_a, to_s = (_shaped(level) for level in (self._a[t], self._s[t], self._a[then], self._s[then]))
        wanted = (goal - (to_a * a + to_s * s) * x) / (to_s * a - to_a * s)
        return functional.mse_loss(self._velocity(x, t, words), wanted)

    def walks(
        self, prompts: tuple[torch.Tensor, critic.Said], way: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """How far the whole walk ends from the teacher's, and what the critics say of its end.

        Learning goes back through a random number of its last steps, which costs half and teaches as much.

        Args:
            way: of the teacher with the same noise, (count, 5, 8, 8, 8); none starts from any noise.
        """
        words, said = prompts
        x = torch.randn(len(words), _CHANNELS, _SIDE, _SIDE, device=words.device) if way is None else way[:, 0]
        near, first = torch.zeros((), device=x.device), int(self._random.integers(0, STEPS))
        for step in range(STEPS):
            t, then = self._places[step], self._places[step + 1]
            with torch.set_grad_enabled(step >= first):
                velocity = self._velocity(x, t.expand(len(words)), words)
                x = jump(x, velocity, self._a[t], self._s[t], self._a[then], self._s[then])
            if way is not None:
                near = near + functional.mse_loss(x, way[:, step + 1])
        with self._autocast:
            return near, critic.mistakes(self._critics, x + critic.NOISE * torch.randn_like(x), said)

    def _velocity(self, x: torch.Tensor, t: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        with self._autocast:
            return self._model(x, t, words).sample.float()


def _prompts(entries: list[dict[str, Any]], weights: np.ndarray, random: np.random.Generator, count: int) -> list[str]:
    which = random.choice(len(entries), count, p=weights)
    colour = np.where(random.random(count) < AS_DRAWN, 0, random.integers(1, 4, count))
    return [captions.caption(entries[i], int(c), random) for i, c in zip(which, colour, strict=True)]


def _free(entries: list[dict[str, Any]], weights: np.ndarray, random: np.random.Generator, count: int) -> list[str]:
    """Prompts for things in any colour, also in those in which no picture shows them."""
    said = []
    for words in _prompts(entries, weights, random, count):
        said.append(critic.other_colour(words, random) or words)
    return said


def _shaped(level: torch.Tensor) -> torch.Tensor:
    return level.view(-1, 1, 1, 1)


def _recorded(folder: Path) -> tuple[list[str], np.ndarray]:
    found = [np.load(file) for file in sorted((folder / "ways").glob("*.npz"))]
    return [str(one) for each in found for one in each["said"]], np.concatenate([each["ways"] for each in found])
