"""What is dropped on the page: known by its bytes or by what is in it, and refused in a sentence otherwise."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from unit.library.test_archive import Desk, made

from studio.errors import StudioError
from studio.library import music_export
from studio.library.recognition import Recognised, recognise
from studio.results import Audio, Output


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "home")
    yield desk
    desk.archive.close()


def seen(desk: Desk, data: bytes, name: str) -> Recognised:
    return recognise(desk.archive, desk.chats, data, name)


def notes() -> bytes:
    file, out = mido.MidiFile(tracks=[mido.MidiTrack([mido.Message("note_on", note=60)])]), io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def test_what_lies_in_the_library_is_known_whatever_it_is_called_now(desk: Desk) -> None:
    for task, id in desk.everything().items():
        if task != "chat":
            found = seen(desk, desk.archive.file(id).read_bytes(), "renamed.bin")
            assert (found.way, found.item and found.item.id) == ("item", id)


def test_what_was_made_elsewhere_goes_to_the_tab_that_its_recipe_names(desk: Desk, tmp_path: Path) -> None:
    other = Desk(tmp_path / "another")
    ids = other.everything()
    sound = Output(audio=(Audio(np.zeros((1, 400), np.float32), 8000, midi=notes()),), seeds=(7,))
    piece = other.library.save("music", sound, made("music", prompt="a jig")).files[0]
    for file, way in (
        (other.archive.file(ids["image"]), "image"),
        (piece, "music"),
        (piece.with_suffix(".mid"), "music"),
    ):
        assert seen(desk, file.read_bytes(), file.name).way == way
    own = other.archive.recipe(other.library.id(piece))
    assert own is not None
    for suffix in (".flac", ".mp3", ".mid"):
        assert seen(desk, music_export.music(piece, own, suffix), "x" + suffix).way == "music"
    other.archive.close()


def test_notes_that_were_kept_before_they_had_a_recipe_get_one_when_they_are_handed_over(desk: Desk) -> None:
    sound = Output(audio=(Audio(np.zeros((1, 400), np.float32), 8000, midi=notes()),), seeds=(7,))
    artifact = desk.library.save("music", sound, made("music", prompt="a jig"))
    (file,) = artifact.files
    file.with_suffix(".mid").write_bytes(notes())
    assert seen(desk, music_export.music(file, artifact.recipe, ".mid"), "a.mid").way == "music"


def test_settings_of_other_programs_conversations_and_code(desk: Desk) -> None:
    told, out = PngImagePlugin.PngInfo(), io.BytesIO()
    told.add_text("parameters", "a hill\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 64x64")
    Image.new("RGB", (64, 64)).save(out, "PNG", pnginfo=told)
    assert seen(desk, out.getvalue(), "a.png").way == "image"
    foreign = json.dumps([{"title": "Sky", "messages": [{"role": "user", "content": "Why?"}]}]).encode()
    found = seen(desk, foreign, "export.json")
    assert found.way == "chat"
    assert desk.chats.load(found.chat).messages[0].content == "Why?"
    assert seen(desk, b"x = 1\r\n", "C:\\work\\a.py") == Recognised("code", words="x = 1\n", language="python")
    assert seen(desk, b'{"name": "x"}', "package.json").way == "code"


@pytest.mark.parametrize(
    ("data", "name"), [(b"", "a.txt"), (b"\0\1\2", "../../etc/passwd"), (b"PK\3\4", "a.zip"), (b"MZ\0\0", "a.exe")]
)
def test_what_nobody_takes_up_is_one_sentence(desk: Desk, data: bytes, name: str) -> None:
    with pytest.raises(StudioError) as caught:
        seen(desk, data, name)
    assert caught.value.code == "not_recognised"
    assert "/" not in caught.value.params["name"]


def test_a_file_that_changed_since_it_was_found_is_not_taken_for_another(desk: Desk) -> None:
    id = desk.everything()["code"]
    data = desk.archive.file(id).read_bytes()
    desk.archive.file(id).write_bytes(data[::-1])
    assert seen(desk, data, "a.py").way == "code"
    assert replace(desk.archive.item(id)).size == len(data)
