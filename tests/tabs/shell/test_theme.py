"""The colours: every pair that carries text can be read, in light and in dark."""

import re

import pytest

from tabs.shell.bundle import FILES, STYLES
from tabs.shell.theme import DARK, LIGHT, PAIRS, Theme, variables

LEAST = 4.5
"""WCAG 2.2, success criterion 1.4.3, for text of ordinary size."""


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb" (WCAG 2.2, definitions)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(ink: str, ground: str) -> float:
    dark, light = sorted((luminance(ink), luminance(ground)))
    return (light + 0.05) / (dark + 0.05)


def test_the_formula_agrees_with_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(("ink", "ground"), PAIRS)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(colours, ink, ground):
    assert contrast(colours[ink], colours[ground]) >= LEAST


def test_both_themes_name_the_same_colours():
    assert LIGHT.keys() == DARK.keys()


def test_every_colour_that_the_theme_or_the_style_sheet_asks_for_exists():
    sheets = "".join((FILES / name).read_text(encoding="utf-8") for name in STYLES)
    asked = " ".join(str(value) for value in vars(Theme()).values()) + sheets
    names = set(re.findall(r"var\(--a-([a-z-]+)\)", asked))
    assert names <= LIGHT.keys()
    assert all(f"--a-{name}:" in variables() for name in LIGHT)
