"""The pictures of the image tab's empty state: each of its examples, painted once with seed 1, none chosen by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.i18n import text

KEYS = tuple(f"image.example{number}" for number in range(1, 13))
SIDE = 192
"""Pixels a picture: a tile is at most so wide on a screen of two pixels a point."""


def write(paint: Any, target: Path) -> None:
    """Paint all of them into one strip, from left to right.

    Args:
        paint: (prompt, seed) -> uint8, square.
    """
    from PIL import Image

    strip = Image.new("RGB", (SIDE * len(KEYS), SIDE), "white")
    for place, key in enumerate(KEYS):
        picture = Image.fromarray(paint(text(key, "en"), 1))
        strip.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (SIDE * place, 0))
    strip.save(target, quality=90, method=6)
