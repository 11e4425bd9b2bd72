"""What the scripts of the lab may send for its small models, and what they are told."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.errors import StudioError
from tabs.lab import gan, matches, pictures, pixels, taste
from tabs.lab.asked import Asked
from tabs.shared.asker import Asker

ASKER = Asker("somebody", "here", "en")


class Nobody:
    """A studio that must not be asked for anything: what is refused is refused before."""

    def __getattr__(self, name: str) -> Any:
        if name == "archive":
            return None
        raise AssertionError(name)


def _png(side: int = 8) -> str:
    return pictures.address(Image.new("RGB", (side, side), "red"), exact=True)


def test_a_picture_that_is_sent_is_read() -> None:
    made = pixels.sent(_png())
    assert made.size == (8, 8)
    assert made.getpixel((3, 3)) == (255, 0, 0)


@pytest.mark.parametrize(
    "value",
    [
        None, 5, "", "data:", "data:image/png;base64", "data:image/png;base64,", "data:image/png;base64,£",
        "data:text/html;base64,PGI+", "https://example.org/a.png", "file:///etc/passwd", "data:image/png,abc",
        "data:image/png;base64," + base64.b64encode(b"<svg onload=1>").decode(), _png()[:-30],
        "x" * 1_000_000, [_png()],
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused(value: Any) -> None:
    with pytest.raises(StudioError) as refused:
        pixels.sent(value)
    assert refused.value.code in ("bad_message", "bad_image", "picture_format")


def test_a_picture_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(StudioError, check=lambda error: error.code == "image_too_large"):
        pixels.sent(_png(2_000))


@pytest.mark.parametrize(
    "value",
    [None, "a", [1.0], [[0.0] * 255], [[0.0] * 257], [["0"] * 256], [[float("nan")] * 256], [[2.0] * 256],
     [[True] * 256], [[0.0] * 256] * 5, {"0": [0.0] * 256}],
)  # fmt: skip
def test_directions_are_numbers_of_one_length(value: Any) -> None:
    with pytest.raises(StudioError, check=lambda error: error.code == "bad_message"):
        pixels.directions(value, 4)


def test_directions_come_back_as_they_went() -> None:
    given = np.random.default_rng(0).uniform(-1, 1, (3, 256))
    assert np.allclose(pixels.directions(pixels.told_directions(given), 3), given, atol=1e-4)
    assert pixels.directions([], 3).shape == (0, 256)


def test_a_strip_holds_its_pictures_side_by_side() -> None:
    pictures = np.stack([np.full((64, 64, 3), shade, np.uint8) for shade in (0, 128, 255)])
    made = Image.open(io.BytesIO(base64.b64decode(pixels.strip(pictures).partition(",")[2])))
    assert made.size == (192, 64)
    assert [abs(made.convert("RGB").getpixel((64 * at + 32, 32))[0] - shade) < 6  # type: ignore[index]
            for at, shade in enumerate((0, 128, 255))] == [True] * 3  # fmt: skip


@pytest.mark.parametrize("message", [None, [], "a", 5])
@pytest.mark.parametrize("answer", [gan.walk, gan.moving, gan.training, gan.row, gan.beside, matches.see, matches.grid,
                                    taste.pair, taste.learn,
                                    taste.paint])  # fmt: skip
def test_what_is_no_message_is_refused(answer: Any, message: Any) -> None:
    with pytest.raises(StudioError, check=lambda error: error.code == "bad_message"):
        answer(Nobody(), message, ASKER)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (gan.walk, {"from": -1}), (gan.walk, {"to": 10_000}), (gan.walk, {"from": True}), (gan.walk, {"count": 1}),
        (gan.walk, {"count": 1_000}), (gan.moving, {"count": 1_000}), (gan.walk, {"truncation": 9}),
        (gan.walk, {"truncation": "1"}),
        (gan.walk, {"seed": -1}), (gan.row, {"word": 1.5}), (gan.row, {"count": 0}), (gan.row, {"seed": 2**40}),
        (gan.beside, {"word": "cat"}), (gan.beside, {"model": "x" * 500}),
        (matches.see, {}), (matches.see, {"pictures": "a"}), (matches.see, {"pictures": [_png()] * 40}),
        (matches.see, {"pictures": [None]}),
        (matches.grid, {"pictures": [[0.0] * 256], "words": []}), (matches.grid, {"pictures": [], "words": ["a"]}),
        (matches.grid, {"pictures": [[0.0] * 256], "words": ["x" * 500]}),
        (matches.grid, {"pictures": [[0.0] * 256], "words": [" "]}),
        (matches.grid, {"pictures": [[0.0] * 256], "words": [["a"]]}),
        (matches.grid, {"pictures": [[0.0] * 256], "words": ["a"] * 50}),
        (taste.pair, {"seed": -1}), (taste.paint, {"prompt": " "}), (taste.paint, {"prompt": "x" * 500}),
        (taste.paint, {"prompt": ["a"]}),
        (taste.learn, {"liked": [], "other": []}), (taste.learn, {"liked": [[0.0] * 256], "other": []}),
        (taste.learn, {"liked": [[0.0] * 256] * 101, "other": [[0.0] * 256] * 101}),
    ],
)  # fmt: skip
def test_values_out_of_bounds_are_refused(answer: Any, message: Any) -> None:
    with pytest.raises(StudioError, check=lambda error: error.code == "bad_message"):
        answer(Nobody(), message, ASKER)


def test_there_is_no_library_to_search_on_a_public_studio() -> None:
    with pytest.raises(StudioError, check=lambda error: error.code == "not_for_public"):
        matches.search(Nobody(), {"words": "a cat"}, ASKER)  # pyright: ignore[reportArgumentType]


def test_the_words_are_told_in_the_language_of_the_page() -> None:
    english = gan.film(Nobody(), {}, ASKER).body  # pyright: ignore[reportArgumentType]
    chinese = gan.film(Nobody(), {}, Asker("somebody", "here", "zh-CN")).body  # pyright: ignore[reportArgumentType]
    assert b'"guitar"' in english
    assert "吉他".encode() in bytes(chinese)


def test_texts_are_bounded() -> None:
    assert Asked({"words": ["a", "bb"]}).texts("words", 2, 2) == ["a", "bb"]
    for words in (["a"] * 3, ["abc"], [1], "ab"):
        with pytest.raises(StudioError, check=lambda error: error.code == "bad_message"):
            Asked({"words": words}).texts("words", 2, 2)
