"""Presets are JSON that a person can read; a file that makes no sense is left as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.library.presets import MOST, Preset, Presets


def test_a_preset_is_kept_found_by_the_next_program_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "chat-presets.json"
    Presets(file).save(Preset("  My  poet ", "Rhyme.", {"temperature": 1.2, "stop": ["END"]}))
    assert json.loads(file.read_text()) == {"My poet": {"system": "Rhyme.", "temperature": 1.2, "stop": ["END"]}}
    assert Presets(file).all() == (Preset("My poet", "Rhyme.", {"temperature": 1.2, "stop": ["END"]}),)
    Presets(file).delete("My poet")
    Presets(file).delete("never there")
    assert Presets(file).all() == ()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 3}', "[" * 100_000, '{" ": {}}'])
def test_a_file_that_makes_no_sense_has_no_presets(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    assert Presets(tmp_path / "p.json").all() == ()


def test_a_file_that_is_none_of_ours_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("somebody's notes")
    with pytest.raises(StudioError) as caught:
        Presets(tmp_path / "p.json").save(Preset("a"))
    assert caught.value.code == "bad_file"
    assert (tmp_path / "p.json").read_text() == "somebody's notes"


@pytest.mark.parametrize(("name", "code"), [("", "empty"), (" \n", "empty"), ("x" * 61, "too_long")])
def test_a_name_is_something_that_can_be_read(tmp_path: Path, name: str, code: str) -> None:
    with pytest.raises(StudioError) as caught:
        Presets(tmp_path / "p.json").save(Preset(name))
    assert caught.value.code == code


def test_there_is_an_end_to_them(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps({str(number): {} for number in range(MOST)}))
    Presets(tmp_path / "p.json").save(Preset("0", "changed"))
    with pytest.raises(StudioError) as caught:
        Presets(tmp_path / "p.json").save(Preset("one more"))
    assert caught.value.code == "out_of_range"
