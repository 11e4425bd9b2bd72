"""The slots for reference pictures without a browser: to a request and back, restored, and what strangers see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from studio.errors import StudioError
from studio.recipes import inspect
from studio.request_parts import Reference
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings
from tabs.image import form, shown, sketch
from tabs.image.fields import Fields
from tabs.image.import_settings import Restoring
from tabs.image.missing import Missing
from tabs.image.shown import name_of
from tabs.image.source import Drawing
from tabs.shared import context, uploaded


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("home")
    (home / "ipadapters").mkdir()
    (home / "ipadapters" / "plus.safetensors").write_bytes(b"x")
    with Studio(Settings(demo=True, home=home, _env_file=None)) as running:  # pyright: ignore[reportCallIssue]
        yield running


def built(studio: Studio) -> Fields:
    with gr.Blocks() as blocks:
        fields = Fields(context.Page(studio, blocks))
        fields.words()
        fields.settings()
        return fields


@pytest.fixture(scope="module")
def fields(studio: Studio) -> Fields:
    return built(studio)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setattr(uploaded, "uploads", lambda: tmp_path)
    Image.new("RGB", (60, 40), "navy").save(tmp_path / "face.png")
    Image.new("L", (60, 40), 255).save(tmp_path / "mask.png")
    return tmp_path / "face.png", tmp_path / "mask.png"


def slot(number: int, **given: Any) -> dict[str, Any]:
    return {name_of(number, part): value for part, value in given.items()}


def test_empty_slots_show_nothing_and_every_field_has_its_place(fields: Fields) -> None:
    assert shown.wanted(shown.EMPTY) == ()
    assert shown.EMPTY.keys() <= fields.of.keys()
    assert all(fields.of[name].elem_id for name in shown.EMPTY)


def test_a_slot_is_a_reference_and_comes_back_as_it_was(pictures: tuple[Path, Path]) -> None:
    face, mask = ({"path": str(one)} for one in pictures)
    values = {
        **shown.EMPTY,
        **slot(4, model="plus", picture=face, mask=mask, weight="0,5", end=" 0.9 ", use="style"),
    }
    (made,) = shown.wanted(values)
    assert made == Reference("plus", pictures[0].read_bytes(), 0.5, 0.0, 0.9, "style", pictures[1].read_bytes())
    back = shown.fields((made,), ((str(pictures[0]), str(pictures[1])),))
    assert shown.wanted(back) == (made,)
    assert back[name_of(1, "start")] == "", "what is usual is left open"
    assert shown.fields((), ()) == dict(shown.EMPTY)


@pytest.mark.parametrize(
    ("given", "code"),
    [({"weight": "much"}, "not_a_number"), ({"picture": {"path": "/etc/passwd"}}, "not_uploaded"),
     ({"mask": {"path": "/etc/passwd"}}, "not_uploaded")],
)  # fmt: skip
def test_a_word_for_a_number_and_a_file_of_the_machine_are_refused(given: dict[str, Any], code: str) -> None:
    with pytest.raises(StudioError) as caught:
        shown.wanted({**shown.EMPTY, **slot(1, model="plus", **given)})
    assert caught.value.code == code


def test_the_form_hands_references_on(studio: Studio, pictures: tuple[Path, Path]) -> None:
    values = {**form.EMPTY, "prompt": "hills", **slot(1, model="plus", picture={"path": str(pictures[0])})}
    made = form.request(values, studio.default_model("image"), Drawing())
    assert [one.model for one in made.references] == ["plus"]


def test_what_is_typed_is_not_painted_without_them(studio: Studio) -> None:
    sent = {"fields": {"image-prompt": "hills", "image-reference-2-model": "plus"}}
    assert sketch.request(studio, sent) is None


def test_lists_are_filled_and_chosen_slots_stand_open(fields: Fields, studio: Studio) -> None:
    assert fields.references is not None
    asked: Any = SimpleNamespace(headers={"accept-language": "en"}, request=None, cookies={}, query_params={})
    changes = fields.references._lists("", "gone", "", "", 1, asked)
    assert changes[fields.of[name_of(1, "model")]]["choices"] == [("–", ""), ("plus", "plus")]
    assert changes[fields.of[name_of(2, "model")]]["choices"][-1] == ("gone", "gone")
    assert [changes[one]["visible"] for one in fields.references._slots] == [True, True, False, False]


def test_a_restored_picture_fills_the_slots_and_says_what_is_not_here(
    fields: Fields, studio: Studio, pictures: tuple[Path, Path]
) -> None:
    data, mask = (one.read_bytes() for one in pictures)
    asked = ImageRequest(
        prompt="hills", width=64, height=64, steps=1, seed=3, references=(Reference("plus", data, 0.5, mask=mask),)
    )
    artifact = list(studio.submit(asked).events())[-1].artifact
    assert artifact is not None
    found = inspect.read_settings(artifact.files[0].read_bytes())
    assert found is not None
    with gr.Blocks():
        restoring = Restoring(fields._page, fields, Missing(fields._page, fields))
    changes: dict[Any, Any] = {}
    assert not restoring._referred(found, changes)
    assert changes[fields.of[name_of(1, "weight")]]["value"] == "0.5"
    for part, file in (("picture", data), ("mask", mask)):
        assert Path(changes[fields.of[name_of(1, part)]]["value"]).read_bytes() == file
    for kept in list(studio.home.inputs.rglob("*")):
        if kept.is_file() and kept.read_bytes() == mask:
            kept.unlink()
    assert restoring._referred(found, {}), "its mask is gone"


def test_strangers_see_none_of_it(tmp_path: Path) -> None:
    with Studio(Settings(demo=True, profile="space", home=tmp_path, _env_file=None)) as public:  # pyright: ignore[reportCallIssue]
        fields = built(public)
        assert fields.references is None
        assert not shown.EMPTY.keys() & fields.of.keys()
