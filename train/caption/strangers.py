"""Pictures that the captioner was never made for, drawn by a seed: blank paper, noise, text, charts, screenshots.

None of them holds one thing that could be named. They measure whether it says so, and the judge in `doubt.py` learns
from others of the same kinds, with other seeds.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Draw = ImageDraw.ImageDraw
Colour = tuple[int, int, int]

WORDS: list[str] = [
    *("the", "of", "and", "to", "in", "is", "that", "it", "was", "for", "on", "are", "with", "as", "his", "they", "at"),
    *(
        "be",
        "this",
        "from",
        "have",
        "or",
        "by",
        "one",
        "had",
        "not",
        "but",
        "what",
        "all",
        "were",
        "when",
        "we",
        "there",
    ),
    *("can", "an", "your", "which", "their", "said", "if", "do", "will", "each", "about", "how", "up", "out", "them"),
    *(
        "then",
        "she",
        "many",
        "some",
        "so",
        "these",
        "would",
        "other",
        "into",
        "has",
        "more",
        "her",
        "two",
        "like",
        "him",
    ),
    *("see", "time", "could", "no", "make", "than", "first", "been", "its", "who", "now", "people", "my", "made"),
    *("over", "did", "down", "only", "way", "find", "use", "may", "water", "long", "little", "very", "after", "words"),
    *("called", "just", "where", "most", "know"),
]
LIVELY = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75), (23, 190, 207))


def blank(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    """Plain paper, a plain colour, a gradient, or paper as a scanner sees it."""
    kind = chance.choice(("white", "colour", "gradient", "paper", "near"))
    if kind == "white":
        return Image.new("RGB", size, "white")
    colour = _colour(chance)
    if kind == "colour":
        return Image.new("RGB", size, colour)
    if kind == "gradient":
        across = np.linspace(0, 1, size[0])[None, :, None]
        down = np.linspace(0, 1, size[1])[:, None, None]
        mix = across if chance.random() < 0.5 else down
        rows = np.array(colour) * (1 - mix) + np.array(_colour(chance)) * mix + np.zeros((size[1], size[0], 3))
        return Image.fromarray(rows.astype(np.uint8))
    base = np.array((245, 243, 238) if kind == "paper" else colour, float)
    noise = _random(chance).normal(0, chance.uniform(0.5, 4), (size[1], size[0], 1))
    return Image.fromarray(np.clip(base + noise, 0, 255).astype(np.uint8))


def noise(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    """Every pixel by chance: grey, coloured, black and white, or blotches of some size."""
    numbers, kind = _random(chance), chance.choice(("grey", "colour", "specks", "blotches", "normal"))
    shape = (size[1], size[0], 3)
    if kind == "colour":
        return Image.fromarray(numbers.integers(0, 256, shape, dtype=np.uint8))
    if kind == "grey":
        return Image.fromarray(numbers.integers(0, 256, shape[:2], dtype=np.uint8)).convert("RGB")
    if kind == "specks":
        return Image.fromarray((numbers.random(shape[:2]) < 0.5).astype(np.uint8) * 255).convert("RGB")
    if kind == "normal":
        made = np.clip(numbers.normal(128, chance.uniform(25, 70), shape), 0, 255)
        return Image.fromarray(made.astype(np.uint8))
    cell = chance.choice((3, 6, 12))
    small = numbers.integers(0, 256, (size[1] // cell + 1, size[0] // cell + 1, 3), dtype=np.uint8)
    how = chance.choice((Image.Resampling.NEAREST, Image.Resampling.BILINEAR))
    return Image.fromarray(small).resize(size, how)


def text(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    """A page of words, dark on light or light on dark; a heading, paragraphs, a list; perhaps scanned."""
    dark = chance.random() < 0.25
    ground, ink = ((24, 26, 30), (225, 225, 225)) if dark else ((255, 255, 255), (15, 15, 15))
    picture = Image.new("RGB", size, ground)
    draw, height = ImageDraw.Draw(picture), max(9, int(size[1] / chance.uniform(14, 42)))
    margin = size[0] // chance.choice((10, 16, 24))
    y = margin
    if chance.random() < 0.6:
        draw.text((margin, y), _line(chance, size[0] - 2 * margin, height * 1.7).title(), ink, _font(height * 1.7))
        y += int(height * 2.8)
    while y < size[1] - margin:
        width = size[0] - 2 * margin
        if chance.random() < 0.12:
            y += height
            width = int(width * chance.uniform(0.2, 0.8))
        draw.text((margin, y), _line(chance, width, height), ink, _font(height))
        y += int(height * 1.45)
    if chance.random() < 0.3:
        grain = _random(chance).normal(0, 6, (size[1], size[0], 1))
        picture = Image.fromarray(np.clip(np.asarray(picture, float) * 0.9 + 12 + grain, 0, 255).astype(np.uint8))
        picture = picture.rotate(chance.uniform(-2, 2), fillcolor=(235, 235, 235))
    return picture


def chart(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    """Bars, lines, dots or a cake, with axes and lettering."""
    picture = Image.new("RGB", size, chance.choice(((255, 255, 255), (255, 255, 255), (246, 246, 250), (30, 32, 38))))
    draw, ink = ImageDraw.Draw(picture), (40, 40, 40) if sum(picture.getpixel((0, 0))) > 300 else (220, 220, 220)  # pyright: ignore
    left, top, right, bottom = size[0] * 0.13, size[1] * 0.14, size[0] * 0.93, size[1] * 0.86
    small = _font(max(9, size[1] / 28))
    draw.text((left, size[1] * 0.03), " ".join(chance.choices(WORDS, k=4)).title(), ink, _font(max(10, size[1] / 20)))
    if (kind := chance.choice(("bars", "lines", "dots", "cake", "bars", "lines"))) == "cake":
        parts = [chance.uniform(0.4, 2) for _ in range(chance.randint(3, 7))]
        at, box = 0.0, (size[0] * 0.2, size[1] * 0.18, size[0] * 0.2 + size[1] * 0.7, size[1] * 0.88)
        for number, part in enumerate(parts):
            until = at + 360 * part / sum(parts)
            draw.pieslice(box, at, until, LIVELY[number % len(LIVELY)], "white")
            y = top + number * size[1] / 14
            draw.rectangle((right - 60, y, right - 50, y + 8), LIVELY[number % len(LIVELY)])
            draw.text((right - 45, y - 3), chance.choice(WORDS), ink, small)
            at = until
        return picture
    for step in range(6):
        y = bottom - (bottom - top) * step / 5
        draw.line((left, y, right, y), (150, 150, 150), 1)
        draw.text((left - size[0] * 0.08, y - 6), str(step * chance.choice((10, 10, 20))), ink, small)
    draw.line((left, top, left, bottom, right, bottom), ink, 2)
    count = chance.randint(4, 12)
    for series in range(chance.randint(1, 3)):
        colour, value, points = LIVELY[(series + count) % len(LIVELY)], chance.random(), []
        for number in range(count if kind != "dots" else 40):
            value = min(max(value + chance.uniform(-0.35, 0.35), 0.05), 1)
            share = chance.random() if kind == "dots" else (number + 0.5) / count
            x, y = left + (right - left) * share, bottom - (bottom - top) * value
            points.append((x, y))
            if kind == "bars" and not series:
                half = (right - left) / count * 0.36
                draw.rectangle((x - half, y, x + half, bottom), colour)
                draw.text((x - half, bottom + 4), chance.choice(WORDS)[:6], ink, small)
            elif kind == "dots":
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), colour)
        if kind == "lines":
            draw.line(points, colour, max(2, size[1] // 140))
    return picture


def screenshot(chance: random.Random, size: tuple[int, int]) -> Image.Image:
    """A desktop or a page in a browser: windows with bars, buttons, lists, fields and words."""
    dark = chance.random() < 0.35
    ground = (32, 34, 40) if dark else chance.choice(((238, 240, 244), (255, 255, 255), (0, 120, 170)))
    picture = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(picture)
    for _ in range(chance.randint(1, 3)):
        wide, high = (int(side * chance.uniform(0.6, 0.98)) for side in size)
        x, y = chance.randint(0, size[0] - wide), chance.randint(0, size[1] - high)
        _window(chance, draw, (x, y, x + wide, y + high), dark)
    draw.rectangle((0, size[1] - size[1] // 20, size[0], size[1]), (20, 20, 26) if dark else (220, 224, 230))
    for number in range(chance.randint(3, 9)):
        x = 6 + number * size[1] // 18
        draw.rectangle((x, size[1] * 0.96, x + size[1] // 30, size[1] * 0.99), LIVELY[number % len(LIVELY)])
    return picture


KINDS: dict[str, Callable[[random.Random, tuple[int, int]], Image.Image]] = {
    "blank": blank, "noise": noise, "text": text, "chart": chart, "screenshot": screenshot,
}  # fmt: skip
SIZES = {
    "text": ((600, 800), (480, 360), (900, 1200)), "chart": ((640, 480), (900, 500), (500, 500)),
    "screenshot": ((960, 600), (1280, 800), (420, 860)),
}  # fmt: skip


def made(kind: str, seed: int) -> bytes:
    """One picture of a kind as a file; every third is a JPEG."""
    chance = random.Random(f"{kind} {seed}")
    size = chance.choice(SIZES.get(kind, ((256, 256), (640, 480), (512, 768), (128, 128))))
    picture, file = KINDS[kind](chance, size), io.BytesIO()
    if chance.random() < 0.15:
        picture = picture.filter(ImageFilter.GaussianBlur(0.7))
    if seed % 3 == 0:
        picture.save(file, "JPEG", quality=chance.randint(60, 95))
    else:
        picture.save(file, "PNG")
    return file.getvalue()


def _window(chance: random.Random, draw: Draw, box: tuple[int, int, int, int], dark: bool) -> None:
    x, y, right, bottom = box
    face, ink = ((44, 46, 54), (210, 212, 216)) if dark else ((252, 252, 253), (40, 42, 48))
    bar, height = max(14, (bottom - y) // 18), max(9, (bottom - y) // chance.randint(34, 48))
    draw.rectangle(box, face, (128, 130, 138))
    draw.rectangle((x, y, right, y + bar), (60, 62, 72) if dark else (224, 226, 232))
    for number, colour in enumerate(((240, 95, 85), (245, 190, 60), (95, 195, 85))):
        draw.ellipse((x + 6 + number * bar, y + bar // 3, x + 6 + number * bar + bar // 2, y + bar * 5 // 6), colour)
    draw.text((x + (right - x) // 3, y + 2), " ".join(chance.choices(WORDS, k=3)), ink, _font(bar * 0.6))
    side = x + int((right - x) * chance.choice((0, 0.2, 0.28)))
    for line in range(y + bar + 6, bottom - height * 2, int(height * 1.8)):
        if side > x and chance.random() < 0.7:
            draw.text((x + 6, line), chance.choice(WORDS).title(), ink, _font(height))
        roll = chance.random()
        if roll < 0.06:
            draw.rounded_rectangle((side + 10, line, side + 90, line + height * 1.5), 4, chance.choice(LIVELY))
        elif roll < 0.12:
            draw.rectangle((side + 10, line, right - 12, line + height * 1.5), None, (150, 152, 160))
        elif roll < 0.9:
            width = int((right - side - 24) * chance.uniform(0.2, 1))
            colour = chance.choice(LIVELY) if chance.random() < 0.12 else ink
            draw.text((side + 10, line), _line(chance, width, height), colour, _font(height))


def _line(chance: random.Random, width: float, height: float) -> str:
    """Words that fill so many pixels, about; of letters alone, since no font for others comes with Pillow."""
    said = ""
    while len(said) * height * 0.5 < width - height * 3:
        said += chance.choice(WORDS) + chance.choice((" ", " ", " ", ", ", ". "))
    return said


def _font(height: float) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(height)  # pyright: ignore[reportReturnType]


def _colour(chance: random.Random) -> Colour:
    return chance.randrange(256), chance.randrange(256), chance.randrange(256)


def _random(chance: random.Random) -> np.random.Generator:
    return np.random.default_rng(chance.getrandbits(32))
