"""What a request may name of this machine's files, and what is read of that."""

import os
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from studio.errors import StudioError
from studio.service import Studio
from studio.settings import Settings
from studio.tasks.caption.runs import Desk
from tabs.caption import tab
from tabs.image import fields as image_fields
from tabs.image import import_settings
from tabs.music import input_audio
from tabs.shared import uploaded
from tabs.shared.context import Page


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads go."""
    place = tmp_path / "home" / "cache" / "gradio"
    place.mkdir(parents=True)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(place))
    return place


@pytest.fixture
def mine(folder: Path) -> Path:
    file = folder / "ab" / "mine.png"
    file.parent.mkdir()
    Image.new("RGB", (8, 8), "red").save(file)
    return file


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A picture of the owner's, outside of where uploads go."""
    file = tmp_path / "private.png"
    Image.new("RGB", (8, 8), "blue").save(file)
    return file


def hostile(folder: Path, others: Path) -> list[str]:
    """Everything that must not be opened. A pipe without a writer would wait for ever, /dev/zero never end."""
    (folder / "link.png").symlink_to(others)
    (folder / "way").symlink_to(others.parent)
    os.mkfifo(folder / "pipe.png")
    (folder / "drawer.png").mkdir()
    return [
        str(others), "/dev/zero", "/dev/ptmx", "/dev/stdin", "/proc/self/environ", "/etc/passwd", str(folder),
        f"{folder}/link.png", f"{folder}/way/{others.name}", f"{folder}/pipe.png", f"{folder}/drawer.png",
        f"{folder}/../../../{others.name}", f"{folder}/ab/../../../../{others.name}", f"{folder}-other/x.png",
        "http://127.0.0.1/x.png", "HTTPS://example.org/x", " http://127.0.0.1/x", "file:///etc/passwd",
        "ftp://127.0.0.1/x", "data:image/png;base64,AAAA", "//127.0.0.1/share/x", "\\\\127.0.0.1\\share\\x",
        "private.png", "../private.png", "~/x.png", f"{folder}/a\0b", "x" * 10_000,
    ]  # fmt: skip


def test_a_file_that_was_uploaded_is_read_in_every_form_that_a_component_sends(mine: Path) -> None:
    for form in (str(mine), {"path": str(mine)}, {"path": str(mine), "meta": {"_type": "gradio.FileData"}}):
        assert uploaded.read_upload(form) == mine.read_bytes()
    assert uploaded.read_upload(None) == uploaded.read_upload("") == uploaded.read_upload({}) == b""


def test_nothing_else_of_this_machine_is_opened(folder: Path, others: Path, mine: Path) -> None:
    assert uploaded.allowed(str(mine), folder)
    for name in hostile(folder, others):
        assert not uploaded.allowed(name, folder), name
        for form in (name, {"path": name}):
            with pytest.raises(StudioError) as refused:
                uploaded.read_upload(form)
            assert refused.value.code == "not_uploaded"


@pytest.mark.parametrize(
    "form", [["/dev/zero"], {"path": {"path": "/dev/zero"}}, 7, True, {"path": ["/dev/zero"]}], ids=str
)
def test_what_is_no_name_names_nothing(folder: Path, form: Any) -> None:
    with pytest.raises(StudioError):
        uploaded.read_upload(form)


def test_no_more_is_read_than_may_be(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = mine.stat().st_size
    assert len(uploaded.read_upload(str(mine), size)) == size
    with pytest.raises(StudioError) as refused:
        uploaded.read_upload(str(mine), size - 1)
    assert refused.value.code == "upload_too_large"
    true = os.fstat  # a file that grows after it was looked at
    monkeypatch.setattr(os, "fstat", lambda handle: os.stat_result((*true(handle)[:6], 1, *true(handle)[7:10])))
    with pytest.raises(StudioError):
        uploaded.read_upload(str(mine), size - 1)


def test_what_is_no_plain_file_any_more_when_it_is_opened_is_not_read(
    mine: Path, others: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploaded, "allowed", lambda name, folder: True)  # it was one when it was looked at
    for target in (others, Path("/dev/zero"), Path("/dev/ptmx")):
        mine.unlink()
        mine.symlink_to(target)
        with pytest.raises(StudioError) as refused:
            uploaded.read_upload(str(mine))
        assert refused.value.code == "not_uploaded"
    mine.unlink()
    os.mkfifo(mine)
    with pytest.raises(StudioError):
        uploaded.read_upload(str(mine))


def test_every_field_that_takes_a_file_looks_at_it_first(
    studio: Studio, folder: Path, others: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = gr.Request(session_hash="x")
    page = Page(studio, None)  # type: ignore[arg-type]
    monkeypatch.setattr(Studio, "hears", lambda *_: ("continue",))
    monkeypatch.setattr(Page, "captions", lambda *_: Desk(folder.parent / "captions"))
    fields: Any = type("F", (), {"picture": None, "_drawn": image_fields.Fields._drawn})()
    given = {
        "trigger": "", "replace": "", "ban": "", "token_limit": "", "mode": "skip", "recursive": False, "dry": True,
        "folder": "",
    }  # fmt: skip
    ways = {
        "sound": lambda file: input_audio.taken_sound(page, {"sound": file, "model": "m"}),
        "many": lambda file: tab._run(page, {**given, "files": [{"path": str(mine)}, file]}, asked),
        "alone": lambda file: tab._run(page, {**given, "files": file}, asked),
        "background": lambda file: fields._drawn({"background": file, "layers": []}),
        "layer": lambda file: fields._drawn({"background": {"path": str(mine)}, "layers": [file]}),
    }  # fmt: skip
    for name in hostile(folder, others):
        assert import_settings.Restoring.content(name) == b""
        for form in (name, {"path": name}):
            for way, run in ways.items():
                with pytest.raises(StudioError) as refused:
                    run(form)
                assert refused.value.code == "not_uploaded", way


def test_paths_are_found_however_deep_they_stand() -> None:
    message = {"data": [{"path": "a"}, [{"x": {"path": "b"}}], {"path": {"path": "c"}}, {"path": ["d", {"path": "e"}]}]}
    asked: list[str] = []
    clean = uploaded.harmless(message, lambda name: bool(asked.append(name)) or name == "a", Path("/none"))
    assert asked == ["a", "b", "c", "e"]
    assert clean["data"][:3] == [{"path": "a"}, [{"x": {"path": "/none"}}], {"path": {"path": "/none"}}]
    assert clean["data"][3] == {"path": ["d", {"path": "/none"}]}
    deep: Any = {"path": "x"}
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        uploaded.harmless(deep, bool, Path())


def test_visitors_keep_their_conversations_apart(tmp_path: Path) -> None:
    with Studio(Settings(demo=True, profile="space", home=tmp_path, _env_file=None)) as studio:  # pyright: ignore
        page = Page(studio, None)  # type: ignore[arg-type]
        asked = [gr.Request(session_hash=name, headers={}, cookies={}) for name in ("a", "b", "a b", "")]
        folders = {page.chats(one)._folder for one in asked}
        assert len(folders) == 4
        assert len({page.captions(one)._root for one in asked}) == 4
