"""Steering that diffusers' ControlNet pipelines have no place for: T2I-Adapters, Unions among others, begin and end.

An adapter's features are added inside the UNet, which takes them in every pipeline; so it goes with pictures to start
from, masks, and ControlNets. A Union ControlNet is given the form of an ordinary one, so that both stand in one list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from typing import Any

from PIL import Image

from studio.request_parts import Control

Clock = Callable[[], tuple[int, int]]
"""Steps that are done, and how many there are."""


def counts(control: Control, clock: Clock) -> bool:
    """Whether a control counts at the step that comes: as diffusers has it, only where all of a step lies within."""
    done, steps = clock()
    return control.start <= done / steps and (done + 1) / steps <= control.end


def features(adapter: Any, shown: Image.Image) -> list[Any]:
    """What an adapter makes of a map, the finest first: tensors of (1, channels, height, width).

    Sides that are no multiple of its cell are filled up with their last pixels: so the sizes are the UNet's.
    """
    import numpy as np
    import torch

    cell = adapter.downscale_factor
    plain = np.asarray(shown.convert("L") if adapter.config.in_channels == 1 else shown, np.float32) / 255.0
    plain = plain[None] if plain.ndim == 2 else plain.transpose(2, 0, 1)
    weights = next(adapter.parameters())
    values = torch.from_numpy(np.ascontiguousarray(plain))[None].to(weights.device, weights.dtype)
    short = [-side % cell for side in values.shape[-2:]]
    if any(short):
        values = torch.nn.functional.pad(values, (0, short[1], 0, short[0]), mode="replicate")
    with torch.no_grad():
        return adapter(values)


@contextmanager
def adapted(unet: Any, controls: Sequence[Control], made: Callable[[], Sequence[list[Any]]], clock: Clock) -> Iterator:
    """With what adapters made added inside `unet` at the steps for which each counts.

    Args:
        made: the features of each control, asked for at every step.
    """

    def add(_: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        sample = args[0] if args else given["sample"]
        total: list[Any] = []
        for control, each in zip(controls, made(), strict=True):
            if counts(control, clock):
                weighted = [part * control.weight for part in each]
                total = [a if b is None else b if a is None else a + b for a, b in zip_longest(total, weighted)]
        if total:
            given["down_intrablock_additional_residuals"] = [
                part.to(sample.device, sample.dtype).expand(sample.shape[0], -1, -1, -1) for part in total
            ]
        return args, given

    handle = unet.register_forward_pre_hook(add, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def timed(networks: Sequence[Any], controls: Sequence[Control], clock: Clock) -> Iterator:
    """With ControlNets that count for nothing outside their time, in a pipeline that knows neither begin nor end."""

    def gate(control: Control) -> Any:
        def weigh(_: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if not counts(control, clock):
                given["conditioning_scale"] = 0.0
            return args, given

        return weigh

    with ExitStack() as stack:
        for network, control in zip(networks, controls, strict=True):
            handle = network.register_forward_pre_hook(gate(control), with_kwargs=True)
            stack.callback(handle.remove)
        yield


def as_one(union: Any, mode: int) -> Any:
    """A Union ControlNet in the form of one that takes a single kind of map. Shares its weights."""
    import torch

    class One(torch.nn.Module):
        config = union.config

        def __init__(self) -> None:
            super().__init__()
            self.union = union

        def forward(
            self, sample: Any, timestep: Any, encoder_hidden_states: Any, controlnet_cond: Any, **given: Any
        ) -> Any:
            kinds = torch.zeros(sample.shape[0], union.config.num_control_type, device=sample.device)
            kinds[:, mode] = 1.0
            return union(
                sample, timestep, encoder_hidden_states, [controlnet_cond], control_type=kinds.to(sample.dtype),
                control_type_idx=[mode], from_multi=True, **given,
            )  # fmt: skip

    return One()
