"""Upscaler: pictures enlarged with Swin2SR through transformers, tile by tile.

Tiles start at multiples of the model's attention window, so that what lies inside two of them is computed in the same
windows.

Read from `card.options`:
    tile: side of a tile in pixels of the input, where the request names none; 256 by default.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.image import init_image, tiles
from studio.engines.shared import parking, torch_loading
from studio.media import colour
from studio.media.image import check_image, decode
from studio.requests import Request, UpscaleRequest
from studio.results import Output

_WORK_PER_PIXEL = 26_000
"""Bytes that a run takes per pixel of a tile, measured: six stages of attention, then the result in 64 channels."""


class UpscalerEngine(torch_loading.Casts):
    """Swin2SR models, in transformers' layout."""

    def weights(self, card: Card, files: Path) -> int:
        return torch_loading.stored_bytes(card, files)

    def work(self, card: Card, request: Request) -> int:
        assert isinstance(request, UpscaleRequest)
        _, width, height = check_image(request.image)
        tile = tiles.side(card, request)
        held = tiles.band(width, height, tile, int(card.limits.get("max_scale", 4)))
        return min(tile, width) * min(tile, height) * _WORK_PER_PIXEL + held

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> Upscaler:
        torch_loading.refuse_code(card, files)
        with torch_loading.loading(card, device, "transformers"):
            from transformers import Swin2SRForImageSuperResolution

            dtype = torch_loading.dtype_for(card, files, device)
            model = torch_loading.pretrained(Swin2SRForImageSuperResolution, card, files, device, dtype)
        report(1.0)
        return Upscaler(card, model, device)


class Upscaler(parking.Parking):
    """A model in memory."""

    def __init__(self, card: Card, model: Any, device: Device) -> None:
        self._card, self._device = card, device
        self._model: Any = model
        self._weights: Any = parking.placed(card, device, model)
        self._native = int(model.config.upscale)
        self._window = int(model.config.window_size)

    def nbytes(self) -> int:
        return self._weights.nbytes()

    def close(self) -> None:
        self._model = self._weights = None

    def run(self, request: UpscaleRequest, context: Context) -> Output:
        """The picture, `scale` times as wide and as high: enlarged as the model does it, then made smaller if need be.

        Where it is transparent, so is the result.

        Raises:
            Cancelled: stopped; half a picture is worth nothing.
            StudioError: out_of_memory.
        """
        given = decode(request.image)
        picture = given.image if given.image.mode == "RGB" else colour.bled(given.image)
        tile = tiles.side(self._card, request, self._window)
        layers = [layer for stage in self._model.swin2sr.encoder.stages for layer in stage.layers]
        with torch_loading.working(self._card), tiles.listening(layers, context):
            pixels = tiles.enlarge(np.asarray(picture), tile, self._window, self._native, self._one, context)
        result = tiles.finished(pixels, given, request.scale)
        return Output(images=(result,), seeds=(0,), notes=init_image.left_out(given, whole=True))

    def _one(self, pixels: np.ndarray) -> np.ndarray:
        """One tile: float32 in about 0..1, shape (height, width, 3) times the model's own scale."""
        import torch

        height, width, _ = pixels.shape
        padded = tiles.mirrored(pixels, tiles.up(height, self._window), tiles.up(width, self._window))
        tensor = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1)))[None]
        tensor = tensor.to(device=str(self._device), dtype=self._model.dtype) / 255
        found = self._model(pixel_values=tensor).reconstruction[0].float().cpu().numpy().transpose(1, 2, 0)
        return found[: height * self._native, : width * self._native]
