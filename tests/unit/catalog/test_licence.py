"""A licence that nobody has named is said to be unknown, wherever one is shown; it is not said to forbid anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.catalog import licence
from studio.catalog.card import Card, Commercial
from studio.cli.models import entry
from studio.cli.told import _licence
from studio.recipes import recipe
from studio.service import Studio
from studio.status import ModelInfo
from tabs.models import model_row
from tabs.models.model_row import Entry
from tabs.music.take_cards import facts
from tabs.shared.model_picker import _label


@pytest.mark.parametrize(
    ("named", "commercial", "said"),
    [
        ("MIT", True, "MIT"),
        ("MIT", None, "MIT"),
        ("CC-BY-NC-4.0", False, "CC-BY-NC-4.0 · not for commercial use"),
        ("S", "under-1m", "S · for business below 1 million US dollars of yearly revenue"),
        ("unknown", None, "licence not known"),
        ("", None, "licence not known"),
        ("unknown", False, "licence not known · not for commercial use"),
    ],
)
def test_a_licence_in_words(named: str, commercial: Commercial, said: str) -> None:
    assert licence.said(named, commercial, "en") == said


@pytest.fixture
def card(studio: Studio) -> Card:
    return replace(studio.models.list("music")[0].card, title="Mine", licence="unknown", commercial=None, own=True)


@pytest.mark.parametrize(("spoken", "words"), [("en", "licence not known"), ("zh-CN", "许可证未知")])
def test_every_list_says_that_a_licence_is_not_known(card: Card, spoken: str, words: str) -> None:
    info = ModelInfo(card, "ready", False, True, 0)
    made = {"parameters": {}, "seed": 1, "model": {"title": "Mine", "licence": "unknown", "commercial": None}}
    row = " ".join(model_row._facts(Entry(info), spoken, 0.0))
    for said in (_label(info, spoken), facts(made, spoken), row):
        assert words in said
        assert "unknown" not in said
        assert "commercial" not in said
        assert "商用" not in said
    assert _licence({"licence": "unknown", "commercial": None}) == "licence not known"
    assert entry(info)["commercial"] is None


def test_a_recipe_keeps_that_it_is_not_known(card: Card, studio: Studio) -> None:
    from studio.requests import MusicRequest

    made = recipe.make_recipe(MusicRequest(prompt="x", seed=1), card)
    read = recipe.from_json(recipe.to_json(made))
    assert read is not None
    assert made["model"]["commercial"] is None
    assert read["model"]["commercial"] is None


def test_a_recipe_keeps_that_business_is_allowed_below_a_revenue(card: Card) -> None:
    from studio.requests import MusicRequest

    made = recipe.make_recipe(MusicRequest(prompt="x", seed=1), replace(card, commercial="under-1m"))
    read = recipe.from_json(recipe.to_json(made))
    assert read is not None
    assert read["model"]["commercial"] == "under-1m"
