"""Tiny ControlNets of the real classes with random weights: in folders, and in single files of both layouts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import original_layout as original

_HINTS = {"conv_in": 0, "conv_out": 14}


def made_for(unet: Any, channels: tuple[int, ...] = (16, 32), seed: int = 0) -> Any:
    """A ControlNet of a UNet; its last layers, which are zeros in a new one, count."""
    import torch
    from diffusers import ControlNetModel

    torch.manual_seed(seed)
    network = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=channels, load_weights_from_unet=False
    )
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if "controlnet_" in name:
                weights.normal_(std=0.3)
    return network


def made_for_transformer(transformer: Any) -> Any:
    """The same of Stable Diffusion 3, FLUX.1 and Qwen-Image."""
    import diffusers
    import torch

    name = type(transformer).__name__.replace("Transformer2DModel", "ControlNetModel")
    kind: Any = getattr(diffusers, name)
    torch.manual_seed(0)
    config = {key: value for key, value in transformer.config.items() if not key.startswith("_")}
    config = {key: value for key, value in config.items() if key in kind.__init__.__wrapped__.__annotations__}
    network = kind(**config)
    with torch.no_grad():
        for weights in network.parameters():
            if not weights.any():
                weights.normal_(std=0.3)
    return network


def in_diffusers_file(network: Any, file: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, file)


def in_makers_file(network: Any, file: Path) -> None:
    """As ControlNet's makers name its layers; the network has to have four widths of its own entry, as theirs do."""
    from safetensors.torch import save_file

    found: dict[str, Any] = {}
    states = network.state_dict()
    own = {name: tensor for name, tensor in states.items() if not name.startswith("controlnet_")}
    for name, tensor in original.unet_states(own, network.config.layers_per_block).items():
        found["control_model." + name.removeprefix(original.UNET)] = tensor
    for name, tensor in states.items():
        if match := re.fullmatch(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.(\d+))\.(\w+)", name):
            place = _HINTS.get(match[1], 2 * (int(match[2] or 0) + 1))
            found[f"control_model.input_hint_block.{place}.{match[3]}"] = tensor
        elif match := re.fullmatch(r"controlnet_down_blocks\.(\d+)\.(\w+)", name):
            found[f"control_model.zero_convs.{match[1]}.0.{match[2]}"] = tensor
        elif match := re.fullmatch(r"controlnet_mid_block\.(\w+)", name):
            found[f"control_model.middle_block_out.0.{match[1]}"] = tensor
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, file)
