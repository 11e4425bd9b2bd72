"""Input pictures by their hash: kept once, found again, the oldest gone first; and the texts in folders."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.library.inputs import Inputs
from studio.tasks.image.wordlists import Wordlists


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_was_kept_is_found_by_its_hash(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path / "inputs")
    assert inputs.keep(b"one") == sha(b"one")
    assert inputs.find(sha(b"one")) == b"one"
    assert inputs.find(sha(b"two")) is None


def test_the_same_picture_is_kept_once(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path)
    inputs.keep(b"one")
    inputs.keep(b"one")
    assert [file.name for file in tmp_path.iterdir()] == [sha(b"one")]


def test_who_deletes_every_output_of_a_picture_has_deleted_the_picture_too(tmp_path: Path) -> None:
    outputs, inputs = tmp_path / "outputs", Inputs(tmp_path / "inputs")
    for day, name in (("image/2026-01-31", "a.png"), ("image/2026-01-31", "b.png"), ("music/2026-02-01", "c.wav")):
        (outputs / day).mkdir(parents=True, exist_ok=True)
        (outputs / day / name).touch()
    deleted, kept, moved, failed = (inputs.keep(data) for data in (b"deleted", b"kept", b"moved", b"failed"))
    earlier = inputs.keep(b"from before uses were noted")
    inputs.note(b"deleted", ["image/2026-01-31/gone.png"])
    inputs.note(b"kept", ["image/2026-01-31/gone.png", "image/2026-01-31/a.png"])
    inputs.note(b"moved", ["image/2026-01-31/b.png"])
    inputs.note(b"failed", [])
    (outputs / "image/best").mkdir()
    (outputs / "image/2026-01-31/b.png").rename(outputs / "image/best/b.png")
    inputs.clear(outputs)
    assert [name for name in (deleted, kept, moved, failed, earlier) if inputs.find(name)] == [kept, moved, earlier]


@pytest.mark.parametrize("name", ["", "../x", "A" * 64, sha(b"one") + "\n", "/etc/passwd", None, 7])
def test_only_a_hash_is_looked_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(b"secret")
    assert Inputs(tmp_path / "inputs").find(name) is None


def test_a_file_that_was_changed_is_not_the_picture_any_more(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path)
    name = inputs.keep(b"one")
    (tmp_path / name).write_bytes(b"two")
    assert inputs.find(name) is None
    inputs.keep(b"one")
    assert inputs.find(name) == b"one"


def test_the_ones_used_longest_ago_make_room(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path, most=250)
    names = []
    for number in range(2):
        names.append(inputs.keep(bytes([number]) * 100))
        os.utime(tmp_path / names[-1], (number, number))
    inputs.keep(bytes([0]) * 100)  # used again
    third = inputs.keep(b"c" * 100)
    assert inputs.find(names[0]) is not None
    assert inputs.find(names[1]) is None
    assert inputs.find(third) is not None


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"n" * 1000)
    inputs = Inputs(tmp_path, most=10)
    inputs.keep(b"c" * 100)
    assert (tmp_path / "notes.txt").exists()


def test_nobody_else_reads_them(tmp_path: Path) -> None:
    Inputs(tmp_path / "inputs").keep(b"one")
    assert os.name == "nt" or stat.S_IMODE((tmp_path / "inputs").stat().st_mode) & 0o077 == 0


# Texts in folders


def test_the_first_folder_wins_and_both_are_listed(tmp_path: Path) -> None:
    for folder, name in (("mine", "ink"), ("mine", "animals/cats"), ("ours", "ink"), ("ours", "wash")):
        file = tmp_path / folder / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{folder} {name}", encoding="utf-8")
    lists = Wordlists(tmp_path / "mine", tmp_path / "ours")
    assert lists.names() == ("animals/cats", "ink", "wash")
    assert lists.text("ink") == "mine ink"
    assert lists.text("wash") == "ours wash"
    assert lists.text("animals/cats") == "mine animals/cats"
    assert lists.text("nothing") is None


def test_a_text_that_was_changed_is_read_again(tmp_path: Path) -> None:
    lists = Wordlists(tmp_path)
    (tmp_path / "ink.txt").write_text("one")
    assert lists.text("ink") == "one"
    (tmp_path / "ink.txt").write_text("two words")
    assert lists.text("ink") == "two words"
    (tmp_path / "ink.txt").unlink()
    assert lists.text("ink") is None


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "a/../../secret", "a//b", "", "a\0b", ".hidden", "x" * 500]
)
def test_no_name_leads_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "lists").mkdir()
    assert Wordlists(tmp_path / "lists").text(name) is None


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00cat")
    (tmp_path / "mark.txt").write_bytes("\ufeffcat".encode())
    lists = Wordlists(tmp_path, tmp_path / "missing")
    assert "cat" in (lists.text("bad") or "")
    assert lists.text("mark") == "cat"


def test_a_name_that_was_mistyped_is_answered_with_those_near_it(tmp_path: Path) -> None:
    for name in ("watercolour", "ink", "photo"):
        (tmp_path / f"{name}.txt").write_text("x")
    lists = Wordlists(tmp_path)
    assert lists.near("watercolor") == "watercolour"
    assert lists.near("qqqq") == "ink, photo, watercolour"
    assert Wordlists().near("x") == "–"


def test_keeping_leaves_the_disk_its_space(tmp_path: Path) -> None:
    with pytest.raises(StudioError) as caught:
        Inputs(tmp_path, keep_free=10**18).keep(b"one")
    assert caught.value.code == "no_space"
    assert list(tmp_path.iterdir()) == []
