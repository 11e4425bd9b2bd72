"""One file over HTTP arrives whole, or not at all, and nothing that arrived is asked for twice."""

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving

from studio.errors import Cancelled, StudioError
from studio.store import download as module
from studio.store import http
from studio.store.download import BrokenError, DamagedError, RefusedError, UnreachableError, Wanted, download, explained

BODY = bytes(range(256)) * 2000
HALF = len(BODY) // 2


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(module, "WAITS", (0.0, 0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as server:
        server.files["/model"] = BODY
        yield server


def wanted(server: FileServer, **changes: object) -> Wanted:
    known = {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest(), **changes}
    return Wanted(f"{server.url}/model", **known)  # pyright: ignore[reportArgumentType]


def fetch(want: Wanted, target: Path, **options: object) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    known = {"progress": lambda done, total: seen.append((done, total)), "cancelled": lambda: False, **options}
    download(want, target, **known)  # pyright: ignore[reportArgumentType]
    return seen


def part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def test_a_file_arrives_whole_with_progress_and_leaves_nothing_else(server: FileServer, tmp_path: Path) -> None:
    seen = fetch(wanted(server), tmp_path / "deep" / "model")
    assert (tmp_path / "deep" / "model").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model"]
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_size_and_hash_may_be_unknown(server: FileServer, tmp_path: Path) -> None:
    seen = fetch(wanted(server, size=0, sha256=""), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))


def test_a_cut_connection_is_taken_up_again_where_it_broke(server: FileServer, tmp_path: Path) -> None:
    server.cuts = [HALF, 1000]
    fetch(wanted(server), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == BODY
    assert server.asked("/model") == ["", f"bytes={HALF}-", f"bytes={HALF + 1000}-"]


def test_a_later_call_resumes_what_an_earlier_one_left(server: FileServer, tmp_path: Path) -> None:
    part(tmp_path / "model").write_bytes(BODY[:HALF])
    seen = fetch(wanted(server), tmp_path / "model")
    assert seen[0] == (HALF, len(BODY))
    assert server.asked("/model") == [f"bytes={HALF}-"]
    assert (tmp_path / "model").read_bytes() == BODY


def test_a_part_that_is_already_whole_needs_no_request(server: FileServer, tmp_path: Path) -> None:
    part(tmp_path / "model").write_bytes(BODY)
    fetch(wanted(server), tmp_path / "model")
    assert server.requests == []
    assert (tmp_path / "model").read_bytes() == BODY


def test_a_server_that_ignores_ranges_sends_the_file_from_the_start(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    part(tmp_path / "model").write_bytes(BODY[:HALF])
    fetch(wanted(server), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == BODY


@pytest.mark.parametrize("size", [0, len(BODY)], ids=["size unknown", "size known"])
def test_a_part_longer_than_the_file_is_dropped(server: FileServer, tmp_path: Path, size: int) -> None:
    part(tmp_path / "model").write_bytes(BODY + b"more")
    fetch(wanted(server, size=size), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == BODY


def test_416_means_done_where_only_the_hash_is_known(server: FileServer, tmp_path: Path) -> None:
    part(tmp_path / "model").write_bytes(BODY)
    fetch(wanted(server, size=0), tmp_path / "model")
    assert server.asked("/model") == [f"bytes={len(BODY)}-"]
    assert (tmp_path / "model").read_bytes() == BODY


def test_416_without_a_reason_is_a_refusal_and_no_endless_loop(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [416]
    with pytest.raises(RefusedError):
        fetch(wanted(server), tmp_path / "model")


def test_half_of_another_file_is_replaced_without_a_word(server: FileServer, tmp_path: Path) -> None:
    part(tmp_path / "model").write_bytes(b"x" * HALF)
    fetch(wanted(server), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == BODY


def test_without_a_hash_two_halves_are_never_joined(server: FileServer, tmp_path: Path) -> None:
    part(tmp_path / "model").write_bytes(b"x" * HALF)
    fetch(wanted(server, sha256=""), tmp_path / "model")
    assert server.asked("/model") == [""]
    assert (tmp_path / "model").read_bytes() == BODY


def test_wrong_bytes_of_the_right_size_are_thrown_away(server: FileServer, tmp_path: Path) -> None:
    server.files["/model"] = bytes(len(BODY))
    with pytest.raises(DamagedError):
        fetch(wanted(server), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_gits_name_of_the_content_is_checked_too(server: FileServer, tmp_path: Path) -> None:
    name = hashlib.sha1(f"blob {len(BODY)}\0".encode() + BODY).hexdigest()
    fetch(wanted(server, sha256="", git_sha1=name), tmp_path / "model")
    with pytest.raises(DamagedError):
        fetch(wanted(server, sha256="", git_sha1="0" * 40), tmp_path / "other")


def test_a_server_that_announces_another_size_is_not_believed(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DamagedError):
        fetch(wanted(server, size=len(BODY) - 1), tmp_path / "model")


def test_a_busy_server_is_asked_again(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [503, 429, 500]
    fetch(wanted(server), tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == BODY


def test_a_server_that_asks_for_much_patience_is_reported_at_once(server: FileServer, tmp_path: Path) -> None:
    server.statuses, server.headers = [429] * 9, {"Retry-After": "3600"}
    with pytest.raises(RefusedError) as caught:
        fetch(wanted(server), tmp_path / "model")
    assert len(server.requests) == 1
    assert "3600 s" in str(explained(caught.value, "Tiny", "model"))


def test_a_server_that_stays_broken_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [500] * 99
    with pytest.raises(BrokenError, match="500"):
        fetch(wanted(server), tmp_path / "model")
    assert len(server.requests) == 5


def test_a_missing_file_is_not_asked_for_again(server: FileServer, tmp_path: Path) -> None:
    server.files.clear()
    with pytest.raises(RefusedError):
        fetch(wanted(server), tmp_path / "model")
    assert len(server.requests) == 1


def test_no_server_is_told_from_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITS", (0.0,))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError) as caught:
        fetch(Wanted(f"http://127.0.0.1:{port}/model"), tmp_path / "model")
    assert explained(caught.value, "Tiny", "model").code == "offline"


def test_cancelling_stops_while_the_server_says_nothing_and_keeps_the_part(server: FileServer, tmp_path: Path) -> None:
    server.held, server.held_at = "/model", HALF
    stop = [False]

    def progress(done: int, _: int) -> None:
        stop[0] = done == HALF

    with pytest.raises(Cancelled):
        fetch(wanted(server), tmp_path / "model", progress=progress, cancelled=lambda: stop[0])
    assert part(tmp_path / "model").read_bytes() == BODY[:HALF]
    server.gate.set()
    fetch(wanted(server), tmp_path / "model")
    assert server.asked("/model")[-1] == f"bytes={HALF}-"
    assert (tmp_path / "model").read_bytes() == BODY


def test_too_little_space_is_said_before_a_byte_is_fetched(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(StudioError) as caught:
        fetch(wanted(server), tmp_path / "model", keep_free=10**18)
    assert caught.value.code == "no_space"
    assert server.requests == []


def test_a_disk_that_fills_up_is_not_left_full(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: object, chunk: bytes) -> None:
        file.write(chunk[:10])  # pyright: ignore[reportAttributeAccessIssue]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write", full)
    with pytest.raises(StudioError) as caught:
        fetch(wanted(server), tmp_path / "model")
    assert caught.value.code == "disk_full"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


def test_space_that_vanishes_on_the_way_stops_the_download_and_keeps_the_part(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RECHECK", 1000)
    answers = iter([0])

    def require_space(folder: Path, *_: int) -> None:
        if next(answers, None) is None:
            raise StudioError("no_space", needed="1 GB", free="0 kB", path=str(folder))

    monkeypatch.setattr(module, "require_space", require_space)
    with pytest.raises(StudioError) as caught:
        fetch(wanted(server), tmp_path / "model")
    assert caught.value.code == "no_space"
    assert part(tmp_path / "model").stat().st_size > 0


def test_a_token_is_sent_and_stays_out_of_the_texts(server: FileServer, tmp_path: Path) -> None:
    want = wanted(server, headers={"Authorization": "Bearer secret"})
    fetch(want, tmp_path / "model")
    assert server.requests[0][3] == "Bearer secret"
    assert "secret" not in repr(want)


def test_a_token_is_not_handed_on_to_where_the_server_sends_us(server: FileServer, tmp_path: Path) -> None:
    with serving() as other:
        other.files["/cdn"] = BODY
        server.redirects["/model"] = f"{other.url}/cdn"
        part(tmp_path / "model").write_bytes(BODY[:HALF])
        fetch(wanted(server, headers={"Authorization": "Bearer secret"}), tmp_path / "model")
        assert [(asked, authorization) for _, asked, _, authorization in other.requests] == [(f"bytes={HALF}-", "")]
    assert (tmp_path / "model").read_bytes() == BODY


def test_a_server_that_takes_the_call_and_stays_silent_is_given_up_soon(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.05)
    server.held = "/model"
    with pytest.raises(BrokenError):
        fetch(wanted(server), tmp_path / "model")
    assert len(server.requests) == 2
