"""Every scheduler that people can choose, on models that predict noise and on one that predicts velocity."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import Recorder

from studio.engines.image.diffusion import DiffusionEngine
from studio.requests import ImageRequest
from studio.tasks.image.schedulers import SCHEDULERS

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=8, guidance_scale=3.0, seed=5)
KEPT = ("prediction_type", "beta_schedule", "beta_start", "beta_end", "num_train_timesteps", "timestep_spacing")


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("kind", ["icons", "stable_diffusion_xl"])
def test_a_scheduler_paints_without_complaint(painters, kind, name, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        for steps in (1, 2, 7):
            output = painters(kind).run(replace(ASK, scheduler=name, steps=steps), Recorder())
            picture = np.asarray(output.images[0]).astype(float)
            assert picture.std() > 1, steps
            assert 0 < picture.mean() < 255
    assert not [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_keeps_what_the_model_was_trained_with(painters, name):
    family = painters("icons")._family
    own, chosen = family.scheduler("").config, family.scheduler(name).config
    for key in KEPT:
        assert chosen.get(key, own[key]) == own[key], key


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_arrives_at_what_the_model_expects(painters, name):
    """A model that always sees the same picture under the noise must end at that picture."""
    target = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    scheduler = painters("icons")._family.scheduler(name)
    scheduler.set_timesteps(20)
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(1, 8, 4, 4, generator=generator) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        alpha = _alpha(scheduler, t)
        seen = scheduler.scale_model_input(latents, t)
        velocity = (alpha**0.5 * seen - target) / (1 - alpha) ** 0.5
        latents = scheduler.step(velocity, t, latents, return_dict=False)[0]
    assert torch.allclose(latents, target, atol=0.25)


def _alpha(scheduler, t):
    """How much picture there is at a time between two steps of the schedule."""
    return torch.tensor(np.interp(float(t), np.arange(1000), scheduler.alphas_cumprod.numpy()), dtype=torch.float32)
