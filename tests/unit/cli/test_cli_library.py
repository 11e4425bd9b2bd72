"""`library` on the command line: every word, what it prints, and its exit codes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.cli.words import main


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STUDIO_DEMO", "1")
    monkeypatch.setenv("STUDIO_LANGUAGE", "en")
    monkeypatch.setenv("STUDIO_KEEP_FREE_GB", "0")

    def run(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main(list(words)) == code
        told = capsys.readouterr()
        return json.loads(told.out) if "--json" in words else told.out + told.err

    return run


def test_the_whole_way_of_a_picture(run: Any, tmp_path: Path) -> None:
    run("image", "a red fox 红狐狸", "--seed", "5")
    run("caption", str(next((tmp_path / "home" / "outputs" / "image").rglob("*.png"))))
    (item,) = run("library", "search", "狐狸", "--json")["items"]
    assert item["task"] == "image"
    assert item["id"] in run("library", "list")
    assert len(run("library", "list", "--json")["items"]) == 2
    assert run("library", "list", "--task", "music", "--json")["items"] == []
    assert run("library", "list", "--until", "2020-01-01", "--json")["items"] == []
    run("library", "star", item["id"])
    run("library", "tag", item["file"], "--add", "best")  # a path does as well
    run("library", "collect", item["id"], "--add", "Foxes")
    assert "for the cover" in run("library", "note", item["id"], "for the cover")
    (marked,) = run("library", "list", "--starred", "--tag", "best", "--collection", "Foxes", "--json")["items"]
    assert marked["note"] == "for the cover"

    packed = run("library", "export", "--search", "fox", "--out", str(tmp_path / "x.zip"), "--json")
    assert packed["items"] == 1
    with zipfile.ZipFile(tmp_path / "x.zip") as inside:
        assert "contact-sheet.jpg" in inside.namelist()
        assert inside.testzip() is None
    run("library", "export", item["id"], "--form", "imagefolder", "--out", str(tmp_path))
    (folder,) = tmp_path.glob("atelier-imagefolder-*.zip")
    with zipfile.ZipFile(folder) as inside:
        (line,) = inside.read("metadata.jsonl").decode().splitlines()
    caption = next((tmp_path / "home" / "outputs" / "caption").rglob("*.txt")).read_text()
    assert json.loads(line)["text"] == caption

    token = run("library", "delete", item["id"], "--json")["token"]
    assert token in run("library", "trash")
    assert run("library", "search", "狐狸", "--json")["items"] == []
    assert run("library", "restore", "--json")["restored"] == [item["id"]]
    assert run("library", "rebuild", "--json")["items"] == 2
    assert run("library", "search", "狐狸", "--json")["items"][0]["tags"] == ["best"]


def test_files_from_elsewhere(run: Any, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "photo.jpg")
    (id,) = run("library", "import", str(tmp_path / "photo.jpg"), "--json")["imported"]
    assert run("library", "list", "--json")["items"][0]["id"] == id


def test_making_room_says_first_what_would_go(run: Any) -> None:
    for seed in ("1", "2", "3"):
        run("image", "hills", "--seed", seed)
    items = run("library", "list", "--json")["items"]
    run("library", "star", items[-1]["id"])
    dry = run("library", "clean", "--outputs", "0.000000001", "--dry-run", "--json")
    assert set(dry["to_trash"]) == {item["id"] for item in items[:-1]}
    assert len(run("library", "list", "--json")["items"]) == 3
    assert "restore" in run("library", "clean", "--outputs", "0.000000001")
    assert [item["id"] for item in run("library", "list", "--json")["items"]] == [items[-1]["id"]]
    trashed = run("library", "space", "--json")["parts"]["trash"]["bytes"]
    assert trashed > 0
    assert run("library", "clean", "--trash", "--dry-run", "--json")["freed_bytes"] == trashed
    assert run("library", "clean", "--trash", "--json")["freed_bytes"] == trashed
    assert run("library", "trash", "--json")["trash"] == []
    assert "Outputs" in run("library", "space")


@pytest.mark.parametrize(
    "words",
    [("list", "--task", "poems"), ("list", "--since", "noon"), ("export", "--form", "tar", "--out", "x"), ("clean",)],
)  # fmt: skip
def test_wrong_usage_is_said(run: Any, words: tuple[str, ...]) -> None:
    run("library", *words, code=2)


@pytest.mark.parametrize(
    "words",
    [("star", "image/none.png"), ("restore", "none"), ("restore",), ("delete", "../x"), ("import", "nowhere.png")],
)
def test_what_is_not_there_is_said(run: Any, words: tuple[str, ...]) -> None:
    assert "Traceback" not in run("library", *words, code=1)


def test_a_public_studio_has_none(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_PROFILE", "space")
    run("library", "list", code=1)
