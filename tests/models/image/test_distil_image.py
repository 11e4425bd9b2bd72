"""The recipe of the student that paints in four steps: its arithmetic is the sampler's, and what it writes paints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from train.image import denoiser, distil

SHIPPED = Path(__file__).resolve().parents[3] / "assets" / "starters" / "image" / "unet"


@pytest.mark.parametrize("steps", [distil.STEPS, distil.TAUGHT])
def test_a_jump_is_a_step_of_diffusers_sampler(steps: int) -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(**denoiser.SCHEDULE, clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(steps)
    a, s = distil.levels("cpu")
    x = torch.randn(2, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    for t, then in distil.walk(steps):
        velocity = torch.sin(x * 3 + t)
        expected = scheduler.step(velocity, t, x).prev_sample
        x = distil.jump(x, velocity, a[t], s[t], a[then], s[then])
        assert torch.allclose(x, expected, atol=1e-4)


def test_each_place_of_the_student_is_one_of_the_teachers() -> None:
    each, own = distil.TAUGHT // distil.STEPS, distil.walk(distil.STEPS)
    assert [t for t, _ in distil.walk(distil.TAUGHT)[::each]] == [t for t, _ in own]
    assert [then for _, then in own] == [*(t for t, _ in own[1:]), -1]


def test_it_learns_the_recorded_ways_and_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import UNet2DConditionModel

    small = UNet2DConditionModel(
        sample_size=8, in_channels=8, out_channels=8, down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",), block_out_channels=(32,), layers_per_block=1, cross_attention_dim=16,
        attention_head_dim=2,
    )  # fmt: skip
    small.save_pretrained(tmp_path / "teacher")  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setattr(distil, "Reader", lambda *_: lambda texts: torch.ones(len(texts), 4, 16))
    monkeypatch.setattr(distil, "BATCH", 4)
    monkeypatch.setattr(distil, "SHARD", 8)
    entry = {"label": "red apple", "tags": [], "style": "flat style", "group": "food", "held_out": False,
             "colours": [[("red", 0.9)]] * 4}  # fmt: skip
    (tmp_path / "pictures.json").write_text(json.dumps([entry]))
    distil.record(tmp_path, tmp_path, tmp_path / "teacher", 0.0001, "cpu")
    (file,) = (tmp_path / "ways").glob("*.npz")
    ways = np.load(file)["ways"]
    assert ways.shape == (8, 5, 8, 8, 8)
    assert np.isfinite(ways).all()
    distil.train(tmp_path, tmp_path, tmp_path / "teacher", 0.02, "cpu")
    student = UNet2DConditionModel.from_pretrained(tmp_path / "student")
    assert sum(one.numel() for one in student.parameters()) == sum(one.numel() for one in small.parameters())  # pyright: ignore
    assert torch.load(tmp_path / "student.pt", weights_only=True)["step"] > 2
