"""The names by which people know samplers, and the diffusers class and settings behind each.

Plain data, so that the page and the command line can list them without loading torch. They fit models that predict
noise or velocity on a beta schedule (Stable Diffusion, SDXL, the starter), and keep the schedule and the prediction of
the model's own configuration; flow-matching models come with the one scheduler they work with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "DDIM": ("DDIMScheduler", {}),
    "DDPM": ("DDPMScheduler", {}),
    "PNDM": ("PNDMScheduler", {"skip_prk_steps": True}),
    "Euler": ("EulerDiscreteScheduler", {}),
    "Euler Karras": ("EulerDiscreteScheduler", {"use_karras_sigmas": True}),
    "Euler a": ("EulerAncestralDiscreteScheduler", {}),
    "Heun": ("HeunDiscreteScheduler", {}),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "DPM++ 2M Karras": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True}),
    "DPM++ 2M SDE": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "DPM++ 2M SDE Karras": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True},
    ),
    "DPM++ 2S": ("DPMSolverSinglestepScheduler", {"algorithm_type": "dpmsolver++", "lower_order_final": True}),
    "UniPC": ("UniPCMultistepScheduler", {}),
    "LCM": ("LCMScheduler", {}),
    "TCD": ("TCDScheduler", {}),
}
"""Name -> (class in diffusers, settings that differ from the model's own)."""

OWN = "Default"
"""The scheduler that the model came with. An empty name means the same."""

_CLASSES = frozenset(kind for kind, _ in SCHEDULERS.values())
_NO_SAMPLE = frozenset(
    {"EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "PNDMScheduler"}
)
"""Those that cannot work with a model that predicts the picture itself."""


def fits(name: str, config: Mapping[str, Any]) -> bool:
    """Whether a model can be painted with by the sampler of this name. Its own goes with every model.

    Args:
        config: of the scheduler that the model came with, as diffusers writes it.
    """
    if name in ("", OWN):
        return True
    if name not in SCHEDULERS or not ("beta_schedule" in config or config.get("_class_name") in _CLASSES):
        return False
    predicts = config.get("prediction_type", "epsilon")
    if predicts == "sample":
        return SCHEDULERS[name][0] not in _NO_SAMPLE
    return predicts in ("epsilon", "v_prediction") and not config.get("use_flow_sigmas")
