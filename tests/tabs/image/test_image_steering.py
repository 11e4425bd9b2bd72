"""The slots for steering pictures without a browser: to a request and back, maps, and what strangers see."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from PIL import Image, ImageDraw

from studio.errors import StudioError
from studio.media.control_maps import control_map
from studio.recipes import inspect
from studio.request_parts import Control
from studio.service import Studio
from studio.settings import Settings
from tabs.image import form, sketch, steering
from tabs.image.fields import Fields
from tabs.image.import_settings import Restoring
from tabs.image.missing import Missing
from tabs.image.source import Drawing
from tabs.image.steering import name_of
from tabs.shared import context, uploaded


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("home")
    (home / "controlnets").mkdir()
    (home / "controlnets" / "edges.safetensors").write_bytes(b"x")
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
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(uploaded, "uploads", lambda: tmp_path)
    drawn = Image.new("RGB", (60, 40), "white")
    ImageDraw.Draw(drawn).rectangle((10, 10, 30, 30), fill="black")
    drawn.save(tmp_path / "drawn.png")
    return tmp_path / "drawn.png"


def asked() -> Any:
    return SimpleNamespace(headers={"accept-language": "en"}, request=None, cookies={}, query_params={})


def slot(number: int, **given: Any) -> dict[str, Any]:
    return {name_of(number, part): value for part, value in given.items()}


def test_empty_slots_steer_by_nothing_and_every_field_has_its_place(fields: Fields) -> None:
    assert steering.wanted(steering.EMPTY) == ()
    assert steering.EMPTY.keys() <= fields.of.keys()
    assert all(fields.of[name].elem_id for name in steering.EMPTY)


def test_a_slot_is_a_control_and_comes_back_as_it_was(picture: Path) -> None:
    values = {
        **steering.EMPTY,
        **slot(
            2,
            model="edges",
            picture={"path": str(picture)},
            preprocessor="canny",
            weight="0,5",
            end=" 0.9 ",
            fit="fill",
        ),
    }
    (made,) = steering.wanted(values)
    assert made == Control("edges", picture.read_bytes(), "canny", 0.5, 0.0, 0.9, "fill")
    back = steering.fields((made,), (str(picture),))
    assert steering.wanted(back) == (made,)
    assert back[name_of(1, "start")] == "", "what is usual is left open"
    assert steering.fields((), ()) == dict(steering.EMPTY)


def test_a_word_for_a_number_and_a_file_of_the_machine_are_refused(picture: Path) -> None:
    for given, code in (
        ({"weight": "much"}, "not_a_number"), ({"picture": {"path": "/etc/passwd"}}, "not_uploaded"),
    ):  # fmt: skip
        with pytest.raises(StudioError) as caught:
            steering.wanted({**steering.EMPTY, **slot(1, model="edges", **given)})
        assert caught.value.code == code


def test_the_form_hands_controls_on(studio: Studio, picture: Path) -> None:
    values = {
        **form.EMPTY, **steering.EMPTY, "prompt": "hills", **slot(1, model="edges", picture={"path": str(picture)}),
    }  # fmt: skip
    made = form.request(values, studio.default_model("image"), Drawing())
    assert [one.model for one in made.controls] == ["edges"]


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({}, (512, 512)),
        ({"shape": "wide"}, (680, 384)),
        ({"shape": "custom", "width": "320", "height": "256"}, (320, 256)),
    ],
)
def test_the_map_that_is_shown_is_the_one_that_is_used(
    studio: Studio, picture: Path, given: dict[str, str], size: tuple[int, int]
) -> None:
    values = {
        "picture": {"path": str(picture)}, "preprocessor": "canny", "fit": "crop", "shape": "", "width": "",
        "height": "", "hires_scale": "", **given,
    }  # fmt: skip
    shown = Image.open(io.BytesIO(steering.shown_map(values, studio.default_model("image"), studio.depth_map)))
    assert shown.size == size
    assert shown.tobytes() == control_map(Image.open(picture).convert("RGB"), "canny", size).tobytes()


@pytest.mark.parametrize(
    ("given", "code"),
    [({"picture": None}, "no_picture"), ({"preprocessor": "pose"}, "not_a_choice"), ({"fit": "x"}, "not_a_choice"),
     ({"shape": "custom", "width": "90000", "height": "90000"}, "out_of_range")],
)  # fmt: skip
def test_a_map_that_cannot_be_made_says_why(studio: Studio, picture: Path, given: dict[str, Any], code: str) -> None:
    values = {
        "picture": {"path": str(picture)}, "preprocessor": "", "fit": "crop", "shape": "", "width": "", "height": "",
        "hires_scale": "", **given,
    }  # fmt: skip
    with pytest.raises(StudioError) as caught:
        steering.shown_map(values, studio.default_model("image"), studio.depth_map)
    assert caught.value.code == code


def test_a_map_of_depth_is_asked_of_the_studio_which_says_where_its_network_goes(studio: Studio, picture: Path) -> None:
    values = {
        "picture": {"path": str(picture)}, "preprocessor": "depth", "fit": "crop", "shape": "", "width": "",
        "height": "", "hires_scale": "",
    }  # fmt: skip
    card = studio.default_model("image")
    with pytest.raises(StudioError) as caught:
        steering.shown_map(values, card, studio.depth_map)
    assert (caught.value.code, caught.value.params["path"]) == ("no_depth", str(studio.home.preprocessors))
    made = steering.shown_map(values, card, lambda one: Image.new("RGB", one.size, "#303030"))
    assert Image.open(io.BytesIO(made)).getcolors() == [(512 * 512, (48, 48, 48))]


def test_lists_are_filled_and_chosen_slots_stand_open(fields: Fields) -> None:
    parts = fields.steering
    assert parts is not None
    changes = parts._lists("", "gone", "", 1, asked())
    assert changes[fields.of[name_of(1, "model")]]["choices"] == [("–", ""), ("edges", "edges")]
    assert ("gone", "gone") in changes[fields.of[name_of(2, "model")]]["choices"]
    assert [changes[part[0]]["visible"] for part in parts._slots] == [True, True, False]
    assert changes[parts._all]["visible"] is True


def test_settings_of_others_open_their_slots_and_say_that_the_pictures_are_not_there(fields: Fields) -> None:
    unit = "Module: canny, Model: {}, Weight: 0.7, Resize Mode: Just Resize, Guidance Start: 0, Guidance End: 1"
    text = "a cat\nSteps: 2, Sampler: Euler, Seed: 5, Size: 64x64, Model: x, " + ", ".join(
        f'ControlNet {place}: "{unit.format(name)}"' for place, name in enumerate(("edges", "away"))
    )
    restoring = Restoring(fields._page, fields, Missing(fields._page, fields))
    changes = restoring._put(inspect.from_text(text), "en")
    assert changes[fields.of[name_of(1, "weight")]]["value"] == "0.7"
    assert changes[fields.of[name_of(2, "model")]]["value"] == "away"
    assert changes[fields.of[name_of(2, "fit")]]["value"] == "stretch"
    assert set(changes) <= set(restoring.outputs)
    assert "is not here any more" in changes[fields.restored] or "no longer" in changes[fields.restored]


def test_a_sketch_gives_way_to_a_steered_picture(studio: Studio) -> None:
    assert not steering.asked({})
    sent = {"fields": {"image-prompt": "a cat", "image-control-1-model": "edges"}}
    assert sketch.request(studio, sent) is None


def test_strangers_get_no_slots(tmp_path: Path) -> None:
    settings = Settings(profile="space", demo=True, home=tmp_path, _env_file=None)  # pyright: ignore[reportCallIssue]
    with Studio(settings) as public:
        assert built(public).steering is None
