"""The library: what was made is found, marked, deleted and had back; the index only ever says what the files say."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import wave as wavfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.errors import StudioError
from studio.library import foreign_files
from studio.library.archive import Archive
from studio.library.chats import Chats
from studio.library.index import Query
from studio.library.outputs import Library
from studio.library.trash import Trash
from studio.paths import Home
from studio.recipes import recipe
from studio.requests import Task
from studio.results import Audio, Output
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.chat.conversation import Entry

ROOT = Path(__file__).resolve().parents[3]


def made(task: Task, seed: int = 7, when: str = "2026-01-31T12:00:00+00:00", **parameters: Any) -> dict[str, Any]:
    return {
        "format": recipe.FORMAT, "task": task, "seed": seed, "made": when, "software": {}, "device": "cpu",
        "model": {"id": "sd", "title": "Stable Thing", "revision": "", "licence": "MIT", "licence_url": "",
                  "commercial": True},
        "parameters": parameters, "finish": "stop", "seconds": 0.5,
    }  # fmt: skip


class Desk:
    """A home with everything that the library is made of."""

    def __init__(self, root: Path) -> None:
        self.home = Home.at(root)
        self.library, self.chats = Library(self.home), Chats(self.home.chats)
        self.archive = Archive(self.home, self.chats, self.library.stars)
        self.library.told = self.archive.noted

    def picture(self, prompt: str, seed: int = 7, when: str = "2026-01-31T12:00:00+00:00") -> str:
        output = Output(images=(Image.new("RGB", (8, 8), (seed % 256, 0, 0)),), seeds=(seed,))
        return self.library.id(self.library.save("image", output, made("image", seed, when, prompt=prompt)).files[0])

    def everything(self) -> dict[str, str]:
        """One of each kind -> its id."""
        sound = Output(audio=(Audio(np.zeros((1, 400), np.float32), 8000, midi=b"MThd"),), seeds=(7,))
        text, code = Output(text="A white heron 白鹭.", seeds=(7,)), Output(text="return r * 3.14\n", seeds=(7,))
        ids = {"image": self.picture("a red fox 红狐狸")}
        for task, output, given in (
            ("music", sound, {"prompt": "a slow waltz"}), ("caption", text, {}),
            ("code", code, {"prefix": "def area(r):\n    ", "language": "python"}),
        ):  # fmt: skip
            ids[task] = self.library.id(self.library.save(task, output, made(task, **given)).files[0])
        chat = replace(self.chats.new(), messages=(Entry("user", "Why is the sky blue?"), Entry("assistant", "瑞利")))
        self.chats.save(chat)
        self.archive.sync()
        return {**ids, "chat": f"chat/{chat.id}"}

    def found(self, text: str = "", **more: Any) -> list[str]:
        return [item.id for item in self.archive.page(Query(text, **more)).items]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "home")
    yield desk
    desk.archive.close()


def test_every_output_of_every_task_is_a_row_as_soon_as_it_is_written(desk: Desk) -> None:
    ids = desk.everything()
    assert set(desk.found()) == set(ids.values())
    assert {task: desk.archive.item(id).task for task, id in ids.items()} == {task: task for task in ids}
    assert desk.archive.item(ids["image"]).model_title == "Stable Thing"
    assert desk.archive.item(ids["caption"]).title == "A white heron 白鹭."
    assert desk.archive.recipe(ids["image"])["seed"] == 7  # pyright: ignore


def test_a_studio_of_its_own_tells_the_library(settings: Settings) -> None:
    from studio.requests import ImageRequest

    with Studio(settings) as studio:
        job = studio.submit(ImageRequest(prompt="hills", width=64, height=64))
        list(job.events())
        assert studio.archive is not None
        (item,) = studio.archive.page(Query("hills")).items  # without looking at the disk first
        assert item.id == studio.library.id(job.result().files[0])


def test_a_public_studio_has_no_library(tmp_path: Path) -> None:
    with Studio(Settings(demo=True, home=tmp_path, profile="space", port=0)) as studio:
        assert studio.archive is None
        assert not studio.home.library.exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FOX", "image"), ("狐狸", "image"), ("red 狐狸", "image"), ("waltz slow", "music"), ("heron", "caption"),
        ("鹭", "caption"), ("area", "code"), ("3.14", "code"), ("sky", "chat"), ("利", "chat"), ("ＦＯＸ", "image"),
    ],
)  # fmt: skip
def test_words_are_found_in_prompts_captions_code_and_answers_in_both_languages(
    desk: Desk, text: str, expected: str
) -> None:
    ids = desk.everything()
    assert desk.found(text) == [ids[expected]]


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    desk.everything()
    assert desk.found("fox waltz") == desk.found("%") == desk.found("_") == desk.found("\\") == []


def test_filters(desk: Desk) -> None:
    old = desk.picture("old", 1, "2025-05-01T12:00:00+00:00")
    ids = desk.everything()
    day = int(datetime.fromisoformat("2026-01-01T00:00:00+00:00").timestamp() * 1000)
    assert desk.found(tasks=("music", "code")) != []
    assert set(desk.found(tasks=("music", "code"))) == {ids["music"], ids["code"]}
    assert desk.found(until=day) == [old]
    assert old not in desk.found(since=day)
    assert desk.found(model="sd", tasks=("music",)) == [ids["music"]]
    assert desk.found(model="none") == []
    assert desk.archive.models()[0] == ("sd", "Stable Thing", 5)


def test_pages_follow_each_other_without_gaps_where_many_were_made_at_once(desk: Desk) -> None:
    made_ = {desk.picture(f"number {seed}", seed) for seed in range(13)}  # all of the same second
    seen: list[str] = []
    after, first = "", True
    while first or after:
        page, first = desk.archive.page(Query(), after, 5, count=True), False
        assert page.count == 13
        seen += [item.id for item in page.items]
        after = page.following
    assert len(seen) == 13
    assert set(seen) == made_


def test_marks_are_kept_beside_the_files_and_found(desk: Desk) -> None:
    ids = desk.everything()
    desk.archive.star([ids["image"], ids["chat"]], True)
    desk.archive.tag([ids["image"]], ["Best of ", "二月"])
    desk.archive.note(ids["music"], "for the 片头")
    desk.archive.collect([ids["image"], ids["music"]], ["A series"])
    assert set(desk.found(starred=True)) == {ids["image"], ids["chat"]}
    assert desk.found(tag="Best of") == desk.found("二月") == [ids["image"]]
    assert desk.found("片头") == [ids["music"]]
    assert set(desk.found(collection="A series")) == {ids["image"], ids["music"]}
    assert desk.archive.labels() == ({"Best of": 1, "二月": 1}, {"A series": 2})
    desk.archive.tag([ids["image"]], [], ["Best of"])
    desk.archive.star([ids["chat"]], False)
    assert desk.archive.item(ids["image"]).tags == ("二月",)
    assert desk.found(starred=True) == [ids["image"]]
    lines = [json.loads(line) for line in (desk.home.outputs / ".marks.jsonl").read_text("utf-8").splitlines()]
    assert lines[-1] == {"id": ids["image"], "tags": ["二月"], "note": "", "collections": ["A series"]}


def test_too_long_a_mark_is_refused_and_changes_nothing(desk: Desk) -> None:
    id = desk.picture("x")
    for names in (["x" * 61], [f"t{number}" for number in range(41)]):
        with pytest.raises(StudioError):
            desk.archive.tag([id], names)
    assert desk.archive.item(id).tags == ()


def test_a_rebuilt_index_equals_the_old_one(desk: Desk) -> None:
    ids = desk.everything()
    desk.archive.star([ids["image"]], True)
    desk.archive.tag([ids["image"], ids["chat"]], ["二月"])
    desk.archive.delete([ids["music"]])
    before = desk.archive.dump()
    assert len(before) > 8
    assert desk.archive.rebuild() == 4
    assert desk.archive.dump() == before


@pytest.mark.parametrize("harm", [b"no database at all", b"SQLite format 3\0" + b"\0" * 4000, b""])
def test_a_damaged_or_missing_index_is_made_again(desk: Desk, harm: bytes) -> None:
    desk.everything()
    before = desk.archive.dump()
    desk.archive.close()
    for file in desk.home.library.iterdir():
        file.unlink()
    (desk.home.library / "index.sqlite").write_bytes(harm)
    again = Desk(desk.home.root)
    again.archive.sync()
    assert again.archive.dump() == before
    again.archive.close()


def test_files_moved_copied_changed_and_deleted_by_hand_are_followed(desk: Desk) -> None:
    first, second = desk.picture("first", 1), desk.picture("second", 2)
    desk.archive.sync()
    file = desk.archive.file(first)
    (desk.home.outputs / "image" / "mine").mkdir()
    shutil.copy(file, desk.home.outputs / "image" / "mine" / "copy.png")
    desk.archive.file(second).unlink()
    desk.archive.sync()
    assert set(desk.found()) == {first, "image/mine/copy.png"}
    shutil.rmtree(desk.home.outputs / "image" / "mine")
    shutil.move(file, desk.home.outputs / "image" / "moved.png")
    desk.archive.sync()
    assert desk.found() == ["image/moved.png"]
    shutil.rmtree(desk.home.outputs / "image")
    desk.archive.sync()
    assert desk.found() == []


def test_two_programs_at_one_home_see_each_others_work(desk: Desk) -> None:
    other = Desk(desk.home.root)
    id = desk.picture("mine")
    other.archive.tag([id], ["theirs"])
    desk.archive.sync()
    assert desk.archive.item(id).tags == ("theirs",)
    desk.archive.delete([id])
    other.archive.sync()
    assert other.found() == []
    other.archive.close()


def test_what_was_deleted_is_in_the_trash_and_comes_back_whole(desk: Desk) -> None:
    ids = desk.everything()
    desk.archive.tag([ids["music"]], ["kept"])
    before = desk.archive.dump()
    files = {file: file.read_bytes() for file in desk.home.outputs.rglob("*") if file.is_file()}
    token = desk.archive.delete(ids.values())
    assert desk.found() == []
    assert desk.chats.list() == ()
    (thrown,) = desk.archive.trash.all()
    assert set(thrown.ids) == set(ids.values())
    assert thrown.nbytes > 0
    assert set(desk.archive.restore(token)) == set(ids.values())
    # a conversation comes out of its trash with another time of its file
    assert [row[:10] for row in desk.archive.dump()] == [row[:10] for row in before]
    assert {file: file.read_bytes() for file in desk.home.outputs.rglob("*") if file.is_file()} == files
    with pytest.raises(StudioError):
        desk.archive.restore(token)


def test_a_name_that_was_taken_meanwhile_is_not_overwritten(desk: Desk) -> None:
    id = desk.picture("mine")
    token = desk.archive.delete([id])
    (desk.home.outputs / id).write_bytes(b"somebody else's")
    (back,) = desk.archive.restore(token)
    assert (desk.home.outputs / id).read_bytes() == b"somebody else's"
    assert back != id
    assert desk.archive.recipe(back) is not None


def test_the_trash_is_emptied_after_thirty_days_and_not_before(desk: Desk) -> None:
    id = desk.picture("mine")
    token = desk.archive.delete([id])
    trash = Trash(desk.home.outputs, desk.chats)
    place = desk.home.outputs / ".trash"
    for days, left in ((29, 1), (31, 0)):
        when = (datetime.now().astimezone() - timedelta(days=days)).strftime("%Y%m%dT%H%M%S")
        os.rename(place / token, place / f"{when}-{token[-8:]}")
        token = f"{when}-{token[-8:]}"
        trash.empty(30)
        assert len(trash.all()) == left


@pytest.mark.parametrize(
    "id", ["../x", "image/../../x", "/etc/passwd", ".stars.txt", ".trash/x", "chat/../../x", "", "image"]
)
def test_no_id_leads_out_of_the_library(desk: Desk, id: str) -> None:
    desk.everything()
    (desk.home.root / "x").write_text("secret")
    with pytest.raises(StudioError):
        desk.archive.file(id)
    assert desk.archive.delete([id]) == ""
    with pytest.raises(StudioError):
        desk.archive.restore(id)


def test_foreign_files_are_taken_in_once_with_what_they_say(desk: Desk, tmp_path: Path) -> None:
    from PIL import PngImagePlugin

    said = PngImagePlugin.PngInfo()
    said.add_text("parameters", "a blue whale\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Model: oceans")
    Image.new("RGB", (9, 9)).save(tmp_path / "Übersee.png", pnginfo=said)
    Image.new("RGB", (9, 9)).save(tmp_path / "bare.jpg")
    data = (tmp_path / "Übersee.png").read_bytes()
    (id,) = foreign_files.take_in(desk.archive, desk.chats, data, "Übersee.png")
    assert foreign_files.take_in(desk.archive, desk.chats, data, "C:\\x\\Übersee.png") == (id,)
    (bare,) = foreign_files.take_in(desk.archive, desk.chats, (tmp_path / "bare.jpg").read_bytes(), "../bare.jpg")
    whole = json.dumps([{"role": "user", "content": "a question from elsewhere"}])
    chats = foreign_files.take_in(desk.archive, desk.chats, desk_chat(whole), "chat.json")
    desk.archive.sync()
    assert desk.found("whale oceans") == [id]
    assert desk.archive.item(id).foreign
    assert desk.archive.item(bare).title == "bare"
    assert desk.found("elsewhere") == list(chats)
    before = desk.archive.dump()
    desk.archive.rebuild()
    assert desk.archive.dump() == before


WRITTEN = "# Übergänge 边界\r\nthe lantern hums\r\n".encode("utf-8-sig")
TOOL = b"def lantern(at: int) -> int:\n\treturn at\n"


def test_texts_and_code_of_others_are_kept_byte_for_byte_and_found_by_their_words(desk: Desk) -> None:
    kept: dict[str, bytes] = {}
    for name, data in (
        ("Notes.md", WRITTEN), ("old.txt", "grün wie Glas".encode("latin-1")), ("wide.TXT", "lamp 灯".encode("utf-16")),
        ("tool.py", TOOL), ("style.css", b".lantern {}"),
    ):  # fmt: skip
        (id,) = foreign_files.take_in(desk.archive, desk.chats, data, name)
        assert foreign_files.take_in(desk.archive, desk.chats, data, name) == (id,)
        kept[id] = data
    (other,) = foreign_files.take_in(desk.archive, desk.chats, b"def other(): ...\n", "tool.py")
    assert {id: desk.archive.file(id).read_bytes() for id in kept} == kept
    note, old, wide, tool, sheet = kept
    assert set(desk.found("LANTERN")) == {note, tool, sheet}
    assert (desk.found("边界 hums"), desk.found("grün"), desk.found("灯")) == ([note], [old], [wide])
    found = {id: desk.archive.item(id) for id in (note, tool, other)}
    assert [(one.kind, one.task, one.foreign) for one in found.values()] == [
        ("text", "caption", True), ("code", "code", True), ("code", "code", True)
    ]  # fmt: skip
    assert found[note].title == "# Übergänge 边界 the lantern hums"
    assert (found[tool].title, found[other].title) == ("tool.py", "tool-2.py")
    before = desk.archive.dump()
    desk.archive.rebuild()
    assert desk.archive.dump() == before
    token = desk.archive.delete([note, tool])
    assert desk.found("lantern") == [sheet]
    desk.archive.restore(token)
    assert set(desk.found("lantern")) == {note, tool, sheet}


def test_notes_are_taken_in_beside_a_sound_of_the_same_name_and_stay_when_it_goes(desk: Desk) -> None:
    import mido

    tune = mido.MidiFile(tracks=[mido.MidiTrack([mido.Message("note_on", note=60)])])
    out, wave = io.BytesIO(), io.BytesIO()
    tune.save(file=out)
    with wavfile.open(wave, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 400)
    (piece,) = foreign_files.take_in(desk.archive, desk.chats, wave.getvalue(), "jig.wav")
    (notes,) = foreign_files.take_in(desk.archive, desk.chats, out.getvalue(), "jig.mid")
    assert desk.archive.file(notes).read_bytes() == out.getvalue()
    assert (desk.archive.item(notes).kind, desk.archive.item(notes).title) == ("notes", "jig")
    token = desk.archive.delete([piece])
    assert desk.found() == [notes]
    desk.archive.restore(token)
    desk.archive.rebuild()
    assert set(desk.found("jig")) == {piece, notes}


def desk_chat(messages: str) -> bytes:
    return json.dumps({"format": "atelier-chat/1", "title": "Old", "messages": json.loads(messages)}).encode()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"MZ", "x.exe"),
        (b"not a picture", "x.png"),
        (b"RIFF", "x.wav"),
        (b"\0\1\2", "x.txt"),
        (b"\xff\xfe\0\0x", "x.py"),
        (b"MThd", "x.mid"),
        (b"words", "x.midi"),
        (b"FROM scratch", "Dockerfile"),
    ],
)
def test_what_the_library_cannot_take_is_said(desk: Desk, data: bytes, name: str) -> None:
    with pytest.raises(StudioError):
        foreign_files.take_in(desk.archive, desk.chats, data, name)
    desk.archive.sync()
    assert desk.found() == []


def test_there_is_time_for_a_part_of_very_many_files_and_the_rest_comes_later(desk: Desk) -> None:
    desk.library.told = lambda _: None
    for seed in range(120):
        desk.picture("x", seed)
    calls = 1
    while not desk.archive.sync(0.0):
        calls += 1
    assert calls == 3
    assert desk.archive.page(Query(), count=True).count == 120


def test_killed_at_any_moment_nothing_is_lost_or_half() -> None:
    """Fifty rounds are `python bench/library_soak.py`."""
    line = [sys.executable, str(ROOT / "bench" / "library_soak.py"), "--rounds", "3", "--seed", "11"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)
    assert json.loads(done.stdout)["wrong"] == []
    assert json.loads(done.stdout)["rounds"] == 3
