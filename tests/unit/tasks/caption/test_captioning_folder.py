"""Which pictures a folder or a zip holds: natural order, nothing through links, no bombs, nothing outside."""

from __future__ import annotations

import contextlib
import os
import zipfile
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.tasks.caption import folder, zips
from studio.tasks.caption.runs import Desk, Manner, forget


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def zipped(path: Path, entries: dict[str, bytes], **how: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries.items():
            packed.writestr(zipfile.ZipInfo(name) if how else name, data)
    return path


def refused(file: Path, into: Path, **limits: int) -> str:
    into.mkdir(exist_ok=True)
    with pytest.raises(StudioError) as error:
        zips.unpack(file, into, **limits)
    return error.value.code


def test_pictures_come_in_natural_order_with_sub_folders_after_the_numbers(tmp_path: Path) -> None:
    touch(
        tmp_path, "10.png", "9.PNG", "b/2.jpg", "b/10.jpg", "a.webp", "B.gif", "notes.txt", ".hidden.png", ".git/x.png"
    )
    assert folder.find_pictures(tmp_path, recursive=True).keys == (
        "9.PNG",
        "10.png",
        "a.webp",
        "B.gif",
        "b/2.jpg",
        "b/10.jpg",
    )
    assert folder.find_pictures(tmp_path).keys == ("9.PNG", "10.png", "a.webp", "B.gif")


def test_of_two_pictures_with_one_caption_file_the_first_is_taken_and_the_other_named(tmp_path: Path) -> None:
    touch(tmp_path, "cat.jpg", "cat.png", "dog.png")
    found = folder.find_pictures(tmp_path)
    assert found.keys == ("cat.jpg", "dog.png")
    assert found.passed == (folder.Passed("cat.png", "caption_shared"),)


def test_links_are_passed_over_wherever_they_lead(tmp_path: Path) -> None:
    touch(tmp_path / "away", "secret.png")
    touch(tmp_path / "here", "own.png")
    (tmp_path / "here" / "link.png").symlink_to(tmp_path / "away" / "secret.png")
    (tmp_path / "here" / "folder").symlink_to(tmp_path / "away")
    found = folder.find_pictures(tmp_path / "here", recursive=True)
    assert found.keys == ("own.png",)
    assert found.passed == (folder.Passed("folder", "caption_link"), folder.Passed("link.png", "caption_link"))
    for key in ("link.png", "folder/secret.png", "../away/secret.png"):
        with pytest.raises(StudioError) as error:
            folder.read_picture(tmp_path / "here", key, 100)
        assert error.value.code == "caption_link"


def test_a_folder_that_becomes_a_link_later_is_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "here/inner/own.png", "away/own.png")
    assert folder.find_pictures(tmp_path / "here", recursive=True).keys == ("inner/own.png",)
    os.rename(tmp_path / "here" / "inner", tmp_path / "elsewhere")
    (tmp_path / "here" / "inner").symlink_to(tmp_path / "away")
    with pytest.raises(StudioError):
        folder.place(tmp_path / "here", "inner/own.txt")


def test_names_that_cannot_be_written_on_a_line_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "fine.png", "two\nlines.png")
    with contextlib.suppress(OSError):  # some file systems refuse it
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).touch()
    found = folder.find_pictures(tmp_path)
    assert found.keys == ("fine.png",)
    assert {one.why for one in found.passed} == {"caption_name"}


@pytest.mark.parametrize(("names", "code"), [((), "no_pictures"), (("a.txt",), "no_pictures")])
def test_a_folder_without_pictures_is_a_clear_error(tmp_path: Path, names: tuple[str, ...], code: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(StudioError) as error:
        folder.find_pictures(tmp_path)
    assert error.value.code == code


def test_too_many_pictures_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, *[f"{number}.png" for number in range(4)])
    with pytest.raises(StudioError) as error:
        folder.find_pictures(tmp_path, most=3)
    assert error.value.code == "too_many_pictures"


# Zips


def test_pictures_and_their_captions_are_taken_out_of_a_zip_and_nothing_else(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", {
        "one.png": b"1", "in/two.jpg": b"2", "in/two.txt": b"words", "run.sh": b"x", "__MACOSX/._one.png": b"x",
        ".hidden/x.png": b"x", "inner.zip": b"PK\3\4", "in/.DS_Store": b"x", "Thumbs.db": b"x",
    })  # fmt: skip
    (tmp_path / "out").mkdir()
    assert zips.unpack(file, tmp_path / "out").passed == [
        folder.Passed("run.sh", "not_a_picture"), folder.Passed("inner.zip", "picture_format", {"kind": "ZIP"}),
    ]  # fmt: skip
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert found == ["in/two.jpg", "in/two.txt", "one.png"]


@pytest.mark.parametrize("name", ["../up.png", "/root.png", "a/../../up.png", "..\\up.png"])
def test_names_that_lead_elsewhere_refuse_the_zip(tmp_path: Path, name: str) -> None:
    file = zipped(tmp_path / "a.zip", {"fine.png": b"1", name: b"2"})
    assert refused(file, tmp_path / "out") == "bad_zip"
    assert not (tmp_path / "up.png").exists()


def test_a_link_in_a_zip_is_passed_over(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(link, "/etc/passwd")
    (tmp_path / "out").mkdir()
    assert zips.unpack(tmp_path / "a.zip", tmp_path / "out").passed == [folder.Passed("link.png", "caption_link")]
    assert not list((tmp_path / "out").iterdir())


def test_a_bomb_is_stopped_by_what_comes_out_not_by_what_it_says(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", {f"{number}.png": bytes(4_000_000) for number in range(5)})
    assert file.stat().st_size < 50_000
    assert refused(file, tmp_path / "out", most_bytes=10_000_000) == "zip_too_large"
    written = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert written <= 10_000_000
    data = bytearray(file.read_bytes())
    at = data.find(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")  # says ten bytes
    file.write_bytes(data)
    assert refused(file, tmp_path / "out2", most_bytes=10_000_000) in ("bad_zip", "zip_too_large")


def test_one_picture_that_is_too_large_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MAX_IMAGE_BYTES", 1000)
    file = zipped(tmp_path / "a.zip", {"big.png": bytes(2000), "small.png": b"x"})
    (tmp_path / "out").mkdir()
    assert [(one.key, one.why) for one in zips.unpack(file, tmp_path / "out").passed] == [("big.png", "file_too_large")]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small.png"]


def test_a_zip_with_an_endless_list_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = zipped(tmp_path / "a.zip", {"a.png": b"x"})
    data = bytearray(file.read_bytes())
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = (1 << 30).to_bytes(4, "little")
    file.write_bytes(data)
    assert refused(file, tmp_path / "out") == "zip_too_large"


def test_damaged_and_locked_zips_are_clear_errors(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.zip", {"a.png": b"abc" * 1000, "b.png": b"x"}).read_bytes()
    for number, data in enumerate((b"", b"PK", whole[:-30], whole.replace(b"\x4b\x03\x04", b"\x4b\x03\x05", 1))):
        (tmp_path / f"{number}.zip").write_bytes(data)
        assert refused(tmp_path / f"{number}.zip", tmp_path / f"out{number}") == "bad_zip"
    locked = bytearray(whole)
    locked[locked.find(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    assert refused(tmp_path / "locked.zip", tmp_path / "out-locked") == "zip_locked"
    twisted = zipped(tmp_path / "t.zip", {"a.png": b"x", "a.png/b.png": b"y"})
    assert refused(twisted, tmp_path / "out-twisted") == "bad_zip"


# Sent files


def test_files_of_one_name_are_both_kept_and_texts_lie_beside_their_pictures(tmp_path: Path) -> None:
    touch(tmp_path, "1/cat.png", "2/cat.png", "3/cat.txt")
    (tmp_path / "4").mkdir()
    (tmp_path / "4/notes.pdf").write_bytes(b"%PDF-1.7")
    sent = [tmp_path / "1/cat.png", tmp_path / "2/cat.png", tmp_path / "3/cat.txt", tmp_path / "4/notes.pdf"]
    run = Desk(tmp_path / "captions").of_files(sent, Manner())
    assert run.plan.keys == ("cat.png", "cat-2.png")
    assert run.caption("cat.png") == "x"
    assert run.plan.passed == (folder.Passed("notes.pdf", "picture_format", {"kind": "PDF"}),)


def test_what_cannot_be_taken_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    with pytest.raises(StudioError):
        Desk(tmp_path / "captions").of_files([tmp_path / "bad.zip"], Manner())
    assert not list((tmp_path / "captions").iterdir())


def test_of_runs_whose_pictures_were_sent_the_oldest_go(tmp_path: Path) -> None:
    touch(tmp_path, "cat.png")
    desk = Desk(tmp_path / "captions")
    for _ in range(8):
        desk.of_files([tmp_path / "cat.png"], Manner())
    assert len(desk.ids()) == 5


def test_what_strangers_sent_goes_after_a_while_and_what_is_no_run_stays(tmp_path: Path) -> None:
    touch(tmp_path, "cat.png", "captions/notes/x")
    desk = Desk(tmp_path / "captions", public=True)
    old, new = (desk.of_files([tmp_path / "cat.png"], Manner()).place for _ in range(2))
    os.utime(old, (1, 1))
    forget((tmp_path / "captions").glob("*"), 60)
    assert {place.name for place in (tmp_path / "captions").iterdir()} == {new.name, "notes"}
