"""Pictures enlarged tile by tile, so that memory does not grow with them: what all networks that enlarge share.

Where two tiles overlap, one is faded into the other; the edge of a tile, where the network saw no neighbours, does not
count. One row of tiles is held at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
from PIL import Image

from studio.catalog.card import Card
from studio.engines.base import Context
from studio.media.image import Decoded
from studio.requests import UpscaleRequest

TILE, OVERLAP, MARGIN = 256, 32, 12
"""Pixels of the input: a tile, what two neighbours share, and the edge of a tile that is not used where one follows."""

One = Callable[[np.ndarray], np.ndarray]
"""A network at one tile: uint8 pixels, shape (height, width, 3), to float32 in about 0..1, `scale` times as large."""


def side(card: Card, request: UpscaleRequest, step: int = 1) -> int:
    """Side of a tile in pixels, a multiple of `step`: what the request names, else what the card does."""
    wanted = max(request.tile or int(card.options.get("tile", TILE)), OVERLAP * 2)
    return up(max(wanted, OVERLAP + step), step)


def up(length: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-length // step) * step


def band(width: int, height: int, tile: int, scale: int) -> int:
    """Bytes of a row of tiles and of the whole result, for a picture of this size."""
    return min(tile, height) * width * scale**2 * 3 * 4 * 2 + width * height * scale**2 * 4


def enlarge(pixels: np.ndarray, tile: int, step: int, scale: int, one: One, context: Context) -> np.ndarray:
    """uint8 pixels, shape (height, width, 3), `scale` times as large.

    Args:
        tile: side of a tile, a multiple of `step`. step: tiles start at multiples of it.
        scale: the network's own.
        one: the network.

    Raises:
        Cancelled: stopped between two tiles.
    """
    height, width, _ = pixels.shape
    rows, columns = spans(height, tile, step), spans(width, tile, step)
    result = np.empty((height * scale, width * scale, 3), np.uint8)
    fade_in: np.ndarray | None = None
    done = 0
    for i, (top, bottom) in enumerate(rows):
        strip = np.zeros(((bottom - top) * scale, width * scale, 3), np.float32)
        for j, (left, right) in enumerate(columns):
            context.check()
            found = one(pixels[top:bottom, left:right])
            strip[:, left * scale : right * scale] += found * fade(columns, j, scale)[None, :, None]
            done += 1
            context.step(done, len(rows) * len(columns))
        strip *= fade(rows, i, scale)[:, None, None]
        if fade_in is not None:
            strip[: len(fade_in)] += fade_in
        end = rows[i + 1][0] if i + 1 < len(rows) else bottom
        ready = strip[: (end - top) * scale]
        result[top * scale : end * scale] = np.rint(np.clip(ready, 0, 1) * 255)
        fade_in = strip[(end - top) * scale :]
    return result


def mirrored(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """A tile made larger at the bottom and on the right; torch cannot mirror more than there is."""
    wide = ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0))
    return np.pad(pixels, wide, mode="symmetric")


def finished(pixels: np.ndarray, given: Decoded, scale: int) -> Image.Image:
    """The enlarged pixels as a picture `scale` times as large as the one that was given, and as transparent."""
    result = Image.fromarray(pixels)
    wanted = (given.image.width * scale, given.image.height * scale)
    if result.size != wanted:
        result = result.resize(wanted, Image.Resampling.LANCZOS)
    if given.image.mode == "RGBA":
        result.putalpha(given.image.getchannel("A").resize(wanted, Image.Resampling.LANCZOS))
    return result


def listening(layers: Any, context: Context) -> ExitStack:
    """While it lasts, each of these layers asks whether the person pressed Stop: a tile can take half a minute."""
    stack = ExitStack()
    for layer in layers:
        handle = layer.register_forward_pre_hook(lambda *_: context.check())
        stack.callback(handle.remove)
    return stack


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
