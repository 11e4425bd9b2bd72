"""Chosen things that are not here: seen in their fields, named, and taken out with one press."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from studio.recipes.inspect import restore_recipe
from studio.request_parts import Lora
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings
from tabs import page
from tabs.image.fields import Fields
from tabs.image.import_settings import Restoring
from tabs.image.missing import Missing
from tabs.shared import context

GONE: dict[str, Any] = {
    "styles": ["ink", "gone style"],
    "loras": ["gone", "moss", "away"],
    "scheduler": "Restart",
    "vae": "",
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("home")
    (home / "loras").mkdir()
    (home / "loras" / "moss.safetensors").write_bytes(b"")
    with Studio(Settings(demo=True, home=home, _env_file=None)) as running:  # pyright: ignore[reportCallIssue]
        yield running


@pytest.fixture(scope="module")
def fields(studio: Studio) -> Fields:
    with gr.Blocks() as blocks:
        fields = Fields(context.Page(studio, blocks))
        fields.words()
        fields.settings()
        return fields


@pytest.fixture
def missing(fields: Fields) -> Missing:
    return Missing(fields._page, fields)


def asked(spoken: str = "en") -> Any:
    return SimpleNamespace(headers={"accept-language": spoken}, request=None, cookies={}, query_params={})


def test_what_is_missing_is_a_choice_that_says_so(missing: Missing, fields: Fields) -> None:
    shown = missing.shown(GONE, "en")
    assert missing.names(GONE) == ["gone style", "gone", "away", "Restart"]
    loras = shown[fields.of["loras"]]
    assert loras["value"] == GONE["loras"]
    assert loras["choices"] == [("moss", "moss"), ("gone (not here)", "gone"), ("away (not here)", "away")]
    assert ("Restart (not here)", "Restart") in shown[fields.of["scheduler"]]["choices"]
    assert shown[fields.drop]["visible"] is True
    assert "gone style" in shown[fields.drop]["value"]
    assert shown[fields.of["styles"]]["choices"][-1] == ("gone style (not here)", "gone style")
    assert missing.shown(GONE, "zh-CN")[fields.of["loras"]]["choices"][-1] == ("away（本机没有）", "away")


def test_a_name_without_its_folder_becomes_the_one_that_is_here(
    missing: Missing, fields: Fields, studio: Studio
) -> None:
    for name in ("style/wash", "style/fog", "people/fog"):
        file = studio.home.loras / f"{name}.safetensors"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"")
    try:
        shown = missing.shown({"styles": [], "loras": ["wash", "fog"], "scheduler": ""}, "en")
        assert shown[fields.of["loras"]]["value"] == ["style/wash", "fog"]
        assert "fog" in shown[fields.drop]["value"], "which of the two only the person knows"
        assert "wash" not in shown[fields.drop]["value"]
    finally:
        for name in ("style/wash", "style/fog", "people/fog"):
            (studio.home.loras / f"{name}.safetensors").unlink()


def test_nothing_is_said_where_everything_is_here(missing: Missing, fields: Fields) -> None:
    here = {"styles": [], "loras": ["moss"], "scheduler": "Euler"}
    assert missing.names(here) == []
    assert missing.shown(here, "en")[fields.drop]["visible"] is False


def test_one_press_takes_it_out_and_the_weights_stay_with_their_adaptations(missing: Missing, fields: Fields) -> None:
    changes = missing._drop(GONE["styles"], GONE["loras"], GONE["scheduler"], "", "", "0.3, 0.5, 0.7", asked())
    assert changes[fields.of["loras"]]["value"] == ["moss"]
    assert changes[fields.of["lora_weights"]] == "0.5"
    assert changes[fields.of["scheduler"]]["value"] == ""
    assert changes[fields.of["styles"]]["value"] == ["ink"]
    assert changes[fields.drop]["visible"] is False


def test_a_restored_picture_names_what_is_not_here(missing: Missing, fields: Fields, studio: Studio) -> None:
    from studio.recipes import recipe

    request = ImageRequest(prompt="hills", seed=1, loras=(Lora("gone", 0.5),), steps=3, width=64, height=64)
    card = studio.default_model("image")
    changes = Restoring(fields._page, fields, missing)._put(restore_recipe(recipe.make_recipe(request, card)), "en")
    assert "Not here" in changes[fields.restored]
    assert "gone" in changes[fields.restored]
    assert ("gone (not here)", "gone") in changes[fields.of["loras"]]["choices"]


def test_choices_of_another_version_fall_back(missing: Missing, fields: Fields) -> None:
    changes = missing._recalled([], [], "", "", "", "round", "bmp", "size", "steps", "", asked())
    put = {name: changes.get(fields.of[name]) for name in ("shape", "format", "x_field", "y_field")}
    assert put == {"shape": "", "format": "png", "x_field": "", "y_field": None}  # what is known stays as it is


def test_the_page_is_built_with_it(studio: Studio) -> None:
    assert page.build(studio) is not None
    assert Path(studio.home.loras).is_dir()


@pytest.mark.parametrize(
    ("typed", "before", "after", "left"),
    [
        ("0.5, 0.7, 0.9", "abc", "ac", "0.5, 0.9"),
        ("0.5; 0.7", "ab", "b", "0.7"),
        ("0.5, 0.7", "ab", "abc", "0.5, 0.7"),
        (", 0.7", "ab", "b", "0.7"),
        ("0.5", "abc", "bc", ""),
        ("0.5, 0.7", "ab", "", ""),
        ("0.5, 0.7", "", "a", "0.5, 0.7"),
        ("0.5, 0.7", "a", "b", "0.7"),
        ("", "ab", "b", ""),
        ("0,5", "ab", "ab", "0,5"),
    ],
)
def test_a_weight_stays_with_its_adaptation(missing: Missing, typed: str, before: str, after: str, left: str) -> None:
    shown, names = missing._pair([*after], typed, [*before])
    assert names == [*after]
    assert left == (shown if isinstance(shown, str) else typed)


def test_what_is_restored_comes_with_its_own_weights(missing: Missing) -> None:
    shown = missing.shown({**GONE, "loras": ["a", "b"]}, "en")
    assert shown[missing.paired] == ["a", "b"]  # so that the change of the list moves none
