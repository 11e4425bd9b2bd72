"""What is known of adaptations: from their own metadata, and from what programs write beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import disk_files
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.store.disk import adaptations
from studio.store.disk.adaptations import Notes, Shelf, model_family

SD1 = {"lora_unet_x.lora_down.weight": (4, 320), "lora_te_text_model_x.lora_down.weight": (4, 768)}
SDXL = {"lora_unet_x.lora_down.weight": (4, 640), "lora_te2_text_model_x.lora_down.weight": (4, 1280)}
TAGS = {"10_ink woman": {"inkstyle": 20, "1girl": 12, "solo": 11, "hat": 2}, "5_more": {"inkstyle": 4, "hat": 3}}
META = {
    "ss_tag_frequency": json.dumps(TAGS), "modelspec.title": "Ink & <b>wash</b>", "ss_base_model_version": "sd_v1",
}  # fmt: skip


class Desk:
    """A folder with one adaptation, "style/ink"."""

    def __init__(self, root: Path) -> None:
        self.file = root / "style" / "ink.safetensors"
        self.kept = root / "kept.json"
        self.made(SD1)

    def made(self, shapes: Mapping[str, tuple[int, ...]], **meta: str) -> None:
        disk_files.weights(self.file, shapes, meta=meta)

    def beside(self, end: str, said: object) -> None:
        text = said if isinstance(said, str) else json.dumps(said)
        self.file.with_name("ink" + end).write_text(text, encoding="utf-8")

    def shelf(self) -> Shelf:
        return Shelf(lambda: {"style/ink": self.file}, self.kept)

    @property
    def notes(self) -> Notes:
        return self.shelf().notes()["style/ink"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_file_tells_for_itself(desk: Desk) -> None:
    desk.made(SD1, **META)
    notes = desk.notes
    assert (notes.title, notes.family, notes.base) == ("Ink & wash", "sd1", "Stable Diffusion 1")
    assert notes.words == ("inkstyle",), "what stood in every description"
    assert notes.tags == ("inkstyle", "1girl", "solo", "hat")
    assert (notes.weight, notes.preview) == (None, "")
    desk.made(SD1, **META, **{"modelspec.trigger_phrase": "ink wash painting, "})
    assert desk.notes.words == ("ink wash painting",)


def test_what_all_pictures_have_in_common_calls_nothing(desk: Desk) -> None:
    desk.made(SD1, ss_tag_frequency=json.dumps({"1_x": {"a": 9, "b": 9, "c": 9, "d": 1}}))
    assert desk.notes.words == ()


@pytest.mark.parametrize(
    ("end", "said", "expected"),
    [
        (".json", {"activation text": "inkstyle, bold lines", "preferred weight": 0.7, "sd version": "SD1"},
         (("inkstyle, bold lines",), 0.7, "SD1")),
        (".json", {"activation text": "", "preferred weight": 0, "sd version": "Unknown"},
         ((), None, "Stable Diffusion 1")),
        (".json", {"modelVersions": [{"trainedWords": ["inkstyle"], "baseModel": "SD 1.5"}]},
         (("inkstyle",), None, "SD 1.5")),
        (".civitai.info", {"trainedWords": ["inkstyle, ", "bold lines"], "baseModel": "SD 1.5"},
         (("inkstyle", "bold lines"), None, "SD 1.5")),
        (".cm-info.json", {"TrainedWords": ["inkstyle"], "BaseModel": "SD 1.5", "ModelName": "Ink"},
         (("inkstyle",), None, "SD 1.5")),
        (".metadata.json", {"civitai": {"trainedWords": ["inkstyle"]}, "usage_tips": '{"strength": 0.8}',
                            "base_model": "SD 1.5"}, (("inkstyle",), 0.8, "SD 1.5")),
        (".civitai.info", {"trainedWords": ["x"], "baseModel": "SDXL 1.0"}, (("x",), None, "Stable Diffusion 1")),
    ],
)  # fmt: skip
def test_what_programs_write_beside_it_is_read(desk: Desk, end: str, said: Any, expected: Any) -> None:
    desk.beside(end, said)
    notes = desk.notes
    assert (notes.words, notes.weight, notes.base) == expected
    assert notes.family == "sd1", "what the weights are counts"


def test_what_the_person_wrote_comes_first(desk: Desk) -> None:
    desk.made(SD1, **{"modelspec.trigger_phrase": "third"})
    desk.beside(".civitai.info", {"trainedWords": ["second"]})
    assert desk.notes.words == ("second",)
    desk.beside(".json", {"activation text": "first"})
    assert desk.notes.words == ("first",)


@pytest.mark.parametrize(
    "said",
    ["", "[", "[]", "null", "{" * 100_000, '{"activation text": ["a", 1, null]}', '{"activation text": {"a": 1}}',
     '{"preferred weight": "2"}', '{"preferred weight": 1e999}', '{"preferred weight": true}', '{"model": 3}',
     '{"civitai": [1], "modelVersions": [[]]}', '{"usage_tips": "["}',
     '{"activation text": "' + "a" * 2_000_000 + '"}'],
)  # fmt: skip
def test_what_makes_no_sense_says_nothing(desk: Desk, said: str) -> None:
    desk.beside(".json", said)
    notes = desk.notes
    assert notes.weight is None
    assert notes.words in ((), ("a",))


def test_nothing_in_it_is_markup(desk: Desk) -> None:
    words = "<img src=x onerror=alert(1)>ink\n\x00\u202e <lora:ink:1>, <b"
    desk.beside(".json", {"activation text": words, "sd version": "<i>"})
    assert desk.notes.words == ("ink , b",)
    assert "<" not in repr(desk.notes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        "activation text",
        "preferred weight",
        "trainedWords",
        "baseModel",
        "model",
        "civitai",
        "modelVersions",
        "usage_tips",
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=5), JSON)
def test_any_value_in_any_place_is_taken_or_left(said: dict[str, Any], tags: Any) -> None:
    notes = adaptations._said(said)
    assert all(isinstance(word, str) and len(word) <= 300 for word in notes.words)
    assert json.dumps(notes.weight) != "NaN"
    adaptations._frequent(json.dumps(tags))


def test_pictures_beside_it_are_found_and_films_are_not(desk: Desk) -> None:
    for end in (".mp4", ".webm", ".preview.mp4"):
        desk.beside(end, "film")
    assert desk.notes.preview == ""
    for end in (".webp", ".preview.png"):  # the better comes last
        desk.beside(end, "picture")
        assert desk.notes.preview == str(desk.file.with_name("ink" + end))


def test_a_second_look_opens_nothing_until_something_changes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.beside(".json", {"activation text": "ink"})
    shelf, first = desk.shelf(), desk.notes
    read: list[Path] = []
    real = adaptations._read
    monkeypatch.setattr(adaptations, "_read", lambda file, *more: read.append(file) or real(file, *more))
    for again in (shelf, shelf, desk.shelf()):  # another start of the program too
        assert again.notes()["style/ink"] == first
    assert read == []
    desk.beside(".json", {"activation text": "wash now"})
    assert shelf.notes()["style/ink"].words == ("wash now",)
    desk.beside(".preview.png", "picture")
    assert shelf.notes()["style/ink"].preview
    assert len(read) == 2
    assert shelf.notes()["style/ink"].stamp != first.stamp


def test_a_list_that_is_damaged_is_made_anew(desk: Desk) -> None:
    first = desk.notes
    for damage in ("", "[]", '{"version": 1}', '{"version": 1, "notes": {"a": {"words": 1}}}'):
        desk.kept.write_text(damage)
        assert desk.notes == first


def test_models_have_a_family(tmp_path: Path) -> None:
    assert model_family(disk_files.weights(tmp_path / "x.safetensors", disk_files.SDXL | disk_files.VAE)) == "sdxl"
    for name, width, family in (
        ("StableDiffusionPipeline", 768, "sd1"), ("StableDiffusionPipeline", 1024, "sd2"),
        ("StableDiffusionPipeline", 96, ""), ("LatentConsistencyModelPipeline", 768, "sd1"),
        ("StableDiffusionXLImg2ImgPipeline", 2048, "sdxl"), ("FluxPipeline", 0, "flux1"), ("Other", 768, ""),
    ):  # fmt: skip
        (tmp_path / "unet").mkdir(exist_ok=True)
        (tmp_path / "unet" / "config.json").write_text(json.dumps({"cross_attention_dim": width}))
        (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name}))
        assert model_family(tmp_path) == family
