"""Films of the lab: what moves on the page as a GIF, which slides, messengers and browsers all play."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from PIL import Image

PACE, HELD = 110, 1_500
"""Milliseconds that a frame stands, and that one stands at which something ends."""
_GAP = 8
_GROUND = "#f4f2ee"


def beside(parts: Sequence[Image.Image], side: int) -> Image.Image:
    """One frame of several square pictures in a row, each so many pixels a side."""
    frame = Image.new("RGB", (len(parts) * (side + _GAP) - _GAP, side), _GROUND)
    for number, part in enumerate(parts):
        frame.paste(part.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), (number * (side + _GAP), 0))
    return frame


def film(frames: Sequence[Image.Image], pace: int = PACE, there_and_back: bool = False) -> str:
    """Frames of one size as a `data:` address of a GIF that begins again at its end.

    Args:
        pace: milliseconds; what ends something stands for `HELD`.
        there_and_back: it goes back the way it came.
    """
    shown = [frame.convert("RGB").quantize(256) for frame in frames]
    stands = [pace] * (len(shown) - 1) + [HELD]
    if there_and_back:
        stands[0] = HELD
        shown, stands = shown + shown[-2:0:-1], stands + stands[-2:0:-1]
    file = io.BytesIO()
    shown[0].save(file, "GIF", save_all=True, append_images=shown[1:], duration=stands, loop=0)
    return f"data:image/gif;base64,{base64.b64encode(file.getvalue()).decode()}"
