"""The store of model files: states that are right after anything, one download for many callers, safe deletes."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving
from tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.errors import Cancelled, StudioError
from studio.paths import Home
from studio.store import Store, local

COMMIT = "c" * 40
WEIGHTS = bytes(range(256)) * 1024
FILE = f"/owner/tiny/resolve/{COMMIT}/tiny.gguf"

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        lfs = {"sha256": hashlib.sha256(WEIGHTS).hexdigest(), "size": len(WEIGHTS)}
        answer = {"id": "owner/tiny", "sha": COMMIT, "siblings": [{"rfilename": "tiny.gguf", "lfs": lfs}]}
        listing = json.dumps(answer).encode()
        server.files = {"/api/models/owner/tiny": listing, FILE: WEIGHTS}
        server.files[f"/api/models/owner/tiny/revision/{COMMIT}"] = listing
        yield server


def card(source: Source | None = None) -> Card:
    return tiny_card(source or Source("hub", repo="owner/tiny", files=("tiny.gguf",)), len(WEIGHTS))


def fetch(store: Store, wanted: Card) -> Path:
    return store.fetch(wanted, lambda *_: None, lambda: False)


def test_what_was_never_fetched_is_absent_and_says_how_large_it_is(home: Home) -> None:
    store = Store(home)
    assert store.state(card()) == "absent"
    assert store.bytes_on_disk(card()) == 0
    assert store.delete(card()) == 0
    with pytest.raises(StudioError) as caught:
        store.path(card())
    assert (caught.value.code, caught.value.params["size"]) == ("not_on_disk", "262 kB")


def test_offline_by_setting_never_tries_the_network(home: Home, hub: FileServer) -> None:
    with pytest.raises(StudioError) as caught:
        fetch(Store(home, offline=True), card())
    assert caught.value.code == "offline_setting"
    assert hub.requests == []


def test_a_file_that_vanished_later_is_missing_and_can_be_fetched_again(home: Home) -> None:
    store = Store(home)
    path = fetch(store, card())
    path.resolve().unlink()
    assert store.state(card()) == "partial"
    with pytest.raises(StudioError) as caught:
        store.path(card())
    assert (caught.value.code, caught.value.params["file"]) == ("missing_files", "tiny.gguf")
    assert fetch(store, card()).read_bytes() == WEIGHTS


def test_a_file_that_lost_bytes_later_is_not_ready_and_is_fetched_again(home: Home) -> None:
    store = Store(home)
    fetch(store, card()).write_bytes(WEIGHTS[:-1])
    assert store.state(card()) == "partial"
    assert fetch(store, card()).read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["complete.json", "locks.json"])
def test_a_spoilt_note_costs_nothing(home: Home, hub: FileServer, name: str) -> None:
    store = Store(home)
    path = fetch(store, card())
    next(home.models.rglob(name)).write_text("{ not json")
    assert store.state(card()) == "ready"
    assert fetch(store, card()) == path
    assert len(hub.asked(FILE)) == 1


def test_deleting_frees_the_bytes_and_leaves_no_trace(home: Home) -> None:
    store = Store(home)
    fetch(store, card())
    assert store.delete(card()) >= len(WEIGHTS)
    assert store.state(card()) == "absent"
    assert not list((home.models / "hub").iterdir())


@pytest.mark.usefixtures("courier")
def test_an_unfinished_download_can_be_deleted(home: Home, hub: FileServer) -> None:
    store = Store(home)
    _stopped_half_way(store, hub)
    assert store.delete(card()) == len(WEIGHTS) // 2
    assert store.state(card()) == "absent"


def test_what_is_being_fetched_cannot_be_deleted(home: Home) -> None:
    store, refused = Store(home), []

    def progress(done: int, _: int) -> None:
        if done == len(WEIGHTS):
            with pytest.raises(StudioError) as caught:
                Store(home).delete(card())
            refused.append(caught.value.code)

    thread = threading.Thread(target=store.fetch, args=(card(), progress, lambda: False))
    thread.start()
    thread.join(30)
    assert set(refused) == {"busy_download"}
    assert store.state(card()) == "ready"


def test_two_callers_at_once_make_one_download(home: Home, hub: FileServer) -> None:
    found: list[bytes] = []

    def run() -> None:
        found.append(fetch(Store(home), card()).read_bytes())

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [WEIGHTS] * 3
    assert len(hub.asked(FILE)) == 1


@pytest.mark.usefixtures("courier")
def test_a_process_killed_while_downloading_leaves_what_the_next_one_resumes(
    home: Home, hub: FileServer, tmp_path: Path
) -> None:
    script = tmp_path / "fetch.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from studio.catalog.card import Card, Source\n"
        "from studio.paths import Home\n"
        "from studio.store import Store\n"
        "source = Source('hub', repo='owner/tiny', files=('tiny.gguf',))\n"
        "card = Card('tiny', 'Tiny', ('chat',), 'llama', source, 'MIT', '', True, 1, 1, 1, 1, (), {})\n"
        "Store(Home(Path(sys.argv[1]))).fetch(card, lambda done, _: print(done, flush=True), lambda: False)\n"
    )
    hub.held, hub.held_at = "tiny.gguf", len(WEIGHTS) // 2
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, str(script), str(home.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        for line in process.stdout:
            if int(line) == len(WEIGHTS) // 2:
                process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    store = Store(home)
    assert store.state(card()) == "partial"
    hub.gate.set()
    assert fetch(store, card()).read_bytes() == WEIGHTS
    assert hub.asked(FILE)[-1] == f"bytes={len(WEIGHTS) // 2}-"


def test_bundled_files_are_ready_where_they_are_and_are_never_deleted(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "STARTERS", tmp_path)
    store, wanted = Store(home), card(Source("bundled", path="painter"))
    assert store.state(wanted) == "absent"
    (tmp_path / "painter").mkdir()
    (tmp_path / "painter" / "model.safetensors").write_bytes(WEIGHTS)
    assert store.state(wanted) == "ready"
    assert fetch(store, wanted) == tmp_path / "painter"
    assert store.bytes_on_disk(wanted) == len(WEIGHTS)
    assert store.delete(wanted) == 0
    assert store.state(wanted) == "ready"


def test_a_stand_in_without_files_is_always_ready(home: Home) -> None:
    assert Store(home).state(card(Source("bundled"))) == "ready"
    assert Store(home).path(card(Source("bundled"))).name == "starters"


def test_the_users_own_file_is_used_in_place_and_never_deleted(home: Home, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(WEIGHTS)
    store, wanted = Store(home), card(Source("local", path=str(own)))
    assert fetch(store, wanted) == own
    assert store.delete(wanted) == 0
    assert own.exists()
    own.unlink()
    assert store.state(wanted) == "absent"
    with pytest.raises(StudioError) as caught:
        store.path(wanted)
    assert caught.value.code == "missing_files"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"config.json": "{}", "pytorch_model.bin": "x"}, "unsafe_file"),
        ({"model_index.json": '{"unet": [], "vae": []}', "unet/a.safetensors": "x", "vae/a.bin": "x"}, "unsafe_file"),
        ({"config.json": "{}"}, "missing_files"),
        ({"config.json": "{}", "pytorch_model.bin": "x", "model.safetensors": "x"}, ""),
        ({"model_index.json": '{"unet": []}', "unet/a.safetensors": "x", "unet/a.bin": "x"}, ""),
    ],
)
def test_a_folder_whose_only_weights_are_pickles_is_refused(
    home: Home, tmp_path: Path, files: dict[str, str], code: str
) -> None:
    for name, text in files.items():
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).write_text(text)
    wanted = card(Source("local", path=str(tmp_path / "own")))
    if not code:
        assert Store(home).path(wanted) == tmp_path / "own"
        return
    with pytest.raises(StudioError) as caught:
        Store(home).path(wanted)
    assert caught.value.code == code


def test_a_single_pickle_of_the_users_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "own.ckpt").write_bytes(b"x")
    with pytest.raises(StudioError) as caught:
        Store(home).path(card(Source("local", path=str(tmp_path / "own.ckpt"))))
    assert caught.value.code == "unsafe_file"


def _stopped_half_way(store: Store, hub: FileServer) -> None:
    hub.held, hub.held_at, stop = "tiny.gguf", len(WEIGHTS) // 2, [False]

    def progress(done: int, _: int) -> None:
        stop[0] = done == len(WEIGHTS) // 2

    with pytest.raises(Cancelled):
        store.fetch(card(), progress, lambda: stop[0])
    hub.gate.set()
