"""Chips and warnings of the image tab: from a card's advice to fields."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from studio.catalog.card import Card
from studio.service import Studio
from tabs.image import form, recommended

ADVICE = {"steps": [20, 40], "side": [384, 768], "sizes": [[512, 896]], "schedulers": ["DDIM"], "clip_skip": 2}


@pytest.fixture
def card(studio: Studio) -> Card:
    return replace(studio.default_model("image"), advice=ADVICE, defaults={"steps": 25}, limits={"multiple": 64})


def values(**given: Any) -> dict[str, Any]:
    return {**form.EMPTY, "model": "", **given}


def test_each_chip_fills_the_fields_that_it_names(card: Card) -> None:
    words = re.findall(r'data-advised="(\d)">([^<]+)<', recommended.offered(card, "en"))
    assert words == [("0", "512 × 896"), ("1", "20 to 40 steps"), ("2", "DDIM"), ("3", "Clip skip 2")]
    assert [recommended.settled(number, card) for number, _ in words] == [
        {"shape": "custom", "width": "512", "height": "896"}, {"steps": "25"}, {"scheduler": "DDIM"},
        {"clip_skip": "2"},
    ]  # fmt: skip


@pytest.mark.parametrize("sent", ["", "9", "-1", "true", "[]", "{", '"1"', "1.5"])
def test_a_chip_that_there_is_not_fills_nothing(card: Card, sent: str) -> None:
    assert recommended.settled(sent, card) == {}


def test_what_does_not_suit_is_said_in_both_languages(card: Card) -> None:
    asked = values(shape="custom", width="1024", height="512", steps="4")
    for language, word in (("en", "Hires fix"), ("zh-CN", "高清修复")):
        said = recommended.warned(card, asked, language)
        assert said.count("a-warn") == 2
        assert word in said
        assert "{" not in said


def test_the_size_that_counts_is_the_one_that_is_painted_first(card: Card) -> None:
    assert recommended.warned(card, values(shape="custom", width="1024", height="1024", hires_scale="2"), "en") == ""
    assert "a-warn" in recommended.warned(card, values(shape="custom", width="1024", height="1024"), "en")


def test_what_cannot_be_read_is_not_judged(card: Card) -> None:
    assert recommended.warned(card, values(steps="many"), "en") == ""


def test_a_model_without_advice_has_neither(card: Card) -> None:
    bare = replace(card, advice={})
    assert recommended.offered(bare, "en") == recommended.warned(bare, values(steps="1"), "en") == ""
