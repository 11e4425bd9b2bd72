"""Zips of other programs: names in every encoding, names that some system does not allow, captions in other places."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from studio.tasks.caption import export, zip_names, zips
from studio.tasks.caption.run import Run
from studio.tasks.caption.runs import Desk, Manner


def zipped(path: Path, files: dict[bytes, bytes], extra: bytes = b"") -> Path:
    """A zip whose names are these bytes, without saying in which encoding they are."""
    with zipfile.ZipFile(path, "w") as packed:
        for number, data in enumerate(files.values()):
            info = zipfile.ZipInfo(f"{number:04}".ljust(len(list(files)[number]), "#"))
            info.extra = extra
            packed.writestr(info, data)
    raw = path.read_bytes()
    for number, name in enumerate(files):
        raw = raw.replace(f"{number:04}".ljust(len(name), "#").encode(), name)
    path.write_bytes(raw)
    return path


def unpacked(file: Path, into: Path) -> tuple[zips.Unpacked, list[str]]:
    into.mkdir()
    found = zips.unpack(file, into)
    return found, sorted(path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("utf-8", ["苹果.png", "苹果.txt", "café.png"]), ("gbk", ["苹果.png"]), ("cp932", ["表示.png"]),
        ("gbk", ["照片/新建 1.png", "猫.txt", "猫.png"]), ("cp932", ["りんご.png", "写真/桜の木.jpg"]),
        ("cp1252", ["Größe.png", "naïve.jpg", "señor.png"]), ("cp437", ["café.png", "Müller.png"]),
        ("cp1252", ["café.png"]), ("gbk", ["小.png"]), ("big5", ["蘋果.png"]),
        ("cp949", ["대한민국 서울.png", "고양이.png"]), ("cp1251", ["яблоко.png"]), ("cp866", ["яблоко.png"]),
    ],
)  # fmt: skip
def test_names_of_every_encoding_are_read(tmp_path: Path, encoding: str, names: list[str]) -> None:
    file = zipped(tmp_path / "a.zip", {name.encode(encoding): b"x" for name in names})
    found, files = unpacked(file, tmp_path / "out")
    assert files == sorted(names)
    assert not found.passed
    assert not found.renamed


def test_the_name_that_info_zip_puts_beside_counts_where_it_is_for_this_one(tmp_path: Path) -> None:
    for number, (told, wanted) in enumerate([(b"\xc6\xbb.png", "写真.png"), (b"other", "苹.png")]):
        body = b"\1" + struct.pack("<I", zlib.crc32(told)) + "写真.png".encode()
        extra = struct.pack("<HH", 0x7075, len(body)) + body
        file = zipped(tmp_path / f"{number}.zip", {b"\xc6\xbb.png": b"x"}, extra)
        assert unpacked(file, tmp_path / f"out{number}")[1] == [wanted]


def test_names_that_some_system_does_not_allow_are_changed_and_told(tmp_path: Path) -> None:
    names = {
        "Screenshot at 10:30:00.png": "Screenshot at 10_30_00.png", "a?.png": "a_-2.png", "a_.png": "a_.png",
        "Screenshot at 10:30:00.txt": "Screenshot at 10_30_00.txt", "CON.png": "_CON.png", "end. /b.png": "end/b.png",
        'q"<>|*.png': "q_____.png", "c:\\up.png": "c_/up.png", "ok.png": "ok.png",
    }  # fmt: skip
    file = zipped(tmp_path / "a.zip", {name.encode(): b"x" for name in names})
    found, files = unpacked(file, tmp_path / "out")
    assert files == sorted(names.values())
    assert dict(found.renamed) == {
        name.replace("\\", "/"): here for name, here in names.items() if here != name.replace("\\", "/")
    }


def test_a_name_that_is_too_long_is_made_shorter_and_keeps_its_ending() -> None:
    (made,) = zip_names.allowed(["很" * 200 + ".png"]).values()
    assert made.endswith("很.png")
    assert len(made.encode()) <= 200


def captioned(run: Run, said: dict[str, str]) -> None:
    with run.working():
        run.begin()
        for key in run.waiting():
            run.record(key, said[key])
        run.finish()


def test_captions_in_metadata_and_in_caption_files_count_as_captions(tmp_path: Path) -> None:
    listed = b'{"file_name":"a.png","text":"from jsonl","width":3}\n{"file_name":"c.png","caption":""}\n'
    file = zipped(tmp_path / "a.zip", {
        b"a.png": b"x", b"b.png": b"x", b"b.caption": b"hello", b"c.png": b"x", b"metadata.jsonl": listed,
        b"in/d.png": b"x", b"in/metadata.jsonl": b'{"file_name":"d.png","prompt":"inner"}\n',
    })  # fmt: skip
    run = Desk(tmp_path / "captions").of_files([file], Manner())
    with run.working():
        run.begin()
        assert run.waiting() == ("c.png",)
    assert [run.caption(key) for key in run.plan.keys] == ["from jsonl", "hello", "", "inner"]
    assert run.plan.passed == ()


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_what_is_written_stands_in_every_place_and_is_taken_back_from_it(tmp_path: Path, mode: str) -> None:
    root = tmp_path / "pictures"
    root.mkdir()
    listed = (
        b'{"file_name": "a.png", "text": "from jsonl", "tags": [1]}\r\n\nno json\n{"file_name": "z.png", "text": "z"}\n'
    )
    for name, data in {"a.png": b"", "b.png": b"", "b.caption": b"hello\n", "metadata.jsonl": listed}.items():
        (root / name).write_bytes(data)
    run = Desk(tmp_path / "captions").of_folder(root, Manner(mode=mode))  # type: ignore[arg-type]
    captioned(run, {"a.png": "a cat", "b.png": "a dog"})
    old = ("from jsonl, ", "hello, ") if mode == "append" else ("", "")
    assert (root / "a.txt").read_text() == old[0] + "a cat"
    assert (root / "b.caption").read_bytes() == (old[1] + "a dog\n").encode()
    assert not (root / "b.txt").exists()
    first, *others = (root / "metadata.jsonl").read_bytes().splitlines(keepends=True)
    assert json.loads(first) == {"file_name": "a.png", "text": old[0] + "a cat", "tags": [1]}
    assert first.endswith(b"\r\n")
    assert b"".join(others) == b'\nno json\n{"file_name": "z.png", "text": "z"}\n'
    with run.working():
        run.roll_back()
    assert (root / "metadata.jsonl").read_bytes() == listed
    assert (root / "b.caption").read_bytes() == b"hello\n"
    assert not (root / "a.txt").exists()


def test_a_dry_run_leaves_a_list_of_captions_alone(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"")
    listed = tmp_path / "pictures" / "metadata.jsonl"
    listed.write_text('{"file_name": "a.png", "text": "old"}')
    run = Desk(tmp_path / "captions").of_folder(tmp_path / "pictures", Manner(mode="append", dry=True))
    captioned(run, {"a.png": "a cat"})
    assert [(line.old, line.after) for line in run.lines() if line] == [("old", "old, a cat")]
    assert listed.read_text() == '{"file_name": "a.png", "text": "old"}'


def test_unzip_and_another_reader_find_in_our_zip_what_the_folder_holds(tmp_path: Path) -> None:
    program = shutil.which("unzip")
    assert program, "the tests read zips with unzip: apt-get install unzip"
    root = tmp_path / "pictures"
    root.mkdir()
    for name, data in {"苹果 1.png": b"PNG", "b.png": b"P", "b.caption": b"hello"}.items():
        (root / name).write_bytes(data)
    run = Desk(tmp_path / "captions").of_folder(root, Manner(mode="append"))
    captioned(run, {"苹果 1.png": "一个苹果", "b.png": "a dog"})
    export.as_zip(run, tmp_path / "out.zip")
    (tmp_path / "out").mkdir()
    subprocess.run([program, "-q", tmp_path / "out.zip", "-d", tmp_path / "out"], check=True)
    files = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    rows = [json.loads(line) for line in files.pop("metadata.jsonl").splitlines()]
    assert files == {
        "苹果 1.png": "PNG", "苹果 1.txt": "一个苹果", "b.png": "P", "b.caption": "hello, a dog",
    }  # fmt: skip
    assert rows == [{"file_name": "b.png", "text": "hello, a dog"}, {"file_name": "苹果 1.png", "text": "一个苹果"}]
