"""Drawing of the words of the visible label, once, as masks: `python -m train.label`, with Debian's fonts-noto-cjk.

Writes assets/label/en.png and zh-CN.png: white where a letter is, as large as the ink, 120 pixels high. The studio
makes them smaller; it ships no font of these signs.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from studio.i18n import LANGUAGES
from studio.recipes.explicit_label import words

FONT, SIMPLIFIED = "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc", 2
HEIGHT = 120
TARGET = Path(__file__).resolve().parent.parent / "assets" / "label"


def mask(said: str) -> Image.Image:
    """The ink of some words, HEIGHT pixels high: mode L, drawn four times as large."""
    font = ImageFont.truetype(FONT, 4 * HEIGHT, index=SIMPLIFIED)
    left, top, right, bottom = font.getbbox(said)
    whole = Image.new("L", (round(right - left) + 8, round(bottom - top) + 8))
    ImageDraw.Draw(whole).text((4 - left, 4 - top), said, fill=255, font=font)
    ink = whole.crop(whole.getbbox())
    return ink.resize((round(ink.width * HEIGHT / ink.height), HEIGHT), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    for language in LANGUAGES:
        mask(words(language)).save(TARGET / f"{language}.png", optimize=True)
