"""Stars are lines of a text file: given, taken, and never the reason for an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.library.favourites import NAME, Stars


def test_a_star_is_given_and_taken_and_found_by_the_next_program(tmp_path: Path) -> None:
    stars = Stars(tmp_path)
    assert stars.turn("music/2026-01-31/120000-a-reel-7.wav") is True
    assert stars.turn("music/b.wav") is True
    assert stars.turn("music/2026-01-31/120000-a-reel-7.wav") is False
    assert Stars(tmp_path).all() == {"music/b.wav"}
    assert (tmp_path / NAME).read_text(encoding="utf-8") == "music/b.wav\n"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\n\n"])
def test_a_broken_file_means_no_stars(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert Stars(tmp_path).all() == frozenset()
    assert Stars(tmp_path).turn("a.wav") is True


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file where the folder should be")
    with pytest.raises(StudioError):
        Stars(tmp_path / "outputs").turn("a.wav")
