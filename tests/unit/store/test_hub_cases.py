"""Each way in which a hub, a mirror or the network between fails ends in the files, or in one true sentence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fake_hub
import pytest
from fake_hub import COMMIT, FILES, NEWER, WEIGHTS, FakeHub, serving_hub
from huggingface_hub import constants
from tiny_card import tiny_card

from studio.catalog.card import Card, Source
from studio.errors import StudioError
from studio.paths import Home
from studio.store import Store, courier, origin, transfer


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr(origin, "MODELSCOPE_HOST", hub.scope)
        yield hub


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def card(case: str, **source: object) -> Card:
    return tiny_card(Source("hub", repo=f"case/{case}", **source), len(WEIGHTS), engine="text")  # pyright: ignore


class Heard:
    """What a download told on its way."""

    def __init__(self) -> None:
        self.at: list[tuple[int, int]] = []
        self.waits: list[float] = []
        self.notes: list[str] = []

    def told(self, what: str, number: float) -> None:
        if what == "wait":
            self.waits += [number] if number else []
        else:
            self.notes.append(what)


def fetch(home: Home, wanted: Card) -> Heard:
    heard = Heard()
    path = Store(home).fetch(wanted, lambda *at: heard.at.append(at), lambda: False, heard.told)
    shown = {name: data for name, data in FILES.items() if (path / name).read_bytes() == data}
    assert set(shown) == set(FILES)
    return heard


ORDINARY = (
    "plain", "old", "mirror308", "truncated", "norange", "expiring", "cutoften", "gzip", "noblobs", "nolfs", "cdn403",
    "cachedurl", "corrupt", "http408",
)  # fmt: skip


@pytest.mark.parametrize("case", ORDINARY)
def test_what_happens_every_day_ends_in_the_files(home: Home, hub: FakeHub, case: str, monkeypatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the library waits a second before it goes on
    hub.down = 0
    assert fetch(home, card(case)).at[-1] == (sum(map(len, FILES.values())),) * 2


@pytest.mark.parametrize("case", ["rate_list", "rate_hint", "rate_window", "retry_after", "down20"])
def test_a_busy_hub_is_waited_for_in_sight(
    home: Home, hub: FakeHub, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "WAITS", (0.3,) * 8)
    hub.down = 0.5
    assert fetch(home, card(case)).waits


@pytest.mark.parametrize(
    ("case", "code", "says"),
    [
        ("retry_long", "hub_busy", "2 min"),
        ("deadcdn", "hub_unreachable", "localhost"),
        ("gated", "gated", "/case/gated"),
        ("nosuch", "not_on_hub", "case/nosuch"),
        ("binonly", "only_pickles", "pytorch_model.bin"),
        ("html", "not_a_hub", "login page"),
        ("loop", "not_a_hub", "127.0.0.1"),
        ("badgzip", "not_a_hub", "127.0.0.1"),
        ("alwayscorrupt", "bad_hash", "model.safetensors"),
        ("always403", "refused", "localhost"),
    ],
)
def test_what_cannot_be_had_is_one_true_sentence(home: Home, hub: FakeHub, case: str, code: str, says: str) -> None:
    with pytest.raises(StudioError) as caught:
        fetch(home, card(case))
    assert caught.value.code == code
    assert says in str(caught.value)
    assert "licence" not in str(caught.value) or code == "gated"


def test_a_hanging_connect_is_tried_again_and_one_that_always_hangs_is_named(
    home: Home, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    fetch(home, card("flakycdn"))
    with pytest.raises(StudioError) as caught:
        fetch(home, card("stuckcdn"))
    assert caught.value.code == "hub_unreachable"
    assert Store(home).state(card("stuckcdn")) == "partial"


def test_a_revoked_token_is_left_out_and_that_is_said_once(home: Home, hub: FakeHub, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_revoked")
    assert fetch(home, card("badtoken")).notes == ["token_refused"]
    with pytest.raises(StudioError) as caught:
        fetch(home, card("revoked"))
    assert caught.value.code == "not_on_hub"


def test_a_rewritten_history_is_named_and_the_newest_can_be_had(home: Home, hub: FakeHub) -> None:
    store, wanted = Store(home), card("gone", revision=COMMIT)
    with pytest.raises(StudioError) as caught:
        store.fetch(wanted, lambda *_: None, lambda: False)
    assert (caught.value.code, caught.value.params["version"]) == ("version_gone", COMMIT[:12])
    store.renew(wanted)
    fetch(home, wanted)
    assert store.revision(wanted) == NEWER
    store.delete(wanted)
    assert store.revision(wanted) == COMMIT


def test_nothing_that_arrived_is_asked_for_twice(home: Home, hub: FakeHub) -> None:
    fetch(home, card("truncated"))
    assert hub.asked("/files/truncated/") == ["", f"bytes={1 << 19}-", f"bytes={1 << 20}-"]


def test_the_file_server_never_sees_the_token(home: Home, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    fetch(home, card("plain"))
    assert {token for _, path, _, token in hub.requests if path.startswith("/files/")} == {False}
    assert any(token for *_, token in hub.requests)


@pytest.mark.parametrize("written", ["{host}", "{host}/", "http://{host}//"])
def test_an_endpoint_may_be_written_as_people_write_it(home: Home, hub: FakeHub, monkeypatch, written: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", written.format(host=hub.url.removeprefix("http://")))
    fetch(home, card("plain"))


def test_a_disk_that_fills_up_is_not_left_full(home: Home, cache: Path, hub: FakeHub, monkeypatch) -> None:
    def full(self: object, more: float | None = 1) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer._Bar, "update", full)
    with pytest.raises(StudioError) as caught:
        fetch(home, card("two", files=("q4.gguf",)))
    assert caught.value.code == "disk_full"
    assert not list(cache.rglob("*.incomplete"))


def test_too_little_space_is_said_before_a_byte_is_fetched(home: Home, hub: FakeHub) -> None:
    with pytest.raises(StudioError) as caught:
        Store(home, keep_free=10**18).fetch(card("plain"), lambda *_: None, lambda: False)
    assert caught.value.code == "no_space"
    assert not hub.asked("/resolve/", "HEAD")


# ---- ModelScope and mirrors


def test_the_same_files_come_from_modelscope_and_it_is_kept_where_from(home: Home, hub: FakeHub) -> None:
    store, wanted = Store(home), card("plain", sha256={"model.safetensors": fake_hub.sha256(WEIGHTS)})
    origin.choose(home, "modelscope")
    fetch(home, wanted)
    assert {path.split("/")[1] for _, path, *_ in hub.requests} == {"api", "models"}
    assert origin.came(home, "case/plain") == hub.scope.removeprefix("http://")
    assert store.revision(wanted).startswith("modelscope-")
    assert Store(home).state(wanted) == "ready"
    assert store.delete(wanted) >= len(WEIGHTS)
    assert origin.chosen(home) == "modelscope"


def test_modelscope_is_held_to_the_hash_of_the_catalogue(home: Home, hub: FakeHub) -> None:
    origin.choose(home, "modelscope")
    with pytest.raises(StudioError) as caught:
        fetch(home, card("plain", sha256={"model.safetensors": "0" * 64}))
    assert caught.value.code == "bad_hash"
    with pytest.raises(StudioError) as caught:
        fetch(home, card("nosuch"))
    assert caught.value.code == "not_on_modelscope"


def test_a_mirror_that_was_chosen_is_asked_until_the_hub_is_chosen_again(home: Home, hub: FakeHub, monkeypatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    origin.choose(home, hub.url.removeprefix("http://"))
    fetch(home, card("plain"))
    assert origin.came(home, "case/plain") == hub.url.removeprefix("http://")
    origin.choose(home, "hub")
    assert origin.chosen(home) == origin.HUB


@pytest.mark.parametrize("text", ["", "ftp://x.org", "nonsense", "https://", "a b.org", "https://a b.org"])
def test_what_is_no_origin_is_refused(home: Home, text: str) -> None:
    with pytest.raises(StudioError) as caught:
        origin.choose(home, text)
    assert caught.value.code == "bad_origin"


def test_a_card_with_another_version_in_its_own_folder_keeps_it(home: Home, hub: FakeHub) -> None:
    """What an earlier version of the studio fetched lies in the folder itself; it is used and not fetched again."""
    place = home.models / "hub" / "case--plain" / COMMIT
    for name, data in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    (place / "model.safetensors").unlink()
    (place / "model.safetensors.part").write_bytes(WEIGHTS[: 1 << 20])
    fetch(home, replace(card("plain", revision=COMMIT)))
    assert hub.asked("/files/") == [f"bytes={1 << 20}-"]
    assert not hub.asked("resolve-cache")


def test_connections_that_the_library_closed_for_another_file_are_opened_again() -> None:
    closed = RuntimeError("Cannot send a request, as the client has been closed.")
    assert transfer._patience(closed, False, 0) == len(transfer.WAITS)
    assert transfer._patience(RuntimeError("something else"), False, 0) == 0
    assert courier.explained(closed, {"model": "Tiny"}, "hub").code == "hub_unreachable"
