"""Models from a hub: the right files of one version, remembered, resumable, and never a pickle."""

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving
from tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.errors import Cancelled, StudioError
from studio.paths import Home
from studio.store import Store, hub_cache

COMMIT, NEWER = "a" * 40, "b" * 40
WEIGHTS = bytes(range(256)) * 800
PLAIN = {
    "config.json": b'{"model_type": "tiny"}',
    "tokenizer.json": b"{}",
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"pickle",
    "README.md": b"words",
    "onnx/model.onnx": b"other",
}
PIPELINE = {
    "model_index.json": b"{}",
    "all-in-one.safetensors": WEIGHTS * 2,
    "unet/config.json": b"{ }",
    "unet/diffusion_pytorch_model.safetensors": WEIGHTS,
    "unet/diffusion_pytorch_model.fp16.safetensors": WEIGHTS[:5000],
    "vae/diffusion_pytorch_model.safetensors": WEIGHTS[:7000],
}

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def publish(hub: FileServer, files: dict[str, bytes], commit: str = COMMIT, repo: str = "owner/tiny") -> None:
    """What the hub says and serves once `files` are its newest version."""
    siblings = []
    for name, body in files.items():
        entry: dict[str, object] = {"rfilename": name, "size": len(body)}
        if len(body) > 1000:
            entry["lfs"] = {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 130}
            entry["blobId"] = "f" * 40
        else:
            entry["blobId"] = hashlib.sha1(f"blob {len(body)}\0".encode() + body).hexdigest()
        siblings.append(entry)
        hub.files[f"/{repo}/resolve/{commit}/{name}"] = body
    answer = json.dumps({"id": repo, "sha": commit, "siblings": siblings}).encode()
    hub.files[f"/api/models/{repo}"] = hub.files[f"/api/models/{repo}/revision/{commit}"] = answer


def card(id: str = "tiny", repo: str = "owner/tiny", **changes: object) -> Card:
    source = {"revision": "", "files": (), "sha256": {}}
    source.update((key, changes.pop(key)) for key in tuple(changes) if key in source)
    known = {"engine": "text", "gated": False, "options": {}, **changes}
    where = Source("hub", repo=repo, **source)  # pyright: ignore[reportArgumentType]
    return tiny_card(where, len(WEIGHTS), id=id, **known)


def fetch(store: Store, wanted: Card) -> Path:
    return store.fetch(wanted, lambda *_: None, lambda: False)


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"complete.json"}


def test_a_model_arrives_as_a_plain_folder_without_pickles_and_side_formats(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    store, seen = Store(home), []
    folder = store.fetch(card(), lambda *at: seen.append(at), lambda: False)
    assert folder == home.models / "hub" / "owner--tiny" / COMMIT
    assert names(folder) == {"config.json", "tokenizer.json", "model.safetensors"}
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    total = sum(len(PLAIN[name]) for name in names(folder))
    assert seen[0] == (0, total)
    assert seen[-1] == (total, total)
    assert store.state(card()) == "ready"
    assert store.bytes_on_disk(card()) == total


def test_the_token_is_sent_to_the_hub(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    fetch(Store(home), card())
    assert {authorization for *_, authorization in hub.requests} == {"Bearer hf_secret"}


def test_the_first_version_is_kept_when_a_newer_one_appears(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    fetch(Store(home), card())
    publish(hub, {**PLAIN, "model.safetensors": WEIGHTS[::-1]}, NEWER)
    again = Store(home)
    assert again.revision(card()) == COMMIT
    assert (again.path(card()) / "model.safetensors").read_bytes() == WEIGHTS
    again.delete(card())
    assert again.revision(card()) == ""
    assert fetch(again, card()).name == NEWER


def test_a_named_version_is_the_one_that_is_fetched(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    publish(hub, {"model.safetensors": b"x" * 2000}, NEWER)
    assert fetch(Store(home), card(revision=COMMIT)).name == COMMIT


def test_one_gguf_is_given_as_a_file_and_nothing_else_is_fetched(hub: FileServer, home: Home) -> None:
    publish(hub, {"tiny-q4.gguf": WEIGHTS, "tiny-q8.gguf": WEIGHTS * 2, "config.json": b"{}"})
    path = fetch(Store(home), card(files=("tiny-q4.gguf",)))
    assert path.name == "tiny-q4.gguf"
    assert names(path.parent) == {"tiny-q4.gguf"}


@pytest.mark.parametrize(
    ("variant", "unet"),
    [("", "unet/diffusion_pytorch_model.safetensors"), ("fp16", "unet/diffusion_pytorch_model.fp16.safetensors")],
)
def test_a_pipeline_comes_in_one_precision_without_the_all_in_one_file(
    hub: FileServer, home: Home, variant: str, unet: str
) -> None:
    publish(hub, PIPELINE)
    folder = fetch(Store(home), card(options={"variant": variant}))
    assert names(folder) == {
        "model_index.json",
        "unet/config.json",
        unet,
        "vae/diffusion_pytorch_model.safetensors",
    }


def test_patterns_choose_files_but_never_a_pickle(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    folder = fetch(Store(home), card(files=("*model.safetensors", "pytorch_model.*", "config.json")))
    assert names(folder) == {"config.json", "model.safetensors"}


def test_a_named_file_that_the_hub_lacks_is_missing(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card(files=("gone.gguf",)))
    assert (caught.value.code, caught.value.params["file"]) == ("missing_files", "gone.gguf")


def test_a_repository_with_pickles_only_is_refused_with_the_reason(hub: FileServer, home: Home) -> None:
    publish(hub, {"config.json": b"{}", "pytorch_model.bin": WEIGHTS})
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card())
    assert caught.value.code == "only_pickles"


def test_names_that_lead_out_of_the_folder_are_never_written(hub: FileServer, home: Home) -> None:
    publish(hub, {**PLAIN, "../../evil.json": b"{}", "/evil.json": b"{}", "..\\evil.json": b"{}"})
    fetch(Store(home), card())
    assert not list(home.root.parent.rglob("*evil*"))


@pytest.mark.usefixtures("courier")
def test_after_a_cut_only_the_rest_is_fetched(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    weights = f"/owner/tiny/resolve/{COMMIT}/model.safetensors"
    hub.held, hub.held_at, stop = "model.safetensors", 1 << 17, [False]

    def progress(done: int, _: int) -> None:
        stop[0] = done > 1 << 17

    def cut() -> bool:  # the files are fetched together: the small one may not be whole yet when the large one is held
        return stop[0] and (hub_cache.folder("owner/tiny") / "snapshots" / COMMIT / "config.json").is_file()

    store = Store(home)
    with pytest.raises(Cancelled):
        store.fetch(card(), progress, cut)
    assert store.state(card()) == "partial"
    assert store.bytes_on_disk(card()) > 0
    hub.gate.set()
    hub.requests.clear()
    fetch(store, card())
    assert {path.rsplit("/", 1)[-1] for path, *_ in hub.requests} == {COMMIT, "model.safetensors"}
    assert hub.asked(weights) == [f"bytes={1 << 17}-"]
    assert store.state(card()) == "ready"


def test_damaged_weights_are_named_and_the_next_attempt_is_clean(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    weights = f"/owner/tiny/resolve/{COMMIT}/model.safetensors"
    hub.files[weights] = bytes(len(WEIGHTS))
    store = Store(home)
    with pytest.raises(StudioError) as caught:
        fetch(store, card())
    assert (caught.value.code, caught.value.params["file"]) == ("bad_hash", "model.safetensors")
    assert store.state(card()) == "partial"
    hub.files[weights] = WEIGHTS
    fetch(store, card())
    assert store.state(card()) == "ready"


def test_a_hash_of_the_catalogue_is_held_against_the_hub(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card(sha256={"model.safetensors": "0" * 64}))
    assert caught.value.code == "bad_hash"


def test_a_licence_to_accept_first_is_named_with_its_address(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    hub.refused = {path for path in hub.files if "resolve" in path}
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card(gated=True))
    assert caught.value.code == "gated"
    assert caught.value.params["url"] == f"{hub.url}/owner/tiny"


def test_an_unknown_repository_is_said_to_be_unknown(home: Home) -> None:
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card(repo="owner/nothing"))
    assert caught.value.code == "not_on_hub"
    assert Store(home).state(card(repo="owner/nothing")) == "absent"


@pytest.mark.parametrize("answer", [b"<html>login</html>", b"[]", b'{"sha": "x", "siblings": []}'])
def test_an_answer_that_is_no_list_of_files_is_one_clear_error(hub: FileServer, home: Home, answer: bytes) -> None:
    hub.files["/api/models/owner/tiny"] = answer
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card())
    assert caught.value.code == "not_a_hub"


def test_no_network_is_said_in_one_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(StudioError) as caught:
        fetch(Store(home), card())
    assert caught.value.code == "hub_unreachable"


def test_two_cards_share_a_folder_and_each_keeps_its_files(hub: FileServer, home: Home) -> None:
    publish(hub, {"q4.gguf": WEIGHTS, "q8.gguf": WEIGHTS * 2})
    store, small, large = Store(home), card("small", files=("q4.gguf",)), card("large", files=("q8.gguf",))
    fetch(store, small)
    assert store.state(large) != "ready"
    fetch(store, large)
    assert store.delete(small) == len(WEIGHTS)
    assert store.state(small) != "ready"
    assert store.path(large).read_bytes() == WEIGHTS * 2


def test_what_is_here_is_used_without_the_network(hub: FileServer, home: Home) -> None:
    publish(hub, PLAIN)
    fetch(Store(home), card())
    hub.requests.clear()
    assert fetch(Store(home, offline=True), card()) == Store(home).path(card())
    assert hub.requests == []
