"""The recipe of the student that paints in four steps: its arithmetic is the sampler's, and what it writes paints."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from train import run
from train.image import critic, denoiser, distil

SHIPPED = Path(__file__).resolve().parents[3] / "assets" / "starters" / "image" / "unet"


def test_a_jump_is_a_step_of_diffusers_sampler() -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(**denoiser.SCHEDULE, clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(distil.STEPS)
    a, s = distil.levels("cpu")
    x = torch.randn(2, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    for t, then in distil.walk(distil.STEPS):
        velocity = torch.sin(x * 3 + t)
        expected = scheduler.step(velocity, t, x).prev_sample
        x = distil.jump(x, velocity, a[t], s[t], a[then], s[then])
        assert torch.allclose(x, expected, atol=1e-4)


def test_each_place_of_the_student_is_one_of_the_teachers() -> None:
    from diffusers import DPMSolverMultistepScheduler

    solver = DPMSolverMultistepScheduler(**denoiser.SCHEDULE, final_sigmas_type="zero")
    solver.set_timesteps(distil.TAUGHT)
    each, own = distil.TAUGHT // distil.STEPS, distil.walk(distil.STEPS)
    assert [int(t) for t in solver.timesteps[::each]] == [t for t, _ in own]
    assert [then for _, then in own] == [*(t for t, _ in own[1:]), -1]


ENTRY = {
    "label": "red apple", "concept": "1F34E", "tags": ["fruit"], "style": "flat style", "group": "food",
    "held_out": False, "colours": [[("red", 0.9)], [("blue", 0.9)], [("teal", 0.9)], [("green", 0.9)]],
}  # fmt: skip


class Deaf:
    """Stands for the text encoder: every text is the same to it."""

    device = "cpu"

    def __init__(self, *_: object) -> None: ...

    def __call__(self, texts: list[str]) -> torch.Tensor:
        return torch.ones(len(texts), 4, 16)

    def means(self, texts: list[str]) -> torch.Tensor:
        return torch.ones(len(texts), 384)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as it is before the student's lessons, with a teacher of a few weights."""
    from diffusers import UNet2DConditionModel

    UNet2DConditionModel(
        sample_size=8, in_channels=8, out_channels=8, down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",), block_out_channels=(32,), layers_per_block=1, cross_attention_dim=16,
        attention_head_dim=2,
    ).save_pretrained(tmp_path / "unet")  # fmt: skip  # pyright: ignore[reportAttributeAccessIssue]
    for module, changes in ((distil, {"BATCH": 4, "SHARD": 8, "FREE": 8}), (critic, {"BATCH": 4, "CAPTIONS": 8})):
        monkeypatch.setattr(module, "Reader", Deaf)
        for name, value in changes.items():
            monkeypatch.setattr(module, name, value)
    (tmp_path / "pictures.json").write_text(json.dumps([ENTRY]))
    np.save(tmp_path / "latents.npy", np.random.default_rng(0).normal(size=(1, 4, 2, 8, 8, 8)).astype(np.float16))
    return tmp_path


@pytest.mark.parametrize("share", [-1.0, 1.0])
def test_it_learns_the_recorded_ways_and_is_written(small: Path, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    from diffusers import UNet2DConditionModel

    ticks = count()  # a clock that a busy machine does not hurry
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(ticks) * 0.1))
    monkeypatch.setattr(distil, "WALKS", share)
    distil.record(small, small, small / "unet", 0.0001, "cpu")
    (file,) = (small / "ways").glob("*.npz")
    ways = np.load(file)["ways"]
    assert ways.shape == (8, 5, 8, 8, 8)
    assert np.isfinite(ways).all()
    walked: list[bool] = []
    walks = distil.Lesson.walks
    monkeypatch.setattr(distil.Lesson, "walks", lambda self, *given: walked.append(True) or walks(self, *given))
    distil.train(small, small, small / "unet", 0.03, "cpu")
    teacher, student = (UNet2DConditionModel.from_pretrained(small / name) for name in ("unet", "student"))
    assert bool(walked) is (share > 0)
    same = [torch.equal(one, other) for one, other in zip(teacher.parameters(), student.parameters(), strict=True)]  # pyright: ignore
    assert not all(same)
    assert torch.load(small / "student.pt", weights_only=True)["step"] > 2


def test_another_colour_is_another_colour() -> None:
    random = np.random.default_rng(0)
    swapped = {critic.other_colour("a red apple, red ground", random) for _ in range(60)}
    assert "a red apple, red ground" not in swapped
    assert all(words.endswith(" apple, red ground") for words in swapped)
    assert len(swapped) == len(critic.COLOURS) - 1
    assert critic.other_colour("an apple", random) == ""


def test_critics_learn_to_tell_pictures_by_their_words(small: Path) -> None:
    texts = ["a red apple", "a blue apple"]
    said = critic.listen(Deaf(), texts, np.random.default_rng(0))  # pyright: ignore[reportArgumentType]
    assert (said.means.shape, said.coloured.tolist()) == ((2, 384), [True, True])
    critics = critic.train(small, small, 0.01, "cpu")
    latents = torch.randn(2, 8, 8, 8, requires_grad=True)
    critic.mistakes(critics, latents, said).backward()
    assert latents.grad is not None
    assert latents.grad.abs().sum() > 0
    kept = critic.train(small, small, 0.01, "cpu")  # not trained again
    assert all(torch.equal(one, other) for one, other in zip(critics.parameters(), kept.parameters(), strict=True))
