"""Presets on the page: what each tab's fields are kept as, and what a file may put into them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from studio.errors import StudioError
from studio.library.presets import MOST_PICTURE, Preset
from studio.requests import ImageRequest, Task
from studio.service import Studio
from studio.settings import Settings
from tabs import page
from tabs.caption import fields as caption_fields
from tabs.caption import presets as caption
from tabs.code import fields as code_fields
from tabs.code import presets as code
from tabs.image import fields as image_fields
from tabs.image import presets as image
from tabs.image.missing import Missing
from tabs.image.result import Result, Shown
from tabs.music import fields as music_fields
from tabs.music import presets as music
from tabs.shared.context import Page
from tabs.shared.preset_row import Form, unshortened

TYPED: dict[str, dict[str, Any]] = {
    "image": {
        "shape": "portrait", "width": "", "height": "", "count": "2", "negative_prompt": "blur", "styles": [],
        "steps": "9", "guidance_scale": "6.5", "scheduler": "Euler a", "clip_skip": "1", "variation": "0.25",
        "strength": "0.5", "hires_scale": "2", "hires_strength": "0.4", "masked_only": True, "mask_padding": "8",
        "mask_blur": "2", "seamless": "x", "rng": "nv", "vae": "soft", "refiner": "fine", "refiner_at": "0.6",
        "detail_on": True, "detail_name": "faces", "detail_strength": "0.3", "detail_prompt": "a smile",
        "detail_confidence": "0.7", "tiling": True, "loras": ["fog", "ink"], "lora_weights": "0.5, 1",
    },
    "music": {
        "negative_prompt": "drums", "duration": "12", "bars": "8", "tempo": "90.5", "key": "D minor", "metre": "3/4",
        "players": "flute", "loop": True, "guidance_scale": "3", "steps": "20", "temperature": "0.5", "top_k": "40",
        "count": "2",
    },
    "code": {"fill_in_middle": False, "count": "3", "max_tokens": "64", "temperature": "0.5", "top_p": "0.75"},
    "caption": {
        "style": "tags", "length": "long", "language": "zh", "opening": "a photo of", "require": "cat, tree",
        "forbid": "dog", "count": 2, "max_tokens": "64", "temperature": "0.5",
    },
}  # fmt: skip
Made = Callable[[str], tuple[Form, dict[str, Any]]]


@pytest.fixture
def made(studio: Studio) -> Made:
    """A tab's form, and its fields by name."""

    def made(task: str) -> tuple[Form, dict[str, Any]]:
        with gr.Blocks() as blocks:
            on = Page(studio, blocks)
            if task == "image":
                of = image_fields.Fields(on)
                of.words()
                of.settings()
                return image.preset_form(on, of, Missing(on, of), Result(on)), of.of
            if task == "music":
                of = music_fields.Fields(on)
                of.settings()
                return music.preset_form(on, of), of.of
            if task == "code":
                of = code_fields.Fields(on)
                of.language()
                of.count()
                of.more()
                of.files()
                return code.preset_form(on, of), of.of
            of = caption_fields.Fields(on)
            of.settings()
            return caption.preset_form(on, of), of.of

    return made


def value(change: Any) -> Any:
    return change["value"] if isinstance(change, dict) else change


@pytest.mark.parametrize("task", TYPED)
def test_fields_come_back_as_they_were_typed(task: str, made: Made, studio: Studio) -> None:
    form, of = made(task)
    values = [f"demo-{task}", *TYPED[task].values()]
    kept = json.loads(json.dumps(form.read(values)))
    changes, line = form.fill(kept, "en")
    now = {name: value(changes[of[name]]) for name in TYPED[task]}
    assert now == TYPED[task]
    assert value(changes[of["model"]]) == f"demo-{task}"
    assert line == ""


@pytest.mark.parametrize("task", TYPED)
def test_a_preset_touches_no_words_seeds_and_files(task: str, made: Made) -> None:
    form, of = made(task)
    changes, _ = form.fill(
        {"prompt": "stolen", "seed": 7, "image": "x", "lyrics": "la", "files": ["/etc/passwd"]}, "en"
    )
    for name in ("prompt", "seed", "picture", "lyrics", "melody", "sound", "files", "folder", "variation_seed"):
        if name in of:
            assert of[name] not in changes
            assert of[name] not in form.outputs
    assert set(changes) <= set(form.outputs)


@pytest.mark.parametrize("task", TYPED)
def test_what_is_not_in_it_is_emptied(task: str, made: Made) -> None:
    form, of = made(task)
    changes, _ = form.fill({}, "en")
    usual = {"style": "plain", "length": "normal", "fill_in_middle": True}
    for name, typed in TYPED[task].items():
        empty = usual.get(name, 1 if isinstance(typed, int) and not isinstance(typed, bool) else type(typed)())
        assert value(changes[of[name]]) == empty, name


@pytest.mark.parametrize("task", TYPED)
@pytest.mark.parametrize("wrong", [None, True, -1e400, "<script>", [], ["a", 2], {"a": 1}, [{"name": 1}]])
def test_a_file_that_anybody_wrote_puts_only_what_a_field_takes_into_it(task: str, wrong: object, made: Made) -> None:
    form, of = made(task)
    changes, line = form.fill(dict.fromkeys(["model", *TYPED[task]], wrong), "en")
    for name, typed in TYPED[task].items():
        assert type(value(changes[of[name]])) is type(typed), name
    assert "<script>" not in line


@pytest.mark.parametrize("task", TYPED)
def test_a_model_that_is_not_here_is_said_and_left(task: str, made: Made) -> None:
    form, of = made(task)
    changes, line = form.fill({"model": "<b>gone</b>"}, "en")
    assert of["model"] not in changes
    assert "&lt;b&gt;gone&lt;/b&gt; is not on this machine" in line


def test_a_size_of_ones_own_is_kept_too_and_a_shape_follows_the_model(made: Made) -> None:
    form, of = made("image")
    typed = {**TYPED["image"], "shape": "custom", "width": "320", "height": "640", "hires_scale": ""}
    changes, _ = form.fill(form.read(["demo-image", *typed.values()]), "en")
    assert [value(changes[of[name]]) for name in ("shape", "width", "height")] == ["custom", "320", "640"]
    changes, _ = form.fill({"model": "gone", "shape": "landscape", "width": 1024, "height": 64}, "en")
    assert [value(changes[of[name]]) for name in ("shape", "width", "height")] == ["landscape", "", ""]


def test_a_number_that_is_none_is_refused(made: Made) -> None:
    for task, typed in TYPED.items():
        form, _ = made(task)
        values = {**typed, "temperature" if task != "image" else "steps": "many"}
        with pytest.raises(StudioError) as caught:
            form.read([f"demo-{task}", *values.values()])
        assert caught.value.code == "not_a_number"


def test_the_picture_is_a_small_copy_of_the_one_that_is_chosen(studio: Studio, tmp_path: Path, made: Made) -> None:
    form, _ = made("image")
    _, small = form.pictured
    artifact = studio.submit(ImageRequest(prompt="hills", width=64, height=64, steps=2, count=2)).result()
    shown = Shown(artifact, tuple(map(str, artifact.files)))
    with_, other = small(shown, 0), small(shown, 1)
    assert 0 < len(with_) <= MOST_PICTURE
    assert with_ != other
    studio.presets["image"].save(Preset("a", {}, with_))
    assert studio.presets["image"].all()[0].picture == with_
    for nothing in (small(None, 0), small(shown, 2), small(shown, -1), small(shown, "x")):
        assert nothing == b""
    artifact.files[0].unlink()
    assert small(shown, 0) == b""


def test_a_list_does_not_become_shorter_on_an_open_page() -> None:
    two, one = [("a", "a"), ("b", "b")], [("a", "a")]
    assert unshortened(one, two) == [("a", "a"), ("", "")]
    assert unshortened(two, one) == two
    assert unshortened([("c", "c")], unshortened(one, two)) == [("c", "c"), ("", "")]


@pytest.mark.parametrize("public", [False, True])
def test_strangers_have_none(tmp_path: Path, public: bool) -> None:
    settings = Settings(demo=True, profile="space" if public else "local", home=tmp_path, _env_file=None)  # pyright: ignore
    tasks: tuple[Task, ...] = ("image", "music", "code", "caption")
    (tmp_path / "music-presets.json").write_text('{"Mine": {}}')
    with Studio(settings) as studio:
        parts = {part.elem_id: part for part in page.build(studio).blocks.values() if getattr(part, "elem_id", None)}
        assert bool(studio.presets) is not public
    for task in tasks:
        assert (f"{task}-preset" in parts) is not public
        assert (f"{task}-presets-fold" in parts) is not public
    assert "chat-preset" in parts, "ours are there for everybody"
    assert ("chat-preset-save" in parts) is not public
