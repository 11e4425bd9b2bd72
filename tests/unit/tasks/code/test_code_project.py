"""A folder that a person opened: what of it is seen, and what stays of a file that is saved."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import StudioError
from studio.tasks.code import project, text_file
from studio.tasks.code.project import Hit, Project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "src" / "deep").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "src" / "main.py").write_text("import os\nprint(os.name)\n")
    (root / "src" / "deep" / "util.go").write_text("package util\n")
    (root / "notes.md").write_text("# Notes\n")
    (root / ".git" / "config").write_text("[core]\n")
    (tmp_path / "secret.py").write_text("KEY = 1\n")
    (root / "out.py").symlink_to(tmp_path / "secret.py")
    (root / "away").symlink_to(tmp_path)
    (root / "near.py").symlink_to(root / "src" / "main.py")
    return root


def code_of(act: object) -> str:
    with pytest.raises(StudioError) as caught:
        act()  # pyright: ignore
    return caught.value.code


def test_a_folder_is_listed_folders_first_and_links_that_lead_out_are_not_there(folder: Path) -> None:
    entries, more = Project(str(folder)).entries()
    assert [(one.path, one.folder) for one in entries] == [("src", True), ("near.py", False), ("notes.md", False)]
    assert not more
    assert [one.path for one in Project(str(folder)).entries("src")[0]] == ["src/deep", "src/main.py"]


@pytest.mark.parametrize(
    "file", ["../secret.py", "out.py", "away/secret.py", "/etc/passwd", "src/../../secret.py", "a\0b", "C:/x", "\\x"]
)
def test_nothing_outside_is_read_or_written(folder: Path, file: str) -> None:
    opened, before = Project(str(folder)), (folder.parent / "secret.py").read_bytes()
    assert code_of(lambda: opened.read(file)) == "bad_path"
    assert code_of(lambda: opened.save(file, "x", "")) == "bad_path"
    assert code_of(lambda: opened.entries(file)) in ("bad_path", "folder_not_found")
    assert (folder.parent / "secret.py").read_bytes() == before


@pytest.mark.parametrize("typed", ["", "  ", "relative", "/nowhere/at/all", "a\0b"])
def test_what_is_no_folder_is_said(typed: str) -> None:
    assert code_of(lambda: Project(typed)) == "folder_not_found"


def test_a_pipe_keeps_nobody_waiting(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "pipe" not in [one.path for one in Project(str(folder)).entries()[0]]
    assert code_of(lambda: Project(str(folder)).read("pipe")) == "file_not_found"


def test_a_search_finds_names_and_lines_and_leaves_out_what_is_outside(folder: Path) -> None:
    opened = Project(str(folder))
    assert opened.search("UTIL").hits == (Hit("src/deep/util.go"), Hit("src/deep/util.go", 1, "package util"))
    assert [hit.path for hit in opened.search("os.name").hits] == ["near.py", "src/main.py"]
    assert opened.search("KEY = 1").hits == ()
    assert opened.search("core").hits == ()
    assert opened.search("  ").hits == ()


def test_a_search_in_a_large_folder_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "MOST_FOUND", 1)
    assert Project(str(folder)).search("i").more
    monkeypatch.setattr(project, "LOOK_SECONDS", -1.0)
    assert Project(str(folder)).search("main") == project.Found((), True)
    monkeypatch.setattr(project, "MOST_ENTRIES", 1)
    assert Project(str(folder)).entries()[1]


def test_binary_and_huge_files_are_refused_in_a_sentence(folder: Path) -> None:
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (folder / "huge.py").write_bytes(b"x" * (project.MAX_BYTES + 1))
    (folder / "long.py").write_bytes(b"x" * 400_001)
    opened = Project(str(folder))
    assert code_of(lambda: opened.read("picture.png")) == "not_a_text_file"
    assert code_of(lambda: opened.read("huge.py")) == "file_too_large"
    assert code_of(lambda: opened.read("long.py")) == "too_long"


MIXED = b"one\r\ntwo\nthree\rfour\n\nlast"
FILES = [
    b"", b"a", b"a\n", b"\ta\r\n\tb\r\n", MIXED, b"\xef\xbb\xbfx = 1\r\n", "é = 'ü'\n".encode("cp1252"),
    "\ufeffa\r\nb".encode("utf-16-le"), "名 = '狐狸在森林里跑步'\r\n".encode("gb18030"), "x\x0cy\u2028z\n".encode(),
]  # fmt: skip


@pytest.mark.parametrize("data", FILES)
def test_a_file_that_is_saved_unchanged_is_the_same_to_the_byte(folder: Path, data: bytes) -> None:
    (folder / "a.py").write_bytes(data)
    opened = Project(str(folder))
    seen = opened.read("a.py")
    assert "\r" not in seen.text
    saved = opened.save("a.py", seen.text, seen.stamp)
    assert saved == seen
    assert (folder / "a.py").read_bytes() == data


@pytest.mark.parametrize("data", FILES)
def test_what_is_added_is_written_as_the_file_is(data: bytes) -> None:
    text = text_file.read(data, "a")
    made = text_file.written(data, f"new\n{text}", "a")
    assert text_file.read(made, "a") == f"new\n{text}"
    if data in (FILES[3], FILES[5]):
        assert b"\n" not in made.replace(b"\r\n", b"")
    if data == MIXED:
        assert made.endswith(MIXED[5:])


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "", "\t", "é"]), st.sampled_from(["\n", "\r\n", "\r"])), max_size=9)
)
def test_mixed_line_ends_stay_where_their_lines_do(lines: list[tuple[str, str]]) -> None:
    data = "".join(line + end for line, end in lines).encode()
    text = text_file.read(data, "a")
    assert text_file.written(data, text, "a") == data
    longer = text_file.written(data, text + "end", "a")
    assert text_file.read(longer, "a") == text + "end"


def test_git_sees_one_changed_line(folder: Path) -> None:
    """A reader of its own: what git calls changed is what was typed."""
    (folder / "a.txt").write_bytes(MIXED)
    base = folder / "src" / "base.txt"
    base.write_bytes(MIXED)
    opened = Project(str(folder))
    seen = opened.read("a.txt")
    opened.save("a.txt", seen.text.replace("two", "2"), seen.stamp)
    shown = subprocess.run(
        ["git", "diff", "--no-index", "--numstat", str(base), str(folder / "a.txt")], check=False, capture_output=True
    )
    assert shown.stdout.split()[:2] == [b"1", b"1"]


def test_a_sign_that_the_encoding_lacks_is_told_and_the_file_stays(folder: Path) -> None:
    data = "é = 'ü über naïve Grüße'\n".encode("cp1252")
    (folder / "a.py").write_bytes(data)
    opened = Project(str(folder))
    seen = opened.read("a.py")
    assert seen.text.startswith("é = 'ü")
    assert code_of(lambda: opened.save("a.py", seen.text + "狐", seen.stamp)) == "not_in_encoding"
    assert (folder / "a.py").read_bytes() == data


def test_a_file_that_others_changed_is_not_overwritten(folder: Path) -> None:
    opened = Project(str(folder))
    seen = opened.read("src/main.py")
    (folder / "src" / "main.py").write_text("theirs\n")
    assert opened.save("src/main.py", "mine\n", seen.stamp) is None
    assert (folder / "src" / "main.py").read_text() == "theirs\n"
    (folder / "src" / "main.py").unlink()
    assert opened.save("src/main.py", "mine\n", seen.stamp) is None
    assert opened.save("src/main.py", "mine\n", "") is not None
    assert opened.save("src/main.py", "again\n", "") is None
    assert (folder / "src" / "main.py").read_text() == "mine\n"


def test_permissions_and_a_link_within_stay(folder: Path) -> None:
    (folder / "src" / "main.py").chmod(0o750)
    opened = Project(str(folder))
    seen = opened.read("near.py")
    assert opened.save("near.py", seen.text + "# end\n", seen.stamp) is not None
    assert (folder / "near.py").is_symlink()
    assert (folder / "src" / "main.py").read_text().endswith("# end\n")
    assert (folder / "src" / "main.py").stat().st_mode & 0o777 == 0o750
    mask = os.umask(0o022)
    os.umask(mask)
    assert opened.save("new/file.py", "x\n", "") is not None
    assert (folder / "new" / "file.py").stat().st_mode & 0o777 == 0o666 & ~mask
