"""What suits a model is offered, what does not is said, and a card's advice is read strictly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.catalog.card import Card
from studio.catalog.card_reader import read_card
from studio.catalog.catalog import Catalog
from studio.paths import Home
from studio.tasks.image import advice
from studio.tasks.image.schedulers import SCHEDULERS

SD = {"steps": [20, 40], "guidance_scale": [5, 10], "side": [384, 768], "sizes": [[512, 896]], "avoid": ["LCM"]}


def card(**given: Any) -> Card:
    read = read_card("mine", {"task": "image", "hub": "owner/name", "advice": given}, own=True, home=Path())
    assert isinstance(read, Card), read
    return read


def said(wish: dict[str, Any], **given: Any) -> list[str]:
    return [key for key, _ in advice.warnings(card(**(given or SD)), wish)]


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ({}, []),
        ({"width": 512, "height": 768, "steps": 20, "guidance_scale": 10, "scheduler": "DDIM"}, []),
        ({"width": 1024, "height": 512}, ["large"]),
        ({"width": 256, "height": 512}, ["small"]),
        ({"width": 512, "height": 896}, []),  # longer than its longest side, but one that is recommended
        ({"width": 1024, "height": None}, []),
        ({"steps": 4}, ["steps_low"]),
        ({"steps": 41}, ["steps_high"]),
        ({"guidance_scale": 0.0}, ["guidance_scale_low"]),
        ({"guidance_scale": 30, "scheduler": "LCM"}, ["guidance_scale_high", "scheduler"]),
    ],
)
def test_what_goes_against_the_advice_is_said(wish: dict[str, Any], found: list[str]) -> None:
    assert said(wish) == found
    assert advice.warnings(replace(card(**SD), advice={}), wish) == ()


def test_chips_offer_what_suits_and_never_what_is_warned_of() -> None:
    for model in catalog():
        for chip in advice.chips(model):
            assert advice.warnings(model, chip.fields) == ()


def test_what_the_catalogue_offers_its_models_can_do() -> None:
    advised = [model for model in catalog() if model.advice]
    assert len(advised) > 5
    for model in advised:
        assert {*model.advice.get("schedulers", ()), *model.advice.get("avoid", ())} <= SCHEDULERS.keys()
        assert advice.warnings(model, model.defaults) == (), model.id
        for chip in advice.chips(model):
            for name, value in chip.fields.items():
                if isinstance(value, int | float):
                    assert value <= model.limits.get(f"max_{name}", value)
                    if name in ("width", "height"):
                        assert value % model.limits["multiple"] == 0


def catalog() -> list[Card]:
    found = Catalog.load(Home(Path("nowhere")), public=True)
    assert found.problems == ()
    return [model for model in found.cards.values() if "image" in model.tasks]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"steps": 20}, "steps"), ({"steps": [40, 20]}, "steps"), ({"side": ["a", "b"]}, "side"),
        ({"sizes": [[512]]}, "sizes"), ({"sizes": [512, 512]}, "sizes"), ({"schedulers": "DDIM"}, "schedulers"),
        ({"avoid": [1]}, "avoid"), ({"clip_skip": "2"}, "clip_skip"), ({"stps": [1, 2]}, "stps"),
    ],
)  # fmt: skip
def test_wrong_advice_is_a_flaw_of_the_card(given: dict[str, Any], field: str) -> None:
    read = read_card("mine", {"task": "image", "hub": "owner/name", "advice": given}, own=True, home=Path())
    assert isinstance(read, list)
    assert [flaw.field for flaw in read] == [f"advice.{field}"]


def test_advice_is_for_models_that_paint() -> None:
    table = {"task": "chat", "hub": "owner/name", "files": ["m.gguf"], "advice": {"steps": [1, 2]}}
    read = read_card("mine", table, own=True, home=Path())
    assert isinstance(read, list)
    assert [flaw.field for flaw in read] == ["advice"]
