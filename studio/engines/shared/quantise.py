"""Weights in 8 or 4 bits, through torchao: which of them, how many bytes they take, and the change itself.

Only linear layers inside repeated blocks are changed. What stands alone at either end of a network (embeddings, the
first and the last projection), norms, convolutions, biases, and picture and sound decoders stay as they are: they are
small or few, and losses there are heard and seen.

Read from `card.options`:
    quantise: "int8" or "int4"; nothing by default.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices import memory
from studio.devices.device import Device
from studio.errors import StudioError

DECODERS = ("vae", "vocoder")
"""Parts of a pipeline that are never quantised: what they lose is seen and heard."""
_GROUP = 128  # weights that share a scale in 4 bits
_PAD = 1024  # to a multiple of which the 4-bit kernel widens a layer
_LEAST = 1024  # weights of a layer that is worth it
_INSIDE = re.compile(r"(^|\.)\d+\.")
_WHOLE = re.compile(r"(^|\.)(\w*embed\w*|lm_heads?|shared|router|gate|relative_attention_bias)(\.|$)")
_AMPERE = 8
_FEW_ROWS = 8
_KINDS = ("int8", "int4")


def wanted_bits(card: Card) -> str:
    """How the card's weights are to be quantised; "" where they are not.

    Raises:
        StudioError: not_a_choice.
    """
    kind = card.options.get("quantise", "")
    if kind and kind not in _KINDS:
        raise StudioError("not_a_choice", field="quantise", value=str(kind), choices=", ".join(_KINDS))
    return kind


def quiet() -> None:
    """Without torchao's remarks at its import: on compiled parts for other devices, and on names of torch's own."""
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


def quantise(card: Card, module: Any, device: Device) -> None:
    """Change a module's layers where they are to be, layer by layer, and leave it on the device.

    On a graphics card each layer is brought over, changed and kept there before the next: the whole is never on it.

    Raises:
        StudioError: variant_not_here, where the device has no kernel for it.
    """
    if not (kind := wanted_bits(card)):
        return
    import torch
    from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig, quantize_

    if kind == "int4" and (device.kind != "cuda" or torch.cuda.get_device_capability(device.index)[0] < _AMPERE):
        raise StudioError("variant_not_here", model=card.title, device=device.name, variants="–")
    chosen = {
        name
        for name, part in module.named_modules()
        if isinstance(part, torch.nn.Linear) and fits(f"{name}.weight", tuple(part.weight.shape), kind)
    }
    config: Any = Int8WeightOnlyConfig(set_inductor_config=False)
    if kind == "int4":
        packing: Any = "tile_packed_to_4d"  # its enumeration is a string, and lies where it may be moved
        config = Int4WeightOnlyConfig(group_size=_GROUP, int4_packing_format=packing, set_inductor_config=False)
    where = str(device) if device.kind == "cuda" else None
    quantize_(module, config, filter_fn=lambda _, name: name in chosen, device=where)
    if device.kind == "cpu":
        for name in chosen:
            _hasten(module.get_submodule(name))
    memory.collect()  # the C library keeps what the change took in passing, twice the size of the result


def _hasten(layer: Any) -> None:
    """Let a layer in 8 bits use torch's own kernel where it reads few rows, as a language model does that writes.

    torchao widens the weights to the type of what comes in first, which costs a processor more than the product.
    """
    import torch

    weight, bias = layer.weight, layer.bias
    numbers, scales = weight.qdata, weight.scale.flatten().to(torch.bfloat16)

    def forward(given: Any) -> Any:
        rows = given.numel() // given.shape[-1]
        if rows > _FEW_ROWS or given.dtype is not torch.bfloat16:
            return torch.nn.functional.linear(given, weight, bias)
        made = torch.ops.aten._weight_int8pack_mm(given.reshape(rows, -1), numbers, scales)
        made = made.reshape(*given.shape[:-1], -1)
        return made if bias is None else made + bias

    layer.forward = forward


def fits(name: str, shape: tuple[int, ...], kind: str) -> bool:
    """Whether a weight of this name and shape is changed."""
    if len(shape) != 2 or not name.endswith(".weight") or math.prod(shape) < _LEAST:
        return False
    if kind == "int4" and shape[1] % _GROUP:
        return False
    return bool(_INSIDE.search(name)) and not _WHOLE.search(name)


def saved(kind: str, tables: Mapping[Path, Mapping[str, Any]], width: int) -> int:
    """Bytes that the weights in these safetensors files take less than in a float type of `width` bytes.

    Args:
        tables: the files' headers.
    """
    shapes = [
        (name, tuple(entry["shape"]))
        for file, table in tables.items()
        if file.parent.name not in DECODERS
        for name, entry in table.items()
    ]
    inside = [shape for name, shape in shapes if fits(name, shape, kind)]
    return sum(math.prod(shape) * width - _bytes(kind, *shape) for shape in inside)


def _bytes(kind: str, rows: int, across: int) -> int:
    if kind == "int8":
        return rows * (across + 4 + 1)  # a scale and a zero point a row
    rows, across = -(-rows // 8) * 8, -(-across // _PAD) * _PAD
    return rows * across // 2 + rows * across // _GROUP * 4


def plain(tensors: Iterable[Any]) -> Iterator[Any]:
    """The tensors, and in place of quantised ones those that they are made of."""
    for tensor in tensors:
        if hasattr(tensor, "__tensor_flatten__"):
            yield from plain(getattr(tensor, name) for name in tensor.__tensor_flatten__()[0])
        else:
            yield tensor
