"""Adaptations as cards: what they say, what a press does to the fields, and the pictures that the browser asks for."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from PIL import Image
from through import Behind, ask

from studio.own import Notes
from studio.service import Studio
from studio.settings import Settings
from tabs.door.adaptation_pictures import ADDRESS, AdaptationPictures
from tabs.image import lora_shelf

INK = Notes("Ink", "sdxl", "Pony", ("ink, wash", "bold"), ("hat",), 0.7, "/x/ink.png", "1")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("home")
    folder = home / "loras" / "style"
    folder.mkdir(parents=True)
    for name in ("ink", "a & b", "bare", "broken"):
        (folder / f"{name}.safetensors").write_bytes(b"")
    Image.new("RGB", (900, 600), (200, 30, 30)).save(folder / "ink.preview.png")
    Image.new("RGB", (64, 64), (30, 200, 30)).save(folder / "a & b.jpg")
    (folder / "broken.png").write_bytes(b"no picture")
    with Studio(Settings(demo=True, home=home, _env_file=None)) as running:  # pyright: ignore[reportCallIssue]
        yield running


def test_a_card_says_what_is_known() -> None:
    drawn = lora_shelf.shelf({"style/ink": INK}, "/loras", "en")
    for part in ("<b>ink</b>", "style · Pony · weight 0.7", "ink, wash, bold", 'data-family="sdxl"', "1 adaptations"):
        assert part in drawn
    assert 'data-find="style/ink ink ink, wash bold hat pony"' in drawn
    assert 'loading="lazy"' in drawn
    assert "权重 0.7" in lora_shelf.shelf({"style/ink": INK}, "/loras", "zh-CN")
    assert "<img" not in lora_shelf.shelf({"style/ink": Notes()}, "/loras", "en")
    assert "/loras" in lora_shelf.shelf({}, "/loras", "en")


def test_nothing_that_a_stranger_wrote_is_markup() -> None:
    bad = '"><script>alert(1)</script>'
    drawn = lora_shelf.shelf({f"a/{bad}": Notes(bad, bad, bad, (bad,), (bad,), 1.0, "x", bad)}, bad, "en")
    assert "<script" not in drawn
    assert re.findall(r"<(\w+)", drawn) == [
        "input", "p", "div", "button", "span", "img", "b", "small", "small", "small",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("weight", "names", "typed", "expected"),
    [
        (0.7, [], "", (["ink"], "0.7")),
        (None, [], "", (["ink"], "")),
        (1.0, ["a"], "0.5", (["a", "ink"], "0.5")),
        (0.7, ["a"], "", (["a", "ink"], ", 0.7")),
        (0.7, ["a", "b"], "0.5; 0.6, 0.9", (["a", "b", "ink"], "0.5, 0.6, 0.7")),
        (0.7, ["a", "ink", "b"], "0.5, 0.6, 0.8", (["a", "b"], "0.5, 0.8")),
    ],
)
def test_a_press_puts_it_in_with_its_weight_or_takes_it_out(
    weight: float | None, names: list[str], typed: str, expected: tuple[list[str], str]
) -> None:
    assert lora_shelf.taken("ink", weight, names, typed) == expected


def picture(studio: Studio, name: str, method: str = "GET") -> tuple[int, bytes]:
    found = ask(AdaptationPictures(Behind(), studio), method, f"{ADDRESS}?name={quote(name, safe='')}&v=1")
    return found.status_code, found.content


def test_pictures_are_small_and_made_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    code, content = picture(studio, "style/ink")
    small = Image.open(io.BytesIO(content))
    assert (code, small.format, small.size) == (200, "WEBP", (256, 171))
    monkeypatch.setattr("tabs.door.adaptation_pictures.small_copy", None)
    assert picture(studio, "style/ink") == (200, content)


def test_a_name_with_signs_finds_its_picture_and_what_is_none_is_grey(studio: Studio) -> None:
    assert picture(studio, "style/a & b")[0] == 200
    code, content = picture(studio, "style/broken")
    grey = Image.open(io.BytesIO(content)).convert("RGB").getpixel((9, 9))
    assert (code, isinstance(grey, tuple) and max(grey) - min(grey) < 4) == (200, True)


@pytest.mark.parametrize("name", ["style/bare", "ink", "../style/ink", "/etc/passwd", "", "style/ink.preview.png"])
def test_there_is_no_other_file_behind_it(studio: Studio, name: str) -> None:
    assert picture(studio, name) == (404, b"")
    assert picture(studio, "style/ink", "POST")[0] == 404


def test_a_public_studio_has_none(studio: Studio) -> None:
    with Studio(Settings(profile="space", home=studio.home.root, _env_file=None)) as public:  # pyright: ignore
        assert picture(public, "style/ink") == (404, b"")
        assert public.adaptations.notes() == {}
