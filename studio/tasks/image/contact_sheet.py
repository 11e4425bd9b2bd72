"""The contact sheet of a grid of pictures: rows and columns with a label on each, in blocks under a title of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from studio.requests import ImageRequest, UpscaleRequest
from studio.results import Output
from studio.tasks.image.grid_axes import Layout

MAX_PIXELS = 36_000_000
"""Of the cells together; larger ones are shown smaller."""
LONGEST_LABEL = 200
_PAPER, _INK, _EMPTY = (255, 255, 255), (34, 34, 34), (236, 234, 230)
_LINES = 3
_SYSTEM = (
    "NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "PingFang.ttc",
    "Hiragino Sans GB.ttc", "msyh.ttc", "simsun.ttc",
)  # fmt: skip
"""Fonts with Chinese signs that Linux, macOS and Windows come with, found by their file names."""
_BEYOND = 0x2E80
"""The first sign that pillow's own font certainly lacks."""


def placed(cells: Sequence[ImageRequest | UpscaleRequest], output: Output) -> list[Image.Image | None]:
    """The picture of each cell, in the order of the cells; None for those that were skipped or never begun."""
    done = list(zip(output.requests, output.images, strict=True))
    found: list[Image.Image | None] = []
    for cell in cells:
        found.append(done.pop(0)[1] if done and done[0][0] == cell else None)
    return found


def sheet(layout: Layout, pictures: Sequence[Image.Image | None]) -> Image.Image:
    """The sheet: RGB on white, as large as its cells up to MAX_PIXELS; cells without a picture stay empty.

    Args:
        pictures: block by block, each row by row, as many as the layout has cells.
    """
    columns, rows, blocks = len(layout.columns), len(layout.rows), len(layout.blocks)
    width = max((picture.width for picture in pictures if picture), default=64)
    height = max((picture.height for picture in pictures if picture), default=64)
    shrink = min(1.0, (MAX_PIXELS / (width * height * columns * rows * blocks)) ** 0.5)
    width, height = max(1, int(width * shrink)), max(1, int(height * shrink))
    gap = max(2, min(width, height) // 64)
    size = max(10, min(width, height) // 16)
    font = label_font("".join((*layout.rows, *layout.columns, *layout.blocks, *layout.each)), size)
    line = round(size * 1.4)
    left = _widest(layout.rows, font, max(width, 8 * size)) + 2 * gap if any(layout.rows) else gap
    heads = [_wrapped(label, font, max(width, 4 * size)) for label in layout.columns]
    top = max(len(head) for head in heads) * line + 2 * gap if any(layout.columns) else gap
    across = left + columns * (width + gap)
    titles = [_wrapped(label, font, max(across - 2 * gap, 8 * size)) for label in layout.blocks]
    title = max(len(each) for each in titles) * line + 2 * gap if any(layout.blocks) else 0
    below = [_wrapped(label, font, width) for label in layout.each]
    pitch = height + gap + (max(len(each) for each in below) * line + gap if below else 0)
    deep = title + top + rows * pitch
    whole = Image.new("RGB", (across, blocks * deep), _PAPER)
    draw = ImageDraw.Draw(whole)
    for block, name in enumerate(titles):
        begin = block * deep + title
        _write(draw, name, across // 2, begin - title // 2, line, font)
        for column, head in enumerate(heads):
            _write(draw, head, left + column * (width + gap) + width // 2, begin + top // 2, line, font)
        for row, label in enumerate(layout.rows):
            middle = begin + top + row * pitch + height // 2
            _write(draw, _wrapped(label, font, left - gap), left // 2, middle, line, font)
    for number, picture in enumerate(pictures):
        block, place = divmod(number, columns * rows)
        row, column = divmod(place, columns)
        x, y = left + column * (width + gap), block * deep + title + top + row * pitch
        if below:
            words = below[number]
            _write(draw, words, x + width // 2, y + height + gap + len(words) * line // 2, line, font)
        if picture is None:
            draw.rectangle((x, y, x + width - 1, y + height - 1), fill=_EMPTY)
            continue
        small = picture.convert("RGB")
        if small.width > width or small.height > height or shrink < 1:
            small.thumbnail((width, height), Image.Resampling.LANCZOS)
        whole.paste(small, (x + (width - small.width) // 2, y + (height - small.height) // 2))
    return whole


def _write(draw: ImageDraw.ImageDraw, lines: list[str], x: int, y: int, line: int, font: Any) -> None:
    """Lines of text round a middle."""
    first = y - line * (len(lines) - 1) / 2
    for number, text in enumerate(lines):
        draw.text((x, first + number * line), text, fill=_INK, font=font, anchor="mm")


def _widest(labels: Sequence[str], font: Any, most: int) -> int:
    wrapped = (line for label in labels for line in _wrapped(label, font, most))
    return max((round(font.getlength(line)) + 1 for line in wrapped), default=0)


def _wrapped(label: str, font: Any, width: int) -> list[str]:
    """The label in at most _LINES lines of `width` pixels, broken between words and, where one is longer, inside it."""
    lines: list[str] = []
    rest = " ".join(label[:LONGEST_LABEL].split())
    while rest and len(lines) < _LINES:
        fits = len(rest)
        while fits > 1 and font.getlength(rest[:fits]) > width:
            fits -= 1
        if fits < len(rest) and (space := rest.rfind(" ", 0, fits + 1)) > 0:
            fits = space
        lines.append(rest[:fits].strip())
        rest = rest[fits:].strip()
    if rest:
        lines[-1] = lines[-1][:-1] + "…"
    return lines


def label_font(text: str, size: int) -> Any:
    """A font that can draw `text`, as far as this machine has one; `size` in pixels.

    Pillow's own for Latin, Greek and Cyrillic, the system's for other signs.
    """
    if any(ord(sign) >= _BEYOND for sign in text):
        for name in _SYSTEM:
            try:
                return ImageFont.truetype(name, size)
            except OSError:
                continue
    return ImageFont.load_default(size)
