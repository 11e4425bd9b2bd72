"""Upscaler: pictures enlarged with Swin2SR through transformers, tile by tile, so that memory does not grow with them.

Tiles start at multiples of the model's attention window, so that what lies inside two of them is computed in the same
windows; where they overlap, one is faded into the other.

Read from `card.options`:
    tile: side of a tile in pixels of the input, where the request names none; 256 by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.image import init_image
from studio.engines.shared import parking, torch_loading
from studio.media import colour
from studio.media.image import check_image, decode
from studio.requests import Request, UpscaleRequest
from studio.results import Output

TILE, OVERLAP, MARGIN = 256, 32, 12
"""Pixels of the input: a tile, what two neighbours share, and the edge of a tile that is not used where one follows."""
_WORK_PER_PIXEL = 26_000
"""Bytes that a run takes per pixel of a tile, measured: six stages of attention, then the result in 64 channels."""


class UpscalerEngine(torch_loading.Casts):
    """Swin2SR models, in transformers' layout."""

    def weights(self, card: Card, files: Path) -> int:
        return torch_loading.stored_bytes(card, files)

    def work(self, card: Card, request: Request) -> int:
        assert isinstance(request, UpscaleRequest)
        _, width, height = check_image(request.image)
        tile = _tile(card, request)
        scale = int(card.limits.get("max_scale", 4))
        band = min(tile, height) * width * scale**2 * 3 * 4 * 2
        return min(tile, width) * min(tile, height) * _WORK_PER_PIXEL + band + width * height * scale**2 * 4

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
        with torch_loading.working(self._card), self._listening(context):
            result = Image.fromarray(
                self._enlarge(np.asarray(picture), _up(_tile(self._card, request), self._window), context)
            )
        wanted = (picture.width * request.scale, picture.height * request.scale)
        if result.size != wanted:
            result = result.resize(wanted, Image.Resampling.LANCZOS)
        if given.image.mode == "RGBA":
            result.putalpha(given.image.getchannel("A").resize(wanted, Image.Resampling.LANCZOS))
        return Output(images=(result,), seeds=(0,), notes=init_image.left_out(given, whole=True))

    def _listening(self, context: Context) -> Any:
        """While it lasts, every layer asks whether the person pressed Stop: a tile can take half a minute."""
        from contextlib import ExitStack

        stack = ExitStack()
        for stage in self._model.swin2sr.encoder.stages:
            for layer in stage.layers:
                handle = layer.register_forward_pre_hook(lambda *_: context.check())
                stack.callback(handle.remove)
        return stack

    def _enlarge(self, pixels: np.ndarray, tile: int, context: Context) -> np.ndarray:
        """uint8 pixels, shape (height, width, 3), enlarged by the model's own scale. One row of tiles at a time."""
        height, width, _ = pixels.shape
        scale = self._native
        rows, columns = spans(height, tile, self._window), spans(width, tile, self._window)
        result = np.empty((height * scale, width * scale, 3), np.uint8)
        fade_in: np.ndarray | None = None
        done = 0
        for i, (top, bottom) in enumerate(rows):
            band = np.zeros(((bottom - top) * scale, width * scale, 3), np.float32)
            for j, (left, right) in enumerate(columns):
                context.check()
                found = self._one(pixels[top:bottom, left:right])
                weight = fade(columns, j, scale)[None, :, None]
                band[:, left * scale : right * scale] += found * weight
                done += 1
                context.step(done, len(rows) * len(columns))
            band *= fade(rows, i, scale)[:, None, None]
            if fade_in is not None:
                band[: len(fade_in)] += fade_in
            end = rows[i + 1][0] if i + 1 < len(rows) else bottom
            ready = band[: (end - top) * scale]
            result[top * scale : end * scale] = np.rint(np.clip(ready, 0, 1) * 255)
            fade_in = band[(end - top) * scale :]
        return result

    def _one(self, pixels: np.ndarray) -> np.ndarray:
        """One tile: float32 in about 0..1, shape (height, width, 3) times the model's own scale."""
        import torch

        height, width, _ = pixels.shape
        wide = ((0, _up(height, self._window) - height), (0, _up(width, self._window) - width), (0, 0))
        padded = np.pad(pixels, wide, mode="symmetric")  # by ourselves: torch cannot mirror more than there is
        tensor = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1)))[None]
        tensor = tensor.to(device=str(self._device), dtype=self._model.dtype) / 255
        found = self._model(pixel_values=tensor).reconstruction[0].float().cpu().numpy().transpose(1, 2, 0)
        return found[: height * self._native, : width * self._native]


def _tile(card: Card, request: UpscaleRequest) -> int:
    return max(request.tile or int(card.options.get("tile", TILE)), OVERLAP * 2)


def _up(length: int, step: int) -> int:
    return -(-length // step) * step


def spans(length: int, tile: int, step: int) -> list[tuple[int, int]]:
    """Where tiles begin and end along one side: starts are multiples of `step`, neighbours share at least OVERLAP."""
    stride = (tile - OVERLAP) // step * step
    return [(start, min(start + tile, length)) for start in _starts(length, tile, stride)]


def _starts(length: int, tile: int, stride: int) -> Iterator[int]:
    start = 0
    while start + tile < length:
        yield start
        start += stride
    yield start


def fade(tiles: list[tuple[int, int]], number: int, scale: int) -> np.ndarray:
    """How much each enlarged line of a tile counts, 0..1: with those of its neighbours it adds up to 1."""
    start, end = tiles[number]
    weight = np.ones((end - start) * scale, np.float32)
    if number > 0:
        shared = (tiles[number - 1][1] - start) * scale
        weight[:shared] = _ramp(shared, scale)
    if number + 1 < len(tiles):
        shared = (end - tiles[number + 1][0]) * scale
        weight[-shared:] = 1 - _ramp(shared, scale)
    return weight


def _ramp(length: int, scale: int) -> np.ndarray:
    """From 0 to 1 over `length` lines, level at both ends for the margin."""
    margin = min(MARGIN * scale, (length - 1) // 2)
    line = (np.arange(length, dtype=np.float32) + 0.5 - margin) / (length - 2 * margin)
    return np.clip(line, 0, 1)
