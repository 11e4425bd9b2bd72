"""Training the reader of drawings: EfficientNet-Lite0's first blocks, further, on icons changed at random.

The filters of single channels stay as ImageNet left them: their gradients cost a processor four fifths of the time
and add little, while the mixing of channels learns. So do the first three blocks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from studio.engines.caption.networks.lite import Block, Lite, Pixelwise
from studio.engines.caption.networks.observer import Colours, Drawing
from train.caption import augment, data, names
from train.caption.sources import HELD_OUT
from train.run import Run

WIDTH = 128
FROZEN = 3
BATCH = 64
RATE = 4e-4
SIDE = 96
"""Pixels a side. Icons fill two thirds of it on the average, so they are read at this size and at smaller ones."""


class _Filter(torch.autograd.Function):
    """A convolution of single channels that hands back only the gradients of its input and its bias."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, stride: int, padding: int) -> torch.Tensor:
        ctx.save_for_backward(weight)
        ctx.stride, ctx.padding, ctx.size = stride, padding, x.shape
        return F.conv2d(x, weight, bias, stride, padding, groups=weight.shape[0])

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (dy,), (weight,) = grads, ctx.saved_tensors
        kernel, bias = weight.shape[-1], dy.sum((0, 2, 3))
        if ctx.stride == 2:
            count, channels, height, width = ctx.size
            whole = dy.new_zeros(count, height - kernel + 1, width - kernel + 1, channels).permute(0, 3, 1, 2)
            whole[:, :, ::2, ::2] = dy
            dy = whole
        dx = F.conv2d(dy, weight.flip(2, 3), None, 1, kernel - 1 - ctx.padding, groups=weight.shape[0])
        return dx, None, bias, None, None


class Filter(nn.Module):
    """What stands for a convolution of single channels while others train."""

    def __init__(self, made: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(made.weight.detach().clone(), requires_grad=False)
        self.bias = nn.Parameter(made.bias.detach().clone())  # pyright: ignore[reportOptionalMemberAccess]
        self._stride, self._padding = made.stride[0], int(made.padding[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return _Filter.apply(x, weight, bias, self._stride, self._padding)  # pyright: ignore


def loosen(model: Any) -> Any:
    """The model with weights that can learn in place of those in eight bits."""
    for module in [*model.modules()]:
        for name, part in module.named_children():
            if isinstance(part, Pixelwise):
                loose = nn.Conv2d(part.weight.shape[1], part.weight.shape[0], 1)  # pyright: ignore
                with torch.no_grad():
                    loose.weight.copy_((part.weight * part.scale[:, None])[..., None, None])
                    loose.bias.copy_(part.bias)  # pyright: ignore[reportOptionalMemberAccess]
                setattr(module, name, loose)
        if isinstance(module, Block):
            module.filter = Filter(module.filter)  # pyright: ignore[reportAttributeAccessIssue]
    return model.to(memory_format=torch.channels_last)


def build(lite: Lite, things: int) -> Any:
    """An untrained reader that begins with the blocks of `lite`, loosened."""
    made = Drawing(things, len(augment.KINDS), WIDTH)
    made.stem.load_state_dict(lite.stem.state_dict())
    for mine, theirs in zip(made.blocks, lite.blocks, strict=False):
        mine.load_state_dict(theirs.state_dict())
    made = loosen(made)
    nn.init.kaiming_normal_(made.gather.weight)
    for part in (made.stem, *made.blocks[:FROZEN]):
        part.requires_grad_(False)
    return made


class Both(nn.Module):
    """What is trained together: the reader of drawings and that of colours."""

    def __init__(self, lite: Lite, things: int) -> None:
        super().__init__()
        self.drawing = build(lite, things)
        self.colours = Colours(len(augment.COLOURS))


def losses(model: Both, batch: augment.Batch, things: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of all losses, and the logits of things."""
    pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
    with torch.autocast(pixels.device.type, torch.bfloat16):
        guessed, kinds = model.drawing(pixels)
    shares, ground = model.colours(batch.pixels)
    value = F.cross_entropy(guessed.float(), things, label_smoothing=0.1)
    value = value + 0.2 * F.cross_entropy(kinds.float(), batch.kinds)
    value = value - 0.3 * (batch.shares * shares.clamp(min=1e-5).log()).sum(1).mean()
    return value + 0.1 * F.cross_entropy(ground, batch.ground), guessed


def train(folder: Path, lite: Lite, minutes: float, device: str) -> None:
    """Train for so many minutes, from the last checkpoint if there is one."""
    icons, entries = data.load(folder)
    known = {thing["name"]: index for index, thing in enumerate(names.things(entries))}
    things = np.array([known[names.plain(entry["label"])] for entry in entries])
    kinds = torch.tensor([augment.KINDS.index(entry["style"]) for entry in entries])
    seen = np.array([entry["set"] != HELD_OUT.package for entry in entries])
    by_thing = [np.flatnonzero(seen & (things == index)) for index in range(len(known))]
    by_thing = [found for found in by_thing if len(found)]
    model = Both(lite, len(known)).to(device)
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learning, RATE, weight_decay=0.02)
    run = Run(folder / "drawing.pt", model, optimiser, minutes, average=0.998)
    random, chance = np.random.default_rng(run.step), torch.Generator().manual_seed(run.step)
    right = 0.0
    while run.going():
        which = np.array([random.choice(by_thing[index]) for index in random.integers(0, len(by_thing), BATCH)])
        some = torch.from_numpy(icons[which])
        batch = augment.batch(some, kinds[which], SIDE, chance)
        goal = torch.from_numpy(things[which])
        value, guessed = losses(model, batch, goal)
        right += 0.02 * ((guessed.argmax(1) == goal).float().mean().item() - right)
        run.update(value, RATE, note=f"right {right:.0%}")
