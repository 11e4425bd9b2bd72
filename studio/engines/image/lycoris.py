"""Adaptations in LyCORIS' forms as low-rank ones of the same effect, which every loader reads.

LoHa is a product of two low-rank matrices entry by entry, LoKr a Kronecker product, "full" the difference itself. All
three are sums of a few outer products, so they can be written as up @ down exactly: nothing is rounded away, though the
rank may be large. What multiplies or normalises the model's own weights (OFT, (IA)3, DoRA) cannot.

Names and scales are those of LyCORIS 3 (lycoris/modules), weights as its `get_weight` makes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_FORMS = {
    "hada_w1_a": "LoHa", "lokr_w1": "LoKr", "lokr_w1_a": "LoKr", "diff": "full",
}  # fmt: skip
"""A tensor's name behind its layer's -> the form that it tells of."""

_UNREAD = {
    "oft_blocks": "OFT", "oft_diag": "OFT", "boft_blocks": "BOFT", "on_input": "(IA)³", "dora_scale": "DoRA",
    "a1": "GLoRA", "w_norm": "norms", "b_norm": "norms", "diff_b": "biases",
}  # fmt: skip

_STABILITY = {"_in_layers_2": (3, 3), "_out_layers_3": (3, 3), "_op": (3, 3), "_skip_connection": (1, 1)}

Form = str


def form(names: Iterable[str]) -> tuple[Form, bool]:
    """The form that a file's names tell of, and whether it can be read; empty for a plain one."""
    found: Form = ""
    for name in names:
        last = _last(name)
        if last in _UNREAD:
            return _UNREAD[last], False
        found = found or _FORMS.get(last, "")
    return found, True


def plain(tensors: Mapping[str, Any], kernels: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The same adaptation with an up and a down matrix a layer; layers that have such already stay as they are.

    Args:
        kernels: height and width of the kernel by the name of each convolution: most forms store them flat.

    Raises:
        ValueError, KeyError, RuntimeError: the shapes do not go together, or a part is missing.
    """
    layers: dict[str, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        layer, _, rest = name.rpartition(".") if _last(name) != "weight" else _apart(name)
        layers.setdefault(layer, {})[rest] = tensor
    found: dict[str, Any] = {}
    for layer, parts in layers.items():
        if not any(part in _FORMS for part in parts):
            found |= {f"{layer}.{rest}": tensor for rest, tensor in parts.items()}
            continue
        up, down = _shaped(*_low_rank(parts), _kernel(layer, kernels))
        kohya = layer.startswith("lora_")
        found[f"{layer}.lora_up.weight" if kohya else f"{layer}.lora_B.weight"] = up.contiguous()
        found[f"{layer}.lora_down.weight" if kohya else f"{layer}.lora_A.weight"] = down.contiguous()
    return unscaled(found)


def uneven(tensors: Mapping[str, Any]) -> bool:
    """Whether layers are scaled differently: loaders that take the commonest scale for all would get some wrong."""
    return len({float(tensor) for name, tensor in tensors.items() if _last(name) == "alpha"}) > 1


def unscaled(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """The same adaptation with every layer's scale (alpha by rank) multiplied into its up matrix."""
    found = {name: tensor for name, tensor in tensors.items() if _last(name) != "alpha"}
    for name, alpha in tensors.items():
        layer, _, last = name.rpartition(".")
        up, down = f"{layer}.lora_up.weight", f"{layer}.lora_down.weight"
        if last == "alpha" and up in found and down in found:
            found[up] = found[up].float() * (float(alpha) / found[down].shape[0])
        elif last == "alpha":
            found[name] = alpha
    return found


def kernels(pipe: Any) -> dict[str, tuple[int, ...]]:
    """The kernels of a pipeline's convolutions, by the names that files have for them."""
    found = {}
    for name, module in pipe.unet.named_modules() if getattr(pipe, "unet", None) is not None else ():
        if hasattr(module, "kernel_size"):
            inside = name.removesuffix(".base_layer")
            found["lora_unet_" + inside.replace(".", "_")] = found[f"unet.{inside}"] = tuple(module.kernel_size)
    return found


def _kernel(layer: str, kernels: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Of a layer that is called as in the model, or as in Stability's own code; nothing where it is no convolution."""
    if layer in kernels:
        return kernels[layer]
    return next((kernel for end, kernel in _STABILITY.items() if layer.endswith(end)), ())


def _shaped(up: Any, down: Any, kernel: tuple[int, ...]) -> tuple[Any, Any]:
    if not kernel or down.ndim == 4:
        return up, down
    return up[:, :, None, None], down.reshape(down.shape[0], -1, *kernel)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _apart(name: str) -> tuple[str, str, str]:
    """Layer and rest of a name that ends in ``.weight``: the part before belongs to the rest."""
    layer, dot, last = name.rpartition(".")
    layer, dot, part = layer.rpartition(".")
    return layer, dot, f"{part}.{last}"


def _low_rank(parts: Mapping[str, Any]) -> tuple[Any, Any]:
    """Up (out, rank) and down (rank, in) of a layer; a convolution whose kernel is known has two sides more."""
    if "diff" in parts:
        return _sides(parts["diff"].float())
    if "hada_w1_a" in parts:
        return _hadamard(parts)
    return _kronecker(parts)


def _hadamard(parts: Mapping[str, Any]) -> tuple[Any, Any]:
    import torch

    first_up, first_down, second_up, second_down = (
        parts[f"hada_w{number}_{side}"].float() for number in (1, 2) for side in ("a", "b")
    )
    scale = _scale(parts, first_down.shape[0])
    if "hada_t1" in parts:  # a convolution whose kernel is apart
        one, two = (
            torch.einsum("ijkl,jr,ip->prkl", parts[f"hada_t{number}"].float(), down, up)
            for number, up, down in ((1, first_up, first_down), (2, second_up, second_down))
        )
        return _sides(one * two * scale)
    # (A B) ∘ (C D) has the rows A ⊗ C and the columns B ⊗ D: each pair of ranks is one rank of the product.
    rank = first_up.shape[1] * second_up.shape[1]
    if rank >= min(first_up.shape[0], first_down.shape[1]):
        return _sides((first_up @ first_down) * (second_up @ second_down) * scale)
    up = torch.einsum("oi,oj->oij", first_up, second_up).reshape(first_up.shape[0], rank)
    down = torch.einsum("in,jn->ijn", first_down, second_down).reshape(rank, first_down.shape[1])
    return up * scale, down


def _kronecker(parts: Mapping[str, Any]) -> tuple[Any, Any]:
    import torch

    first, ranks = _factor(parts, "lokr_w1")
    second, others = _factor(parts, "lokr_w2")
    scale = _scale(parts, ranks or others) if ranks or others else 1.0
    while first.ndim < second.ndim:
        first = first.unsqueeze(-1)
    while second.ndim < first.ndim:
        second = second.unsqueeze(-1)
    return _sides(torch.kron(first, second.contiguous()) * scale)


def _factor(parts: Mapping[str, Any], name: str) -> tuple[Any, int]:
    """One factor of a Kronecker product, and its rank where it was stored in two parts; 0 for a whole one."""
    import torch

    if name in parts:
        return parts[name].float(), 0
    up, down = parts[f"{name}_a"].float(), parts[f"{name}_b"].float()
    if "lokr_t2" in parts and name == "lokr_w2":
        return torch.einsum("ijkl,ip,jr->prkl", parts["lokr_t2"].float(), up, down), down.shape[0]
    whole = up @ down.flatten(1)
    return (whole if down.ndim == 2 else whole.reshape(up.shape[0], *down.shape[1:])), down.shape[0]


def _scale(parts: Mapping[str, Any], rank: int) -> float:
    return float(parts["alpha"]) / rank if "alpha" in parts else 1.0


def _sides(whole: Any) -> tuple[Any, Any]:
    """A difference as up @ down, one of them the identity: the one of the shorter side."""
    import torch

    if whole.ndim == 4:
        up = torch.eye(whole.shape[0])
        return up[:, :, None, None], whole
    if whole.shape[0] <= whole.shape[1]:
        return torch.eye(whole.shape[0]), whole
    return whole, torch.eye(whole.shape[1])
