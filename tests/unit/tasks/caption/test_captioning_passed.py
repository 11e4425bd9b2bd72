"""Every file of a folder that is not captioned is named, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from studio.errors import StudioError
from studio.i18n import text
from studio.tasks.caption import folder
from studio.tasks.caption.runs import Desk, Manner


def test_every_file_is_a_picture_a_caption_or_named(tmp_path: Path) -> None:
    contents = {
        "a.png": b"", "a.txt": b"words", "b.bmp": b"", "c.TIFF": b"", "d.jfif": b"", "e.avif": b"", "f.heic": b"",
        "f.caption": b"", "metadata.jsonl": b"{}", "g.jxl": b"\xff\x0a", "h.svg": b"<svg>", "i.cr2": b"II*\0",
        "j": b"\xff\xd8\xff\xe0", "k.dat": b"%PDF", "notes.txt": b"alone", "model.safetensors": b"x",
        "sub/inner.png": b"", ".hidden": b"", ".DS_Store": b"", "Thumbs.db": b"", "._a.png": b"", "desktop.ini": b"",
        "__MACOSX/._a.png": b"",
    }  # fmt: skip
    for name, data in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    found = folder.find_pictures(tmp_path)
    assert found.keys == ("a.png", "b.bmp", "c.TIFF", "d.jfif", "e.avif", "f.heic")
    assert {one.key: (one.why, one.params.get("kind")) for one in found.passed} == {
        "g.jxl": ("picture_format", "JPEG XL"), "h.svg": ("picture_format", "SVG"),
        "i.cr2": ("picture_format", "Canon RAW"), "j": ("picture_ending", "JPEG"), "k.dat": ("picture_format", "PDF"),
        "notes.txt": ("caption_alone", None), "model.safetensors": ("not_a_picture", None),
        "sub/": ("caption_folder", None),
    }  # fmt: skip
    for language in ("en", "zh-CN"):
        for one in found.passed:
            assert "{" not in one.error.what(language)
            assert one.error.what(language) != text(f"error.{one.why}", language)


def test_a_folder_of_nothing_but_pictures_that_cannot_be_read_names_them(tmp_path: Path) -> None:
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a")
    with pytest.raises(StudioError) as caught:
        folder.find_pictures(tmp_path)
    assert caught.value.code == "no_readable_pictures"
    assert "a.jxl" in caught.value.what()
    with pytest.raises(StudioError) as caught:
        Desk(tmp_path / "captions").of_files([tmp_path / "a.jxl"], Manner())
    assert "a.jxl" in caught.value.what()


def test_of_a_thousand_other_files_the_first_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"{number}.log").touch()
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    passed = folder.find_pictures(tmp_path).passed
    assert len(passed) == 501
    assert [one.params for one in passed if one.why == "more_files"] == [{"count": 100}]
