"""Wildcards, alternatives and adaptations in the words of regions and details."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.paths import Home
from studio.request_parts import Detail, Lora, Region
from studio.requests import ImageRequest
from studio.tasks.image.prepare import PromptFiller


@pytest.fixture
def filler(tmp_path: Path) -> PromptFiller:
    home = Home.at(tmp_path)
    for folder in (home.loras, home.wildcards, home.embeddings):
        folder.mkdir(parents=True, exist_ok=True)
    (home.loras / "ink.safetensors").write_bytes(b"")
    (home.wildcards / "beast.txt").write_text("\n".join(f"beast {number}" for number in range(50)), encoding="utf-8")
    (home.embeddings / "old.pt").write_bytes(b"")
    return PromptFiller(home)


def test_each_picture_draws_its_own(filler: PromptFiller) -> None:
    request = ImageRequest(
        prompt="a wood",
        seed=3,
        count=4,
        regions=(Region("__beast__"),),
        details=(Detail("faces", prompt="{sad|glad}"),),
    )
    pictures = filler.fill(request)
    assert [one.seed for one in pictures] == [3, 4, 5, 6]
    beasts = [one.regions[0].prompt for one in pictures]
    assert all(beast.startswith("beast ") for beast in beasts)
    assert len(set(beasts)) > 1
    assert {one.details[0].prompt for one in pictures} <= {"sad", "glad"}
    alone = filler.fill(ImageRequest(prompt="a wood", seed=5, regions=(Region("__beast__"),)))
    assert alone[0].regions[0].prompt == beasts[2], "a picture made again alone is the same"


def test_what_was_drawn_is_taken_at_its_word(filler: PromptFiller) -> None:
    (first,) = filler.fill(ImageRequest(prompt="a wood", seed=3, regions=(Region(r"\{{a|b}\}"),)))
    assert first.regions[0].prompt in ("{a}", "{b}")
    assert filler.fill(first) == (first,)


def test_two_regions_with_the_same_words_draw_apart(filler: PromptFiller) -> None:
    (picture,) = filler.fill(ImageRequest(prompt="a wood", seed=3, regions=(Region("__beast__"), Region("__beast__"))))
    assert picture.regions[0].prompt != picture.regions[1].prompt


def test_an_adaptation_named_in_a_region_counts_for_the_picture(filler: PromptFiller) -> None:
    (picture,) = filler.fill(ImageRequest(prompt="a wood", seed=3, regions=(Region("a fox <lora:ink:0.5>"),)))
    assert (picture.regions[0].prompt.strip(), picture.loras) == ("a fox", (Lora("ink", 0.5),))


def test_plain_words_stay_as_they_are(filler: PromptFiller) -> None:
    request = ImageRequest(prompt="a wood", seed=3, count=2, regions=(Region("a fox"),))
    assert filler.fill(request) == (request,)


@pytest.mark.parametrize(
    ("words", "code"),
    [("__nothing__", "no_wildcard"), ("<lora:away:1>", "no_lora"), ("in the style of old", "embedding_pickle")],
)
def test_what_is_not_there_is_told_before_anything_loads(filler: PromptFiller, words: str, code: str) -> None:
    with pytest.raises(StudioError) as refused:
        filler.fill(ImageRequest(prompt="a wood", seed=3, regions=(Region(words),)))
    assert refused.value.code == code
