"""The contact sheet: 64 fixed prompts, each painted once with seed 1. Nothing is chosen afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PROMPTS = (
    "a red apple", "blue heart", "yellow banana", "rocket", "cat face", "一个红苹果", "green apple", "purple heart",
    "dog face", "fox", "panda", "lion", "elephant", "penguin", "owl", "butterfly",
    "a blue car", "red bus", "sailboat", "airplane", "bicycle", "house", "castle", "mountain",
    "sun", "crescent moon", "star", "rainbow", "cloud with rain", "snowflake", "fire", "globe",
    "pizza", "hamburger", "strawberry", "watermelon", "cake", "ice cream", "coffee", "carrot",
    "smiling face with sunglasses", "crying face", "robot", "ghost", "alien", "crown", "gift", "balloon",
    "guitar", "trumpet", "soccer ball", "trophy", "key", "light bulb", "book", "camera",
    "a green dragon, flat style", "unicorn, glossy 3d", "red rose, sticker style", "tree, cartoon style",
    "蓝色的鱼", "橙色的猫", "紫色的蝴蝶", "火箭，扁平风格",
)  # fmt: skip


def write(paint: Any, target: Path, columns: int = 8) -> None:
    """Paint all prompts into one labelled picture.

    Args:
        paint: (prompt, seed) -> uint8, square.
    """
    from PIL import Image, ImageDraw

    from studio.tasks.image.contact_sheet import label_font

    side, label = 192, 22
    rows = -(-len(PROMPTS) // columns)
    sheet = Image.new("RGB", (columns * (side + 8) + 8, rows * (side + label + 8) + 8), "white")
    draw = ImageDraw.Draw(sheet)
    font = label_font("".join(PROMPTS), 11)
    for index, prompt in enumerate(PROMPTS):
        left, top = 8 + index % columns * (side + 8), 8 + index // columns * (side + label + 8)
        sheet.paste(Image.fromarray(paint(prompt, 1)).resize((side, side), Image.Resampling.LANCZOS), (left, top))
        draw.text((left + side / 2, top + side + 3), prompt, "#444444", font, anchor="ma")
    sheet.save(target, optimize=True)
