"""Memory that pictures to be edited take beside the painting, by what networks of the published sizes allocate.

    python bench/editing.py

Nothing is computed and nothing downloaded: torch's fake tensors have shapes and no numbers, and what is alive is added
up. In bfloat16; a picture is read at 1024 x 1024, as 4,096 tokens.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

SIDE, TOKENS, WORDS = 1024, 4096, 512
DTYPE = torch.bfloat16


class Alive(TorchDispatchMode):
    """Adds up what is allocated and not yet given back, but for `held`; `peak` in bytes."""

    def __init__(self, held: list[Any]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._held, self._seen = held, {id(storage) for storage in held}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        torch.utils._pytree.tree_map_only(torch.Tensor, self._add, made)
        return made

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()
        if key in self._seen:
            return
        self._seen.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


def peak(make: Callable[[], Any], run: Callable[[Any], Any]) -> int:
    """Bytes that `run` of a network takes at most beside its weights."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        torch.set_default_dtype(DTYPE)
        network = make()
        torch.set_default_dtype(torch.float32)
        held = [weight.untyped_storage() for weight in network.parameters()]
        alive = Alive(held)
        with alive:
            run(network)
        return alive.peak


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=DTYPE)


def klein(pictures: int) -> int:
    """FLUX.2 klein 4B: one step."""
    from diffusers import Flux2Transformer2DModel

    length = TOKENS * (1 + pictures)

    def make() -> Any:
        return Flux2Transformer2DModel(
            in_channels=128, num_layers=5, num_single_layers=20, attention_head_dim=128, num_attention_heads=24,
            joint_attention_dim=7680, guidance_embeds=False,
        )  # fmt: skip

    return peak(
        make,
        lambda network: network(
            hidden_states=_zeros(1, length, 128), timestep=_zeros(1), guidance=None,
            encoder_hidden_states=_zeros(1, WORDS, 7680), txt_ids=torch.zeros(1, WORDS, 4),
            img_ids=torch.zeros(1, length, 4),
        ),
    )  # fmt: skip


def kontext(pictures: int) -> int:
    """FLUX.1 Kontext: one step."""
    from diffusers import FluxTransformer2DModel

    length = TOKENS * (1 + pictures)
    return peak(
        lambda: FluxTransformer2DModel(guidance_embeds=True),
        lambda network: network(
            hidden_states=_zeros(1, length, 64), timestep=_zeros(1), guidance=_zeros(1),
            pooled_projections=_zeros(1, 768), encoder_hidden_states=_zeros(1, WORDS, 4096),
            txt_ids=torch.zeros(WORDS, 3), img_ids=torch.zeros(length, 3),
        ),
    )  # fmt: skip


def qwen(pictures: int) -> int:
    """Qwen-Image-Edit: one step, through four of its sixty equal blocks."""
    from diffusers import QwenImageTransformer2DModel

    words = WORDS + 200 * pictures
    return peak(
        lambda: QwenImageTransformer2DModel(num_layers=4),
        lambda network: network(
            hidden_states=_zeros(1, TOKENS * (1 + pictures), 64), timestep=_zeros(1),
            encoder_hidden_states=_zeros(1, words, 3584),
            encoder_hidden_states_mask=torch.ones(1, words, dtype=torch.long),
            img_shapes=[[(1, 64, 64)] * (1 + pictures)],
        ),
    )  # fmt: skip


def reading() -> dict[str, int]:
    """One picture of 1024 x 1024 through each encoder."""
    from diffusers import AutoencoderKLFlux2, AutoencoderKLQwenImage

    return {
        "FLUX.2 klein": peak(AutoencoderKLFlux2, lambda network: network.encode(_zeros(1, 3, SIDE, SIDE))),
        "Qwen-Image-Edit": peak(AutoencoderKLQwenImage, lambda network: network.encode(_zeros(1, 3, 1, SIDE, SIDE))),
    }


if __name__ == "__main__":
    for step in (klein, kontext, qwen):
        found = [step(count) for count in range(4)]
        more = max(b - a for a, b in itertools.pairwise(found))
        name = (step.__doc__ or "").partition(":")[0]
        print(f"{name}: {found[0] / 1e6:.0f} MB a step, {more / 1e6:.0f} MB more for each picture")
    for name, size in reading().items():
        print(f"{name}: {size / 1e6:.0f} MB to read a picture")
