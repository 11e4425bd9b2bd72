"""Pictures to be edited with words, without a browser: to a request and back, their order, and what is to be seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from studio.catalog.card import Card
from studio.errors import StudioError
from studio.recipes import inspect
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings
from tabs.image import editing, form, sketch
from tabs.image.edit_slots import Editing
from tabs.image.fields import Fields
from tabs.image.import_settings import Restoring
from tabs.image.missing import Missing
from tabs.image.source import Drawing
from tabs.shared import context, uploaded


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("home")
    with Studio(Settings(demo=True, home=home, _env_file=None)) as running:  # pyright: ignore[reportCallIssue]
        yield running


@pytest.fixture(scope="module")
def fields(studio: Studio) -> Fields:
    with gr.Blocks() as blocks:
        fields = Fields(context.Page(studio, blocks))
        fields.words()
        fields.settings()
        fields.editing.wire(lambda model: studio.catalog.find(model) or studio.default_model("image"), fields.begin)
        return fields


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(uploaded, "uploads", lambda: tmp_path)
    for number in range(5):
        Image.new("RGB", (80, 40), (50 * number, 0, 0)).save(tmp_path / f"{number}.png")
    return [str(tmp_path / f"{number}.png") for number in range(5)]


def without(card: Card) -> Card:
    return replace(card, limits={})


def values(*files: str | None, use: str = editing.EDIT) -> dict[str, Any]:
    sent = [file and {"path": file, "meta": {"_type": "gradio.FileData"}} for file in files]
    slots = dict(zip(editing.EMPTY, sent, strict=False))
    return {**form.EMPTY, **editing.EMPTY, **slots, editing.USE: use, "prompt": "make it night"}


def seen(changes: dict[Any, Any], fields: Fields) -> tuple[list[bool], list[bool]]:
    """Which of the choice, the slots' part and the other part are shown, and which slots."""
    part: Editing = fields.editing
    parts = [changes[one]["elem_classes"] == [] for one in (part._uses, part._edit, part._change)]
    return parts, [changes[slot[0]]["visible"] for slot in part._slots]


def test_the_slots_are_the_pictures_of_a_request_in_their_order(studio: Studio, pictures: list[str]) -> None:
    card = studio.default_model("image")
    asked = form.request(values(pictures[2], None, pictures[0]), card, Drawing(Path(pictures[1]).read_bytes()))
    assert asked.pictures == tuple(Path(pictures[number]).read_bytes() for number in (2, 0))
    assert (asked.image, asked.width) == (b"", None), "what is drawn on waits; the first picture gives the size"
    changed = form.request(values(pictures[2], use=""), card, Drawing(Path(pictures[1]).read_bytes()))
    assert (changed.pictures, changed.image != b"") == ((), True)


def test_a_model_that_cannot_says_so_only_where_there_are_pictures(studio: Studio, pictures: list[str]) -> None:
    cannot = without(studio.default_model("image"))
    assert form.request(values(pictures[0]), cannot, Drawing()).pictures
    start = Drawing(Path(pictures[1]).read_bytes())
    assert form.request(values(), cannot, start).image, "a choice that is hidden counts for nothing"


def test_a_file_of_the_machine_is_refused(studio: Studio, pictures: list[str]) -> None:
    with pytest.raises(StudioError) as caught:
        form.request(values("/etc/passwd"), studio.default_model("image"), Drawing())
    assert caught.value.code == "not_uploaded"
    assert editing.files(values("/etc/passwd", pictures[0])) == [None, pictures[0], None, None]


def test_order_and_removal() -> None:
    assert editing.closed(["a", None, "b", None]) == ["a", "b", None, None]
    assert editing.earlier(["a", "b", "c", None], 2) == ["a", "c", "b", None]
    assert editing.earlier(["a", None, None, None], 2) == ["a", None, None, None]
    assert editing.earlier(["a", "b", None, None], 0) == ["a", "b", None, None]
    assert editing.added(["a", None, "b", None], "c", 4) == ["a", "b", "c", None]
    assert editing.added(["a", "b", None, None], "c", 1) == ["c", None, None, None]
    assert editing.added(["a", "b", "c", "d"], "e", 4) == ["a", "b", "c", "e"]


def test_the_part_follows_model_choice_and_pictures(studio: Studio, fields: Fields) -> None:
    card, part = studio.default_model("image"), fields.editing
    four = [True, False, False, False]
    assert seen(part._drawn(card, "", [None] * 4, "en"), fields) == ([True, False, True], four)
    assert seen(part._drawn(card, "edit", [None] * 4, "en"), fields) == ([True, True, False], four)
    assert seen(part._drawn(card, "edit", ["a", "b", None, None], "en"), fields)[1] == [True, True, True, False]
    one = replace(card, limits={"max_pictures": 1})
    assert seen(part._drawn(one, "edit", ["a", None, None, None], "en"), fields)[1] == four
    cannot = without(card)
    assert seen(part._drawn(cannot, "edit", [None] * 4, "en"), fields) == ([False, False, True], [False] * 4)
    changes = part._drawn(cannot, "edit", ["a", "b", None, None], "en")
    assert seen(changes, fields) == ([True, True, False], [True, True, False, False])
    assert "cannot edit by what is written" in changes[part._said]
    assert "570 MB" in part._drawn(card, "edit", [None] * 4, "en")[part._said]


def test_a_result_goes_into_the_first_free_slot_and_editing_is_chosen(
    studio: Studio, fields: Fields, pictures: list[str]
) -> None:
    part, of = fields.editing, fields.of
    sent = values(pictures[3])
    given = {of["model"]: "", of[editing.USE]: "", **{of[name]: sent[name] for name in editing.EMPTY}}
    changes = part.added(given, pictures[4], "en")
    assert [changes[picture]["value"] for picture in part._pictures] == [pictures[3], pictures[4], None, None]
    assert (changes[of[editing.USE]], changes[of["model"]]["value"]) == ("edit", "demo-image")
    assert set(changes) <= set(part.adding)
    assert seen(changes, fields)[0] == [True, True, False]


def test_settings_come_back_with_every_picture_or_say_that_one_is_missing(
    studio: Studio, fields: Fields, pictures: list[str]
) -> None:
    data = [Path(file).read_bytes() for file in pictures[:2]]
    job = studio.submit(ImageRequest(prompt="make it night", steps=1, seed=3, pictures=tuple(data)))
    artifact = list(job.events())[-1].artifact
    assert artifact is not None
    restoring = Restoring(fields._page, fields, Missing(fields._page, fields))
    changes = restoring._put(inspect.read_settings(artifact.files[0].read_bytes()), "en")
    assert changes[fields.of[editing.USE]]["value"] == "edit"
    files = [changes[picture]["value"] for picture in fields.editing._pictures]
    assert [file and Path(file).read_bytes() for file in files] == [*data, None, None]
    assert "not here any more" not in changes[fields.restored]
    assert set(changes) <= set(restoring.outputs)
    for one in studio.home.root.rglob(f"{hashlib.sha256(data[0]).hexdigest()}*"):
        one.unlink()
    changes = restoring._put(inspect.read_settings(artifact.files[0].read_bytes()), "en")
    assert "not here any more" in changes[fields.restored] or "no longer" in changes[fields.restored]
    plain = list(studio.submit(ImageRequest(prompt="a", steps=1, seed=3)).events())[-1].artifact
    assert plain is not None
    changes = restoring._put(inspect.read_settings(plain.files[0].read_bytes()), "en")
    assert changes[fields.of[editing.USE]]["value"] == ""
    assert [changes[picture]["value"] for picture in fields.editing._pictures] == [None] * 4


def test_a_sketch_gives_way_to_edited_pictures(studio: Studio) -> None:
    sent = {"fields": {"image-prompt": "make it night", "image-steps": "2", "image-start-use": "edit"}}
    assert sketch.request(studio, sent) is None
