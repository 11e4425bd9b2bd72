"""A font for labels drawn into pictures: pillow's own for Latin, Greek and Cyrillic, the system's for other signs."""

from __future__ import annotations

from typing import Any

from PIL import ImageFont

_SYSTEM = (
    "NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "PingFang.ttc",
    "Hiragino Sans GB.ttc", "msyh.ttc", "simsun.ttc",
)  # fmt: skip
"""Fonts with Chinese signs that Linux, macOS and Windows come with, found by their file names."""
_BEYOND = 0x2E80
"""The first sign that pillow's own font certainly lacks."""


def font(text: str, size: int) -> Any:
    """A font that can draw `text`, as far as this machine has one; `size` in pixels."""
    if any(ord(sign) >= _BEYOND for sign in text):
        for name in _SYSTEM:
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue
    return ImageFont.load_default(size)
