"""Presets are JSON that a person can read; a file that makes no sense is left as it is."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from studio.errors import StudioError
from studio.library.presets import LONGEST, MOST, MOST_PICTURE, Preset, Presets, of_tasks


@pytest.fixture
def presets(tmp_path: Path) -> Presets:
    return Presets(tmp_path / "p.json")


@pytest.fixture
def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(out, "WEBP")
    return out.getvalue()


def refused(code: str, do) -> None:
    with pytest.raises(StudioError) as caught:
        do()
    assert caught.value.code == code


def names(presets: Presets) -> list[str]:
    return [preset.name for preset in presets.all()]


def test_a_preset_is_kept_found_by_the_next_program_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "chat-presets.json"
    values = {"system": "Rhyme.", "temperature": 1.2, "stop": ["END"]}
    Presets(file).save(Preset("  My  poet ", values))
    assert json.loads(file.read_text()) == {"My poet": values}
    assert Presets(file).all() == (Preset("My poet", values),)
    Presets(file).delete("My poet")
    Presets(file).delete("never there")
    assert Presets(file).all() == ()


def test_a_picture_is_kept_with_it_in_the_one_file(presets: Presets, picture: bytes) -> None:
    presets.save(Preset("Teal", {"steps": 4}, picture))
    found = presets.find("Teal")
    assert found is not None
    assert (found.picture, dict(found.values)) == (picture, {"steps": 4})
    presets.save(Preset("Large", {}, picture + bytes(MOST_PICTURE)))
    assert presets.all()[0] == Preset("Large")


@pytest.mark.parametrize("kept", [3, "", "no base64!", "aGVsbG8=", "A" * 100_000, ["x"], None])
def test_a_picture_that_is_none_of_ours_is_not_shown(tmp_path: Path, kept: object) -> None:
    (tmp_path / "p.json").write_text(json.dumps({"a": {"steps": 4, "picture": kept}}))
    assert Presets(tmp_path / "p.json").all() == (Preset("a", {"steps": 4}),)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 3}', "[" * 100_000, '{" ": {}}'])
def test_a_file_that_makes_no_sense_has_no_presets(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    assert Presets(tmp_path / "p.json").all() == ()


@pytest.mark.parametrize(
    "step",
    [
        lambda presets: presets.read(),
        lambda presets: presets.find("a"),
        lambda presets: presets.save(Preset("a")),
        lambda presets: presets.rename("a", "b"),
        lambda presets: presets.delete("a"),
    ],
)
def test_a_damaged_file_is_told_of_and_not_written_over(tmp_path: Path, step) -> None:
    (tmp_path / "p.json").write_text('{"a": {"steps": 4}, "b')
    refused("bad_file", lambda: step(Presets(tmp_path / "p.json")))
    assert (tmp_path / "p.json").read_text() == '{"a": {"steps": 4}, "b'


def test_one_that_makes_no_sense_is_not_lost_when_another_is_saved(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"odd": [1], "a": {"later": {"x": NaN}}}')
    presets = Presets(tmp_path / "p.json")
    presets.save(Preset("b", {"steps": 2}))
    assert json.loads((tmp_path / "p.json").read_text()) == {
        "odd": [1], "a": {"later": {"x": None}}, "b": {"steps": 2},
    }  # fmt: skip


@pytest.mark.parametrize(("name", "code"), [("", "empty"), (" \n\0", "empty"), ("x" * (LONGEST + 1), "too_long")])
def test_a_name_is_something_that_can_be_read(presets: Presets, name: str, code: str) -> None:
    refused(code, lambda: presets.save(Preset(name)))
    presets.save(Preset("a"))
    refused(code, lambda: presets.rename("a", name))


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\x", "<b>&\"'", "水彩 🎨", "picture", "__proto__", ".", "a\x1b[2Jb", "a\ud800b"]
)
def test_any_name_is_only_content_of_the_file(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    Presets(folder / "p.json").save(Preset(name, {"system": "\ud800", "steps": 3}))
    [kept] = Presets(folder / "p.json").all()
    assert kept.name == name.replace("\x1b", "").replace("\ud800", "")
    assert dict(kept.values) == {"system": "?", "steps": 3}
    assert os.listdir(folder) == ["p.json"]
    assert os.listdir(tmp_path) == ["home"]


def test_there_is_an_end_to_them(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps({str(number): {} for number in range(MOST)}))
    presets = Presets(tmp_path / "p.json")
    presets.save(Preset("0", {"system": "changed"}))
    refused("out_of_range", lambda: presets.save(Preset("one more")))
    refused("too_long", lambda: presets.save(Preset("0", {"system": "x" * 300_001})))
    refused("not_a_number", lambda: presets.save(Preset("0", {"steps": float("nan")})))
    for number in range(27):
        presets.save(Preset(str(number), {"system": "x" * 290_000}))
    refused("too_long", lambda: presets.save(Preset("27", {"system": "x" * 290_000})))  # it would not be read again
    assert len(presets.read()) == MOST


def test_a_preset_gets_another_name_that_is_free(presets: Presets) -> None:
    presets.save(Preset("a", {"steps": 1}))
    presets.save(Preset("b", {"steps": 2}))
    refused("preset_exists", lambda: presets.rename("a", " b "))
    refused("preset_unknown", lambda: presets.rename("c", "d"))
    presets.rename("a", "z")
    assert presets.all() == (Preset("b", {"steps": 2}), Preset("z", {"steps": 1}))


def test_every_step_can_be_taken_back(presets: Presets, picture: bytes) -> None:
    first = presets.save(Preset("a", {"steps": 1}, picture))
    replaced = presets.save(Preset("a", {"steps": 2}))
    presets.undo(replaced)
    assert presets.all() == (Preset("a", {"steps": 1}, picture),)
    presets.undo(presets.rename("a", "b"))
    presets.undo(presets.delete("a"))
    assert presets.all() == (Preset("a", {"steps": 1}, picture),)
    presets.undo(first)
    assert presets.all() == ()


def test_a_step_that_was_followed_by_another_is_not_taken_back(presets: Presets) -> None:
    presets.save(Preset("a", {"steps": 1}))
    gone = presets.delete("a")
    presets.save(Preset("a", {"steps": 2}))
    refused("preset_changed", lambda: presets.undo(gone))
    assert presets.all() == (Preset("a", {"steps": 2}),)


def test_a_full_disk_leaves_the_file_as_it_was(presets: Presets, monkeypatch: pytest.MonkeyPatch) -> None:
    presets.save(Preset("a", {"steps": 1}))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    refused("disk_full", lambda: presets.save(Preset("b")))
    assert names(presets) == ["a"]


def test_each_task_has_a_file_and_a_public_studio_none(tmp_path: Path) -> None:
    kept = of_tasks(lambda task: tmp_path / f"{task}.json", public=False)
    kept["music"].save(Preset("a"))
    assert os.listdir(tmp_path) == ["music.json"]
    assert not kept["image"].all()
    assert of_tasks(lambda task: tmp_path / task, public=True) == {}
