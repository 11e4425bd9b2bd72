"""EfficientNet-Lite0 from its package, once, into the form that the studio loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from studio.engines.caption.networks.lite import BLOCKS, Lite, Pixelwise

EPSILON = 1e-3


def convert(file: Path) -> Lite:
    """The network of a .pth file, read as tensors only; normalisations folded in, wide matrices in eight bits."""
    state = torch.load(file, map_location="cpu", weights_only=True)
    made = Lite(state["_fc.weight"].shape[0])
    fill(made.stem, *folded(state, "_conv_stem", "_bn0"))
    for index, (block, (_, _, _, expansion)) in enumerate(zip(made.blocks, BLOCKS, strict=True)):
        name = f"_blocks.{index}."
        if expansion > 1:
            fill(block.expand, *folded(state, name + "_expand_conv", name + "_bn0"))
        fill(block.filter, *folded(state, name + "_depthwise_conv", name + "_bn1"))
        fill(block.project, *folded(state, name + "_project_conv", name + "_bn2"))
    fill(made.head, *folded(state, "_conv_head", "_bn1"))
    fill(made.classify, state["_fc.weight"], state["_fc.bias"])
    return made.eval().requires_grad_(False)


def folded(state: dict[str, Any], convolution: str, norm: str) -> tuple[torch.Tensor, torch.Tensor]:
    gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPSILON).sqrt()
    weight = state[f"{convolution}.weight"] * gain.view(-1, 1, 1, 1)
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain


@torch.no_grad()
def fill(part: Any, weight: torch.Tensor, bias: torch.Tensor) -> None:
    if isinstance(part, Pixelwise):
        weight = weight.flatten(1)
        scale = weight.abs().amax(1).clamp(min=1e-8) / 127
        part.weight.copy_((weight / scale[:, None]).round().to(torch.int8))  # pyright: ignore[reportCallIssue]
        part.scale.copy_(scale)
    else:
        part.weight.copy_(weight)
    part.bias.copy_(bias)
