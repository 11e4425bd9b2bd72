"""What was dropped is found by its name and size, among the folders where it may lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.store.disk import dropped


def test_the_file_of_that_size_is_found_and_the_nearest_first(tmp_path: Path) -> None:
    for folder, size in (("a/b", 5), ("a/b/c", 7), (".hidden", 7), ("z", 7)):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "one.safetensors").write_bytes(bytes(size))
    assert dropped.find("one.safetensors", 7, [tmp_path]) == tmp_path / "z" / "one.safetensors"
    assert dropped.find("one.safetensors", 7, [tmp_path / "a", tmp_path]) == tmp_path / "a/b/c/one.safetensors"
    assert dropped.find("c", None, [tmp_path]) == tmp_path / "a/b/c"
    for name, size in (("one.safetensors", 6), ("two.safetensors", 7), ("one.safetensors", None), ("../a", None)):
        with pytest.raises(StudioError) as refused:
            dropped.find(name, size, [tmp_path, tmp_path / "none"])
        assert refused.value.code == "dropped_unfound"


def test_a_circle_of_links_and_a_look_that_takes_long_come_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "again").symlink_to(tmp_path, target_is_directory=True)
    for seconds in (8.0, -1.0):
        with pytest.raises(StudioError):
            dropped.find("x", 1, [tmp_path, tmp_path / "in"], seconds)
