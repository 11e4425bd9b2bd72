"""The cache of the hub's library is the studio's too: what others fetched is there, and what they use stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import COMMIT, FILES, NEWER, WEIGHTS, FakeHub, serving_hub
from huggingface_hub import scan_cache_dir, snapshot_download
from tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.errors import Cancelled, StudioError
from studio.paths import Home
from studio.store import Store
from studio.store.fetching import _environment

TOTAL = sum(map(len, FILES.values()))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def card(case: str = "plain", id: str = "tiny", **source: object) -> Card:
    return tiny_card(Source("hub", repo=f"case/{case}", **source), TOTAL, id=id, engine="text")  # pyright: ignore


def fetch(home: Home, wanted: Card) -> Path:
    return Store(home).fetch(wanted, lambda *_: None, lambda: False)


def another_program(hub: FakeHub, case: str = "plain", *patterns: str) -> None:
    """`huggingface_hub` as any program has it, in a process of its own."""
    code = f"import huggingface_hub as h; h.snapshot_download('case/{case}', allow_patterns={list(patterns) or None!r})"
    environment = {**_environment(), "HF_HUB_DISABLE_XET": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    hub.requests.clear()


def test_what_another_program_fetched_is_simply_there(home: Home, hub: FakeHub) -> None:
    another_program(hub)
    store = Store(home)
    assert store.state(card()) == "ready"
    path = fetch(home, card())
    assert {name: (path / name).read_bytes() for name in FILES} == FILES
    assert (path / "model.safetensors").is_symlink()
    assert store.revision(card()) == COMMIT
    assert store.bytes_on_disk(card()) == TOTAL
    assert store.elsewhere(card())
    assert hub.requests == []


@pytest.mark.parametrize("listed", [True, False], ids=["its list is there", "a cache of an older library"])
def test_half_of_a_model_in_the_cache_is_not_taken_for_all_of_it(
    home: Home, hub: FakeHub, cache: Path, listed: bool
) -> None:
    hub.files["model-00001-of-00002.safetensors"] = hub.files.pop("model.safetensors")
    hub.files["model-00002-of-00002.safetensors"] = WEIGHTS[::-1]
    shards = '"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"'
    hub.files["model.safetensors.index.json"] = b'{"weight_map": {%s}}' % shards.encode()
    another_program(hub, "plain", "*.json", "empty.txt", "model-00001-of-00002.safetensors")
    if not listed:
        for tree in cache.glob("*/trees/*.json"):
            tree.unlink()
    assert Store(home).state(card()) == "absent"
    fetch(home, card())
    assert len(hub.asked("/files/")) == 1
    assert Store(home).state(card()) == "ready"


def test_what_the_studio_fetched_other_programs_find(home: Home, hub: FakeHub, cache: Path) -> None:
    fetch(home, card())
    hub.requests.clear()
    found = Path(snapshot_download("case/plain", cache_dir=cache, local_files_only=True))
    assert (found / "model.safetensors").read_bytes() == WEIGHTS
    assert (cache / "models--case--plain" / "refs" / "main").read_text() == COMMIT
    assert not scan_cache_dir(cache).warnings
    assert hub.requests == []


def test_with_the_hubs_offline_switch_not_one_request_is_made(home: Home, hub: FakeHub, monkeypatch) -> None:
    another_program(hub)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fetch(home, card())
    with pytest.raises(StudioError) as caught:
        fetch(home, card("old"))
    assert caught.value.code == "hub_offline"
    assert hub.requests == []


def test_deleting_takes_what_no_other_version_and_no_other_model_has(home: Home, hub: FakeHub, cache: Path) -> None:
    small, large = card("two", "small", files=("q4.gguf",)), card("two", "large", files=("q8.gguf",))
    another_program(hub, "two")
    store = Store(home)
    assert store.state(small) == store.state(large) == "ready"
    assert store.delete(small) == len(WEIGHTS)
    assert store.state(small) != "ready"
    assert store.path(large).read_bytes() == WEIGHTS[::-1]
    hub.newest = NEWER  # the same files in a newer version
    another_program(hub, "two", "q8.gguf")
    assert store.delete(large) == 0
    assert next(cache.glob(f"*/snapshots/{NEWER}/q8.gguf")).read_bytes() == WEIGHTS[::-1]


def test_deleting_the_only_version_leaves_nothing_in_the_cache(home: Home, hub: FakeHub, cache: Path) -> None:
    fetch(home, card())
    assert Store(home).delete(card()) >= TOTAL
    assert not (cache / "models--case--plain").exists()
    assert Store(home).state(card()) == "absent"


def test_a_cache_that_was_cleared_is_fetched_again(home: Home, hub: FakeHub, cache: Path) -> None:
    path = fetch(home, card())
    scan_cache_dir(cache).delete_revisions(COMMIT).execute()
    assert Store(home).state(card()) == "partial"
    assert fetch(home, card()) == path
    assert (path / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.usefixtures("courier")
def test_stopping_ends_the_transfer_within_a_second_and_the_next_goes_on(home: Home, hub: FakeHub, cache: Path) -> None:
    stop, since = [False], [0.0]

    def progress(done: int, _: int) -> None:
        if done >= TOTAL - (1 << 20) and not since[0]:
            since[0], stop[0] = time.monotonic(), True

    store = Store(home)
    with pytest.raises(Cancelled):
        store.fetch(card("held"), progress, lambda: stop[0])
    assert time.monotonic() - since[0] < 1
    assert store.state(card("held")) == "partial"
    assert store.bytes_on_disk(card("held")) >= 1 << 20
    hub.gate.set()
    assert (fetch(home, card("held")) / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.asked("/files/held/") == ["", f"bytes={1 << 20}-"]


@pytest.mark.usefixtures("courier")
def test_a_process_killed_in_the_middle_loses_nothing_and_is_named(home: Home, hub: FakeHub, cache: Path) -> None:
    import psutil

    def progress(done: int, _: int) -> None:
        if done >= TOTAL - (1 << 20):
            for child in psutil.Process().children():
                if "studio.store.courier" in child.cmdline():
                    os.kill(child.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)

    with pytest.raises(StudioError) as caught:
        Store(home).fetch(card("held"), progress, lambda: False)
    assert caught.value.code == "download_failed"
    hub.gate.set()
    assert (fetch(home, card("held")) / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.asked("/files/held/") == ["", f"bytes={1 << 20}-"]


@pytest.mark.usefixtures("courier")
def test_three_callers_at_once_make_one_download(home: Home, hub: FakeHub) -> None:
    threads = [threading.Thread(target=fetch, args=(home, card())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(hub.asked("/files/plain/")) == 1
    assert Store(home).state(card()) == "ready"
