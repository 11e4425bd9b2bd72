"""Upscaler of one file, as people keep ESRGAN and its relatives: told and built by spandrel, run tile by tile.

Only safetensors are read, and by us: spandrel is given tensors and never a file. It tells the architecture by their
names and the sizes by their shapes, and puts them into a network of its own code.

Read from `card.options`:
    tile: side of a tile in pixels of the input, where the request names none; 256 by default.
    dtype: "auto" (default): float16 on CUDA where the architecture bears it, else float32. bfloat16 has too few digits
        for 256 shades, and is taken where it is named and where the file is stored in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from studio.catalog.card import PICKLES, Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.image import init_image, spandrel_registry, tiles
from studio.engines.shared import parking, torch_loading
from studio.errors import StudioError
from studio.media import colour
from studio.media.image import check_image, decode
from studio.requests import Request, UpscaleRequest
from studio.results import Output
from studio.store.disk.weights import read_weights
from studio.store.safetensors import header, stored_dtype

_PER_PIXEL = {
    "Compact": 1_100, "PLKSR": 3_000, "SPAN": 6_500, "OmniSR": 10_000, "ESRGAN": 15_000, "SwinIR": 20_000,
    "DAT": 21_000, "HAT": 48_000,
}  # fmt: skip
"""Bytes that a run takes per pixel of a tile, measured at four times the size and the usual widths; less by a smaller
scale, which is not counted: docs/decisions/041-upscalers.md."""
_OTHERS = 30_000


class UpscaleNetworkEngine:
    """Networks that make a picture in colour larger, each of one safetensors file."""

    def weights(self, card: Card, files: Path) -> int:
        try:
            table = header(_file(card, files))
            dtype = torch_loading.compute_dtype(card, stored_dtype([table]), torch_loading.assumed_kind())
            return sum(torch_loading.numbers(entry) for entry in table.values()) * (4 if dtype == "float32" else 2)
        except (StudioError, OSError, ValueError, KeyError, TypeError):  # load says what is wrong with the file
            return card.memory_bytes

    def work(self, card: Card, request: Request) -> int:
        assert isinstance(request, UpscaleRequest)
        _, width, height = check_image(request.image)
        tile, scale = tiles.side(card, request), int(card.limits.get("max_scale", 4))
        each = _PER_PIXEL.get(read_weights(Path(card.source.path)).family, _OTHERS) * max(1, scale / 4) ** 2
        return int(min(tile, width) * min(tile, height) * each) + tiles.band(width, height, tile, scale)

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> UpscaleNetwork:
        file = _file(card, files)
        if file.suffix.lower() in PICKLES:
            raise StudioError("pickled_upscaler", file=file.name)
        if reason := read_weights(file).reason:
            if reason == "pickle":
                raise StudioError("pickled_upscaler", file=file.name)
            if reason != "unknown":
                raise StudioError("not_an_upscaler", file=file.name, kind=f"disk.kind.{reason}")
        loaded = _loaded(card, file, device, device.kind)
        if not loaded.bears():
            loaded.close()
            loaded = _loaded(card, file, device, "")
        report(1.0)
        return loaded


class UpscaleNetwork(parking.Parking):
    """A network in memory. `network` is spandrel's descriptor of it."""

    def __init__(self, card: Card, network: Any, device: Device) -> None:
        self._card, self._device = card, device
        self._network: Any = network
        self._weights: Any = parking.placed(card, device, network.model)
        self._scale = int(network.scale)
        self._step = _step(network)

    def nbytes(self) -> int:
        return self._weights.nbytes()

    def close(self) -> None:
        self._network = self._weights = None

    def bears(self) -> bool:
        """Whether the network runs in the type that it was cast to, tried with a few pixels.

        Some build the masks of their windows in float32 where a picture is not as large as those they learned from.

        Raises:
            StudioError: out_of_memory.
        """
        if self._dtype() == "torch.float32":
            return True
        side = max(self._network.size_requirements.minimum, 3 * self._step)
        line = np.linspace(0, 255, side, dtype=np.uint8)
        try:
            with torch_loading.working(self._card):
                return bool(np.isfinite(self._one(np.stack([np.tile(line, (side, 1))] * 3, axis=-1))).all())
        except RuntimeError:
            return False

    def run(self, request: UpscaleRequest, context: Context) -> Output:
        """The picture, `scale` times as wide and as high: as the network does it, then made smaller if need be.

        Where it is transparent, so is the result.

        Raises:
            Cancelled: stopped; half a picture is worth nothing.
            StudioError: network_scale where the network does less than is asked; out_of_memory.
        """
        if request.scale > self._scale:
            raise StudioError("network_scale", model=self._card.title, most=self._scale, scale=request.scale)
        given = decode(request.image)
        picture = given.image if given.image.mode == "RGB" else colour.bled(given.image)
        tile = tiles.side(self._card, request, self._step)
        layers = self._network.model.modules()
        with torch_loading.working(self._card), tiles.listening(layers, context):
            pixels = tiles.enlarge(np.asarray(picture), tile, self._step, self._scale, self._one, context)
        result = tiles.finished(pixels, given, request.scale)
        return Output(images=(result,), seeds=(0,), notes=init_image.left_out(given, whole=True))

    def _dtype(self) -> str:
        return str(next(self._network.model.parameters()).dtype)

    def _one(self, pixels: np.ndarray) -> np.ndarray:
        """One tile: float32 in 0..1, shape (height, width, 3) times the network's own scale."""
        import torch

        height, width, _ = pixels.shape
        least = self._network.size_requirements.minimum
        sides = [tiles.up(max(length, least), self._step) for length in (height, width)]
        padded = tiles.mirrored(pixels, *sides)
        tensor = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1)))[None]
        tensor = tensor.to(device=str(self._device), dtype=next(self._network.model.parameters()).dtype) / 255
        found = self._network(tensor)[0].float().cpu().numpy().transpose(1, 2, 0)
        return found[: height * self._scale, : width * self._scale]


def _file(card: Card, files: Path) -> Path:
    """The one file of the network. Raises StudioError: missing_files."""
    if files.is_file():
        return files
    inside = sorted(files.glob("*.safetensors"))
    if len(inside) != 1:
        raise StudioError("missing_files", model=card.title, file="*.safetensors")
    return inside[0]


def _loaded(card: Card, file: Path, device: Device, kind: str) -> UpscaleNetwork:
    """The network on its device, in the float type of such a kind of device; in float32 where `kind` is empty."""
    with torch_loading.loading(card, device):
        network = _built(card, file)
        _cast(card, file, network, kind)
    return UpscaleNetwork(card, network, device)


def _built(card: Card, file: Path) -> Any:
    """spandrel's descriptor of the network in a file, in memory.

    Raises:
        StudioError: network_not_run, network_colours.
    """
    registry = spandrel_registry.registry()
    import spandrel
    from safetensors.torch import load_file

    try:
        network = registry.load(load_file(file))
    except spandrel.UnsupportedModelError:
        raise StudioError("network_not_run", model=card.title) from None
    if (network.input_channels, network.output_channels) != (3, 3):
        channels = {"given": network.input_channels, "made": network.output_channels}
        raise StudioError("network_colours", model=card.title, **channels)
    return network


def _cast(card: Card, file: Path, network: Any, kind: str) -> None:
    """Have the network in the type in which it is computed on a device of this kind; in float32 for none."""
    import torch

    wanted = torch_loading.compute_dtype(card, stored_dtype([header(file)]), kind) if kind else "float32"
    borne = {"float16": network.supports_half, "bfloat16": network.supports_bfloat16}.get(wanted, True)
    network.model.to(dtype=getattr(torch, wanted if borne else "float32")).eval().requires_grad_(False)


def _step(network: Any) -> int:
    """What a tile's place and sides are a multiple of: windows of attention then lie as in the whole picture."""
    window = vars(network.model).get("window_size", 1)
    multiple = int(network.size_requirements.multiple_of)
    return math.lcm(multiple, window) if isinstance(window, int) and 0 < window <= tiles.TILE // 4 else multiple
