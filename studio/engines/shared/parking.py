"""Weights that leave their device and come back, without being read again.

A model is built in memory, where a tensor that is stored as it is computed with stays mapped from its file: the system
reads it when it is wanted and drops it when room is needed. `place` points every parameter at a copy on the device,
`park` points it back at the mapped tensor, so that nothing is copied from the device. What is not mapped (cast while it
was loaded, buffers, what a module keeps beside them) is copied both ways and is counted as memory. On a processor
nothing moves.

Tensors that shared memory go on sharing it.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.shared import torch_loading

MAPS = Path("/proc/self/maps")


class Weights:
    """The weights of some modules.

    Args:
        device: where they belong; they may be there already.
    """

    def __init__(self, device: Device, *modules: Any) -> None:
        import torch

        self._device, self._tops = device, modules
        self._parameters = {id(one): one for one in self._now()}  # held, so that no other can have its id
        self._plain = all(type(one) in (torch.nn.Parameter, torch.Tensor) for one in self._parameters.values())
        here = [one for one in self._parameters.values() if self._plain and one.device.type == "cpu"]
        self._mapped = {id(one): one.data for one, found in zip(here, mapped(here), strict=True) if found}
        self._beside: list[tuple[dict[str, Any], str]] = []

    def nbytes(self) -> int:
        """Bytes over unique storages, wherever they are; of the largest module where one is on the device at a time."""
        if self._hooked():
            return max(torch_loading.nbytes(top) for top in self._tops)
        return torch_loading.nbytes(*self._tops)

    def parked_nbytes(self) -> int | None:
        """Bytes that parking keeps in memory; None where the modules are not as they were loaded, or cannot move."""
        if self._device.kind == "mps" or not self._plain or self._hooked():
            return None
        if {id(one) for one in self._now()} != self._parameters.keys():  # an adaptation is on them
            return None
        kept = [one for one in self._parameters.values() if id(one) not in self._mapped]
        buffers = [buffer for place, name in self._buffers() if (buffer := place[name]) is not None]
        storages = {_key(one): one.untyped_storage().nbytes() for one in (*kept, *buffers)}
        return sum(storages.values())

    def place(self) -> None:
        """Bring everything to the device. Where that fails, nothing is left there."""
        if self._device.kind == "cpu" or self._hooked():
            return
        if not self._plain:  # quantised: only their own class knows how to move them
            for module in self._tops:
                module.to(str(self._device))
            return
        self._move(str(self._device), {})
        for module in self._modules():
            if hasattr(module, "flatten_parameters"):  # recurrent layers want theirs in one piece
                module.flatten_parameters()

    def park(self) -> None:
        """Leave the device. Where that fails, the weights are still there."""
        if self._device.kind == "cpu":
            return
        self._move("cpu", self._mapped)
        if self._device.kind == "cuda":
            _emptied()

    def _move(self, device: str, ready: dict[int, Any]) -> None:
        """Point everything at `ready` tensors or at copies on `device`: first all copies, then all pointers."""
        made: dict[int, Any] = {}
        data: dict[int, Any] = {}
        try:
            for key, one in self._parameters.items():
                data[key] = ready[key] if key in ready else _copied(one.data, device, made)
            buffers = [(place, name, _over(place[name], device)) for place, name in self._buffers()]
            beside = [(place, name, _over(place[name], device)) for place, name in self._kept_beside(device)]
        except BaseException:
            data.clear()  # or a saved traceback would keep half a model on the device
            raise
        finally:
            made.clear()
        for key, one in self._parameters.items():
            one.data = data[key]
        for place, name, value in (*buffers, *beside):
            place[name] = value
        self._beside = [(place, name) for place, name, _ in beside] if device == "cpu" else []

    def _now(self) -> Iterator[Any]:
        """The parameters that the modules have now, each once."""
        seen: set[int] = set()
        for module in self._tops:
            for one in module.parameters():
                if id(one) not in seen:
                    seen.add(id(one))
                    yield one

    def _modules(self) -> Iterator[Any]:
        for top in self._tops:
            yield from top.modules()

    def _buffers(self) -> list[tuple[dict[str, Any], str]]:
        """Where buffers are kept: a module's table of them, and the name in it."""
        return [(module._buffers, name) for module in self._modules() for name in module._buffers]

    def _kept_beside(self, device: str) -> list[tuple[dict[str, Any], str]]:
        """Where modules keep plain tensors that have to move: those on the device, or those that once were."""
        if device != "cpu":
            return self._beside
        import torch

        own = vars(torch.nn.Module())
        found = [(vars(module), name) for module in self._modules() for name in vars(module) if name not in own]
        return [(place, name) for place, name in found if _strays(place[name], self._device.kind)]

    def _hooked(self) -> bool:
        """Another library moves them about, for example because only the part that works is on the device."""
        # a pipeline that ran has left empty registries of hooks on its modules
        return any(
            hasattr(module, "_hf_hook") or getattr(getattr(module, "_diffusers_hook", None), "hooks", None)
            for module in self._modules()
        )


class Parking:
    """`studio.engines.base.Parkable` for a loaded model with its weights in `_weights`."""

    _card: Card
    _device: Device
    _weights: Any

    def parked_nbytes(self) -> int | None:
        return self._weights.parked_nbytes()

    def park(self) -> None:
        self._forget()
        self._weights.park()

    def place(self) -> None:
        """Raises StudioError: out_of_memory."""
        with torch_loading.loading(self._card, self._device):
            self._weights.place()

    def _forget(self) -> None:
        """Drop what lies on the device beside the weights and can be computed again."""


def placed(card: Card, device: Device, *modules: Any) -> Weights:
    """The weights of these modules, on their device.

    Raises:
        StudioError: out_of_memory.
    """
    with torch_loading.loading(card, device):
        weights = Weights(device, *modules)
        weights.place()
        return weights


def mapped(tensors: Iterable[Any]) -> list[bool]:
    """Of each tensor in memory, whether it is mapped from a file: the system may drop it and read it again.

    Only Linux tells. Elsewhere all count as memory, which on Windows they are: what is mapped to be changed is
    promised a place in its page file.
    """
    ranges = _mapped_ranges() if sys.platform == "linux" else []
    starts = [start for start, _ in ranges]

    def within(tensor: Any) -> bool:
        storage = tensor.untyped_storage()
        start, length = storage.data_ptr(), storage.nbytes()
        place = bisect_right(starts, start) - 1
        return length > 0 and place >= 0 and start + length <= ranges[place][1]

    return [within(tensor) for tensor in tensors]


def _mapped_ranges() -> list[tuple[int, int]]:
    """Addresses that lie in files, neighbours joined, in order. See proc_pid_maps(5)."""
    try:
        lines = MAPS.read_text(errors="replace").splitlines()
    except OSError:
        return []
    found: list[tuple[int, int]] = []
    for line in lines:
        addresses, _, _, _, inode, *path = line.split(maxsplit=5)
        if inode == "0" or not path or path[0].startswith(("/dev/", "/memfd:")):  # shared memory has names too
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        if found and found[-1][1] == start:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found


def _key(tensor: Any) -> int:
    """What tensors have in common that share memory."""
    return tensor.untyped_storage()._cdata


def _copied(tensor: Any, device: str, made: dict[int, Any]) -> Any:
    """A tensor over a copy of its storage; `made` holds the copies of this move."""
    import torch

    if _key(tensor) not in made:
        whole = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(tensor.untyped_storage())
        made[_key(tensor)] = _over(whole, device)
    storage = made[_key(tensor)].untyped_storage()
    view = torch.empty(0, dtype=tensor.dtype, device=storage.device)
    return view.set_(storage, tensor.storage_offset(), tensor.size(), tensor.stride())


def _over(value: Any, device: str) -> Any:
    """A tensor, or all tensors in lists, tuples and dicts, on another device."""
    return _each(value, lambda tensor: tensor.to(device))


def _strays(value: Any, kind: str) -> bool:
    """Whether there is a tensor in it that is on a device of this kind and is no parameter."""
    found: list[Any] = []
    _each(value, lambda tensor: found.append(tensor) or tensor)
    return any(tensor.device.type == kind for tensor in found)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    import torch
    from torch.utils._pytree import tree_map

    if not isinstance(value, torch.Tensor | list | tuple | dict):
        return value
    plain = lambda leaf: isinstance(leaf, torch.Tensor) and not isinstance(leaf, torch.nn.Parameter)  # noqa: E731
    return tree_map(lambda leaf: change(leaf) if plain(leaf) else leaf, value)


def _emptied() -> None:
    import torch

    torch.cuda.empty_cache()
