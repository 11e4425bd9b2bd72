"""--out: where results go, and a place in a file that FILE:LINE:COL names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from terminals import Run

from studio.cli.position import around
from studio.errors import StudioError
from studio.recipes import recipe

# ---- --out


def test_out_may_be_a_file_and_stdout_has_its_path(run: Run, tmp_path: Path) -> None:
    result = run("image", "a", "--out", tmp_path / "new" / "a.png", "--width", 64, "--height", 64)
    assert result.out.splitlines() == [str(tmp_path / "new" / "a.png")]
    assert recipe.read_recipe((tmp_path / "new" / "a.png").read_bytes()) is not None


def test_several_results_are_numbered(run: Run, tmp_path: Path) -> None:
    run("image", "a", "-n", 3, "-o", tmp_path / "a.png", "--width", 64, "--height", 64, "--seed", 5)
    for name, seed in (("a.png", 5), ("a-2.png", 6), ("a-3.png", 7)):
        found = recipe.read_recipe((tmp_path / name).read_bytes())
        assert found is not None
        assert found["seed"] == seed


def test_out_may_be_a_folder_and_nothing_there_is_overwritten(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for _ in range(2):
        assert run("image", "a", "-o", f"{folder}/", "--width", 64, "--height", 64, "--seed", 5).code == 0
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    ("task", "name"),
    [("image", "a.jpg"), ("image", "a.webp"), ("image", "a.JPEG"), ("music", "a.flac"), ("music", "a.wav")],
)
def test_the_suffix_chooses_the_format_and_the_recipe_stays(run: Run, tmp_path: Path, task: str, name: str) -> None:
    size = ("--width", 64, "--height", 64) if task == "image" else ("--duration", 1)
    assert run(task, "a", *size, "-o", tmp_path / name, "--seed", 5).code == 0
    data = (tmp_path / name).read_bytes()
    magic = {".jpg": b"\xff\xd8", ".jpeg": b"\xff\xd8", ".webp": b"RIFF", ".flac": b"fLaC", ".wav": b"RIFF"}
    assert data.startswith(magic[Path(name).suffix.lower()])
    found = recipe.read_recipe(data)
    assert found is not None
    assert (found["task"], found["seed"]) == (task, 5)


def test_text_goes_to_the_file_and_not_to_stdout(run: Run, tmp_path: Path, code_file: Path, picture: Path) -> None:
    for word, argument in (("chat", "Hello"), ("code", f"{code_file}:2:12"), ("caption", picture)):
        path = tmp_path / f"{word}.out"
        result = run(word, argument, "--seed", 1, "-o", path)
        assert result.out == f"{path}\n"
        assert path.read_text() == run(word, argument, "--seed", 1, "--json").json["text"]
    folder = tmp_path / "folder"
    folder.mkdir()
    assert run("chat", "Hello", "--seed", 1, "-o", folder).out == f"{folder / 'chat-1.txt'}\n"


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX")
def test_the_file_gets_the_permissions_of_the_users_other_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    run("chat", "Hello", "-o", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "other").stat().st_mode
    (tmp_path / "a.txt").chmod(0o640)
    run("chat", "Hello", "-o", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="named pipes are POSIX")
def test_a_device_is_written_to_and_not_replaced(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert run("chat", "Hello", "-o", pipe).code == 0
    assert pipe.is_fifo()
    assert os.read(reader, 100).startswith(b"You asked: Hello")
    os.close(reader)


def test_a_place_that_cannot_be_written_is_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("chat", "Hello", "-o", tmp_path / "file" / "a.txt", "--json")
    assert (result.code, result.json["error"]["code"]) == (1, "cannot_write")


# ---- FILE:LINE:COL


@pytest.mark.parametrize(
    ("place", "before", "after"),
    [
        (":1:1", "", "ab\r\n\tc木d\n"),
        (":1:3", "ab", "\r\n\tc木d\n"),
        (":1", "ab", "\r\n\tc木d\n"),
        (":2:1", "ab\r\n", "\tc木d\n"),
        (":2:2", "ab\r\n\t", "c木d\n"),
        (":2:4", "ab\r\n\tc木", "d\n"),
        (":3:1", "ab\r\n\tc木d\n", ""),
        ("", "ab\r\n\tc木d\n", ""),
    ],
)
def test_a_place_splits_the_file_where_an_editor_shows_it(tmp_path: Path, place: str, before: str, after: str) -> None:
    path = tmp_path / "x.py"
    path.write_bytes("ab\r\n\tc木d\n".encode("utf-8-sig"))
    assert around(f"{path}{place}") == (before, after, "python")


@pytest.mark.parametrize("place", [":0:1", ":1:0", ":1:4", ":4:1", ":3:2", ":999999999:1", ":1:999999999"])
def test_a_place_outside_the_file_is_refused(tmp_path: Path, place: str) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(b"ab\r\nc\n")
    with pytest.raises(StudioError) as caught:
        around(f"{path}{place}")
    assert caught.value.code == "bad_position"


def test_a_file_name_may_hold_colons(tmp_path: Path) -> None:
    path = tmp_path / "a:1:2"
    path.write_text("x")
    assert around(str(path)) == ("x", "", "")
    assert around(f"{path}:1:1") == ("", "x", "")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_bytes(b"\xff\xfe")
    with pytest.raises(StudioError) as caught:
        around(str(tmp_path / "x.py"))
    assert caught.value.code == "not_text"


def test_of_a_huge_file_what_surrounds_the_place_is_taken(run: Run, tmp_path: Path) -> None:
    (tmp_path / "big.py").write_text("x = 1\n" * 500_000)
    result = run("code", f"{tmp_path / 'big.py'}:250000:1", "--json")
    assert result.code == 0
    assert result.json["recipe"]["parameters"]["prefix"].endswith("x = 1\n")
