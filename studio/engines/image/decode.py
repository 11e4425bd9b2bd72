"""The end of a painting: latents decoded whole or in tiles, and numbers that are a picture."""

from __future__ import annotations

from typing import Any

from PIL import Image

from studio.catalog.card import Card
from studio.engines.image.passes import tiled
from studio.errors import StudioError
from studio.requests import ImageRequest


def set_tiles(pipe: Any, card: Card, request: ImageRequest) -> None:
    """Decode big pictures in tiles, others whole: tiles need less memory and can leave faint seams."""
    if tiled(card, request) and hasattr(pipe.vae, "enable_tiling"):
        pipe.vae.enable_tiling()
    elif hasattr(pipe.vae, "disable_tiling"):
        pipe.vae.disable_tiling()


def as_picture(card: Card, result: Any) -> Image.Image:
    """A picture of an array (height, width, 3) from 0 to 1. Raises StudioError: bad_output where it is none."""
    import numpy as np

    if not np.isfinite(result).all():
        raise StudioError("bad_output", model=card.title, reason="not numbers")
    if not result.any():
        raise StudioError("bad_output", model=card.title, reason="a black picture")
    return Image.fromarray((result * 255).round().astype("uint8"), "RGB")
