"""Pictures to be edited with words: what may be asked of which model, and how large the result becomes."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.errors import StudioError
from studio.requests import ImageRequest
from studio.tasks import limits
from studio.tasks.table import rules


def png(width: int = 64, height: int = 64) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG")
    return out.getvalue()


def card(least: int = 0, most: int = 3, **more: Any) -> Card:
    allowed = {"min_pictures": least, "max_pictures": most} if most else {}
    return tiny_card(Source("local"), 1, tasks=("image",), limits={"multiple": 16, **allowed}, **more)


def check(card: Card, *pictures: Any, **more: Any) -> str:
    """The code of the refusal, "" where there is none."""
    try:
        limits.check(ImageRequest(prompt="make it night", pictures=pictures, **more), card)
    except StudioError as error:
        return f"{error.code}{'{' if '{' in error.what() + error.next() else ''}"
    return ""


def test_what_a_model_cannot_do_is_said_before_anything_loads() -> None:
    assert check(card(), png(), png(), png()) == ""
    assert check(card(), *[png()] * 4) == "too_many_pictures"
    assert check(card(most=4), *[png()] * 5) == "too_many"
    assert check(card(most=0), png()) == "no_editing"
    assert check(card(least=1)) == "edit_nothing"
    assert check(card(least=1), image=png()) == ""
    assert check(card(), png(), image=png()) == "edit_and_start"
    assert check(card()) == ""


@pytest.mark.parametrize(
    ("picture", "code"),
    [(b"", "no_picture"), (b"GIF8", "bad_image"), ("x", "bad_image"), (png(80, 10), ""),
     (png(81, 10), "picture_too_long"), (png(10, 81), "picture_too_long")],
)  # fmt: skip
def test_each_picture_is_looked_at(picture: Any, code: str) -> None:
    assert check(card(), png(), picture) == code


def test_without_a_model_one_is_taken_that_takes_as_many() -> None:
    one, two = (ImageRequest(prompt="a", pictures=(png(),) * count) for count in (1, 2))
    plain = ImageRequest(prompt="a")
    cards = card(1, 1), card(0, 3), card(0, 0)
    can = [[limits.admits(request, each) for request in (plain, one, two)] for each in cards]
    assert can == [[False, True, False], [True, True, True], [True, False, False]]


@pytest.mark.parametrize(
    ("sides", "size"), [((800, 400), (1456, 720)), ((400, 800), (720, 1456)), ((64, 64), (1024, 1024))]
)
def test_the_first_picture_gives_the_proportions_at_the_size_of_the_model(
    sides: tuple[int, int], size: tuple[int, int]
) -> None:
    model = card(defaults={"width": 1024, "height": 1024})
    request = ImageRequest(prompt="a", pictures=(png(*sides), png(300, 100)))
    full = limits.resolve(request, model, lambda: 7)
    assert (full.width, full.height) == size
    typed = limits.resolve(ImageRequest(prompt="a", pictures=request.pictures, width=512), model, lambda: 7)
    assert (typed.width, typed.height) == (512, round(512 * sides[1] / sides[0]))


def test_what_is_kept_and_what_memory_depends_on() -> None:
    first, second = png(64, 64), png(32, 64)
    request = ImageRequest(prompt="a", pictures=(first, second))
    assert rules(request).sources(request) == (first, second)
    assert "pictures2" in rules(request).marks(request)
