"""Files are written whole or not at all, and nothing but a file is opened."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from studio import paths
from studio.errors import StudioError
from studio.tasks.caption import folder


def test_only_a_regular_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    for name in ("link", "pipe", "folder", "socket", "nothing"):
        with pytest.raises(OSError, match=name):
            paths.opened(tmp_path / name)
    with pytest.raises(OSError, match="zero"):
        paths.opened(Path("/dev/zero"))
    with paths.opened(tmp_path / "file") as file:
        assert file.read() == b"data"


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_caption_or_picture_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(StudioError) as caught:
        folder.read_caption(tmp_path, "a.png")
    assert caught.value.code == "caption_unreadable"
    with pytest.raises(StudioError) as caught:
        folder.read_picture(tmp_path, "a.png", 100)
    assert caught.value.code == "file_not_found"


def test_a_file_keeps_its_permissions_and_a_link_swapped_in_does_not_pass_them_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, secret = tmp_path / "shared.txt", tmp_path / "secret"
    shared.touch()
    shared.chmod(0o644)
    secret.touch()
    secret.chmod(0o600)
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        real(source, target)
        target.unlink()
        target.symlink_to(secret)

    paths.put_file(shared, b"words")
    assert stat.S_IMODE(shared.stat().st_mode) == 0o644
    monkeypatch.setattr(paths.os, "replace", replace)
    paths.put_file(shared, b"words")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
