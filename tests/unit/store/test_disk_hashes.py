"""Hashes of checkpoints: read once, in the background, kept for as long as the file is the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from studio.store.disk.hashes import ModelHashes


def test_a_file_is_read_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"one")
    hashes = ModelHashes(tmp_path / "kept.json")
    assert hashes.short(file) == ""
    assert hashes.now(file) == hashlib.sha256(b"one").hexdigest()[:10]
    state = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))  # same size and time: taken to be the same
    again = ModelHashes(tmp_path / "kept.json")
    assert again.short(file) == hashlib.sha256(b"one").hexdigest()[:10]
    os.utime(file, ns=(1, 1))
    assert again.short(file) == ""
    assert again.now(file) == hashlib.sha256(b"two").hexdigest()[:10]
    assert again.named(hashlib.sha256(b"two").hexdigest()[:10]) == file
    assert again.named("3fc4") is None


def test_the_background_reads_what_is_asked_and_ends_when_it_is_told(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.safetensors" for number in range(5)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 1000)
    hashes = ModelHashes(tmp_path / "kept.json")
    hashes.ask([*files, tmp_path / "nothing.safetensors"])
    if worker := hashes._worker:
        worker.join(10)
    assert all(hashes.short(file) for file in files)
    hashes.close()
    files[0].write_bytes(b"changed")
    hashes.ask(files)
    assert hashes.short(files[0]) == ""


def test_a_list_that_is_damaged_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text('{"a": [1]}')
    (tmp_path / "a").write_bytes(b"x")
    assert ModelHashes(tmp_path / "kept.json").now(tmp_path / "a") == hashlib.sha256(b"x").hexdigest()[:10]
