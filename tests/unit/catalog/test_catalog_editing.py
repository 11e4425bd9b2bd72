"""Which models edit with words: by their cards, by a folder's own words, and as they are found on a disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.catalog import editing
from studio.catalog.card import Card
from studio.catalog.card_reader import read_card
from studio.catalog.catalog import Catalog
from studio.paths import Home
from studio.store.disk import cards
from studio.store.disk.look import PIPELINES, Found
from studio.store.disk.weights import Weights


def folder(at: Path, text: str) -> Path:
    (at / "model_index.json").write_text(text, encoding="utf-8")
    return at


def test_the_models_of_the_catalogue_that_edit(tmp_path: Path) -> None:
    shipped = Catalog.load(Home.at(tmp_path), demo=False)
    found = {id: card.pictures for id, card in shipped.cards.items() if card.pictures != (0, 0)}
    assert found == {
        "flux2-klein-4b": (0, 4), "flux1-kontext-dev": (0, 1), "qwen-image-edit": (1, 1),
        "qwen-image-edit-2509": (1, 3), "qwen-image-edit-2511": (1, 3),
    }  # fmt: skip
    free = [shipped.get(id).commercial for id in found]
    assert free.count(True) == 4
    assert all("hub" in (card.source.kind,) and card.unchecked for id, card in shipped.cards.items() if "edit" in id)


@pytest.mark.parametrize("kind", editing.EDITORS)
def test_a_folder_says_it_unless_its_table_does(tmp_path: Path, kind: str) -> None:
    place = folder(tmp_path, json.dumps({"_class_name": kind}))
    table = {"task": "image", "path": str(place)}
    card = read_card("mine", table, own=True, home=tmp_path)
    assert isinstance(card, Card)
    assert card.pictures == (editing.EDITORS[kind].get("min_pictures", 0), editing.EDITORS[kind]["max_pictures"])
    told = read_card("mine", {**table, "limits": {"max_pictures": 2}}, own=True, home=tmp_path)
    assert isinstance(told, Card)
    assert told.pictures[1] == 2
    found = Found(place, Weights("checkpoint", PIPELINES[kind], variant="folder"), engine="diffusion", tasks=("image",))
    assert cards.limits(found).items() >= editing.EDITORS[kind].items()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"_class_name": 3}', '{"_class_name": ["a"]}', "[" * 99_999])
def test_what_cannot_be_read_edits_nothing(tmp_path: Path, text: str) -> None:
    assert editing.limits_of(folder(tmp_path, text)) == {}
    assert editing.limits_of(tmp_path / "gone") == {}


def test_a_single_file_of_klein_edits_and_one_of_flux1_does_not() -> None:
    for family, most in (("flux2", 4), ("flux1", 0), ("qwen-image", 0)):
        found = Found(Path("a.safetensors"), Weights("checkpoint", family), engine="diffusion", tasks=("image",))
        assert cards.limits(found).get("max_pictures", 0) == most
