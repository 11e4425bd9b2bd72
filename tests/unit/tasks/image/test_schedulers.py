"""Which samplers go with which models, from the scheduler's configuration that a model comes with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.engines.image.diffusion import DiffusionEngine
from studio.tasks.image.schedulers import OWN, SCHEDULERS, fits

BETAS = {"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear", "prediction_type": "epsilon"}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}
SANA = {
    "_class_name": "DPMSolverMultistepScheduler", "beta_schedule": "linear", "prediction_type": "flow_prediction",
    "use_flow_sigmas": True,
}  # fmt: skip


@pytest.mark.parametrize("config", [FLOW, SANA, {"_class_name": "SCMScheduler", "prediction_type": "trigflow"}])
def test_models_of_flows_take_their_own_alone(config: dict[str, Any]) -> None:
    assert [name for name in ("", OWN, *SCHEDULERS) if fits(name, config)] == ["", OWN]


@pytest.mark.parametrize(
    "config", [BETAS, BETAS | {"prediction_type": "v_prediction"}, {"_class_name": "DDIMScheduler"}]
)
def test_models_of_noise_take_all_that_have_a_name_here(config: dict[str, Any]) -> None:
    assert all(fits(name, config) for name in SCHEDULERS)
    assert not fits("Restart", config)


def test_a_folder_is_asked_without_being_loaded(tmp_path: Path) -> None:
    card = tiny_card(Source("local", path=str(tmp_path)), 1, engine="diffusion", tasks=("image",))
    place = tmp_path / "scheduler" / "scheduler_config.json"
    place.parent.mkdir()
    for text, answer in [(json.dumps(FLOW), False), (json.dumps(BETAS), True), ("{", True), ("[]", True)]:
        place.write_text(text)
        assert DiffusionEngine().samples(card, tmp_path, "Euler") is answer
    place.unlink()
    assert DiffusionEngine().samples(card, tmp_path, "Euler")
