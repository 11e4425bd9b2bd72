"""What visitors of a public studio leave, and when it goes."""

import io
import os
import time
import zipfile
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.library import expiry
from studio.paths import Home, occupied
from studio.tasks.caption import runs, zips
from studio.tasks.caption.runs import Desk, Manner


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def left(file: Path, hours: float, nbytes: int = 10) -> Path:
    """A file that was written so many hours ago."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes(nbytes))
    os.utime(file, (then := time.time() - hours * 3600, then))
    os.utime(file.parent, (then, then))
    return file


def test_outputs_of_strangers_go_after_a_while(home: Home) -> None:
    old = left(home.outputs / "image" / "2020-01-01" / "a.png", 7)
    new = left(home.outputs / "image" / "2020-01-02" / "b.png", 5)
    expiry.tidy(home, home.cache / "sessions")
    assert (old.exists(), old.parent.exists(), new.exists(), home.outputs.exists()) == (False, False, True, True)


def test_of_more_outputs_than_there_is_room_for_the_oldest_go(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "OUTPUTS_BYTES", 25)
    files = [left(home.outputs / "music" / f"{n}.wav", 1 - n / 10) for n in range(4)]
    expiry.tidy(home, home.cache / "sessions")
    assert [file.exists() for file in files] == [False, False, True, True]


def test_conversations_of_strangers_go_two_hours_after_their_page_was_last_there(home: Home) -> None:
    sessions = home.cache / "sessions"
    gone, talking = left(sessions / "a" / "x.json", 2.1), left(sessions / "b" / "x.json", 25)
    left(sessions / "b" / "y.json", 1)
    expiry.tidy(home, home.cache / "sessions")
    assert (gone.parent.exists(), talking.exists()) == (False, True)


def test_links_are_removed_and_never_followed(home: Home, tmp_path: Path) -> None:
    outside = left(tmp_path / "elsewhere" / "keep.txt", 100)
    (home.outputs / "way").symlink_to(outside.parent)
    (home.outputs / "link.png").symlink_to(outside)
    (home.cache / "sessions").mkdir()
    (home.cache / "sessions" / "way").symlink_to(outside.parent)
    expiry.tidy(home, home.cache / "sessions")
    assert outside.exists()


def zipped(file: Path, names: int, size: int) -> Path:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(names):
            made.writestr(f"{number}.png", bytes(size))
    file.write_bytes(packed.getvalue())
    return file


def test_a_strangers_zip_of_nothing_does_not_swell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SWELLS_LEAST", 50_000)
    file = zipped(tmp_path / "z.zip", 5, 40_000)
    with pytest.raises(StudioError) as refused:
        Desk(tmp_path / "theirs", public=True).of_files([file], Manner())
    assert refused.value.code == "zip_too_large"
    assert occupied(tmp_path / "theirs") == 0
    assert len(Desk(tmp_path / "mine").of_files([file], Manner()).plan.keys) == 5


def test_a_picture_in_a_strangers_zip_is_no_larger_than_one_that_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MAX_IMAGE_BYTES_PUBLIC", 1000)
    monkeypatch.setattr(zips, "MAX_IMAGE_BYTES", 5000)
    file = zipped(tmp_path / "z.zip", 1, 2000)
    assert Desk(tmp_path / "mine").of_files([file], Manner()).plan.keys
    with pytest.raises(StudioError) as refused:
        Desk(tmp_path / "theirs", public=True).of_files([file], Manner())
    assert refused.value.code == "no_readable_pictures"
