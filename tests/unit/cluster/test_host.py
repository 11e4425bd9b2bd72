"""A worker's studio without Ray: parts, their models' files, who is silent, and messages that are none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from waiting import until

from studio.cluster import host
from studio.cluster.host import Host, studio_for
from studio.errors import StudioError
from studio.manager.backends.process import wire
from studio.manager.backends.ray import actors
from studio.manager.backends.ray.workers import read_known
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest, MusicRequest, Request
from studio.results import Output
from studio.service import Studio

ASK = ChatRequest(messages=(Message("user", "Why is the sky blue?"),), seed=1, model="demo-chat")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    given = {"demo": True, "home": str(tmp_path), "device": "cpu", "keep_free_gb": 0, "worker": "desk cpu 2"}
    found = studio_for(given)
    yield found
    found.close()


def message(request: Request, id: str = "one", previews: bool = False) -> bytes:
    return b"".join(wire.pack(id, request, previews))


def all_of(studio: Studio, data: bytes) -> list[dict[str, Any]]:
    return [actors.read(said) for said in Host(studio).part("asker", data)]


def slowed(studio: Studio, **options: Any) -> None:
    cards = {id: replace(card, options={**card.options, **options}) for id, card in studio.catalog.cards.items()}
    object.__setattr__(studio.catalog, "cards", MappingProxyType(cards))


def test_it_has_a_home_of_its_own_and_the_weights_of_all(studio: Studio, tmp_path: Path) -> None:
    assert studio.home.root == tmp_path / "workers" / "desk-cpu-2"
    assert studio.home.models == tmp_path / "models"
    assert (studio.settings.ray, studio.settings.peers, studio.settings.profile) == (False, "", "local")


def test_what_is_told_ends_with_the_output_and_the_end(studio: Studio) -> None:
    told = all_of(studio, message(ASK))
    output = b"".join(one.pop("output") for one in told if "output" in one)
    (found,) = wire.unpack(output)
    assert isinstance(found, Output)
    assert found.text.startswith("You asked: Why is the sky blue?")
    assert "".join(one.get("text", "") for one in told) == found.text
    assert told[-1]["status"] == "done"
    assert told[-1]["result"] is True
    assert {one.get("id", "one") for one in told} == {"one"}


def test_what_crosses_is_bytes(studio: Studio) -> None:
    """Ray hands bytes over as they are; anything else it would pickle."""
    worker = Host(studio)
    assert all(type(said) is bytes for said in worker.part("asker", message(ASK)))
    assert type(worker.state("asker")) is bytes


def test_a_large_output_comes_in_pieces(monkeypatch: pytest.MonkeyPatch, studio: Studio) -> None:
    monkeypatch.setattr(host, "PIECE", 1000)
    told = all_of(studio, message(MusicRequest(prompt="a waltz", duration=1, seed=3, model="demo-music")))
    pieces = [one["output"] for one in told if "output" in one]
    assert len(pieces) > 10
    assert max(map(len, pieces)) == 1000
    (found,) = wire.unpack(b"".join(pieces))
    assert isinstance(found.audio[0].samples, np.ndarray)


def test_an_error_is_a_value(studio: Studio) -> None:
    (told,) = all_of(studio, message(replace(ASK, model="nobody")))
    assert (told["status"], told["error"]["code"]) == ("failed", "unknown_model")


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x04cos\nsystem\n", message(ASK)[:-3], b"".join(wire.pack("one", "no request", True))]
)
def test_what_is_no_message_is_one_error(studio: Studio, data: bytes) -> None:
    told = all_of(studio, data)
    assert [(one["status"], one["error"]["code"]) for one in told] == [("failed", "api_field")]


@pytest.mark.parametrize(
    "data", [b"", b"no message", "text", None, b"".join(wire.pack("a", "b")), b"".join(wire.pack(1))]
)
def test_what_a_worker_says_that_is_no_message_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        actors.read(data)


def test_how_it_stands_is_understood(studio: Studio) -> None:
    worker = Host(studio)
    list(worker.part("asker", message(ASK)))
    known = read_known(actors.read(worker.state("asker")))
    assert known.models["demo-chat"].loaded
    assert not known.models["demo-image"].loaded
    assert known.run("demo-chat", "chat", 1.0) is not None
    assert known.most >= 2
    assert (known.device, bool(known.machine)) == ("cpu", True)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"models": 3, "most": "many", "seconds": [1]},
        {
            "models": {3: (0, True), "a": 7, "b": ("warm", True)},
            "most": -4,
            "seconds": {"load a": float("nan"), 7: 1.0},
        },
        {"machine": "a\x00b" * 500, "device": {"x": 1}, "seconds": {"load a": -1.0, "run b": 1e30}},
    ],
)
def test_how_a_strange_one_stands_harms_nobody(said: dict[str, Any]) -> None:
    known = read_known(said)
    assert known.models == {}
    assert known.seconds == {}
    assert 1 <= known.most <= 64
    assert len(known.machine) <= 100
    assert known.machine.isprintable()


def test_stop_before_it_began_and_while_it_runs(studio: Studio) -> None:
    slowed(studio, step_seconds=0.05)
    worker = Host(studio)
    saying = worker.part("asker", message(ASK))
    said = [actors.read(next(saying))]
    while not any("text" in one for one in said):
        said.append(actors.read(next(saying)))
    worker.stop("one")
    said += [actors.read(one) for one in saying]
    assert said[-1]["status"] in ("cancelled", "done")
    assert all(job.done for job in studio.jobs())
    worker.stop("one")  # it is over


def test_who_reads_no_more_stops_it(studio: Studio) -> None:
    slowed(studio, step_seconds=0.05)
    saying = Host(studio).part("asker", message(ASK))
    next(saying)
    saying.close()  # type: ignore[attr-defined]
    assert until(lambda: all(job.done for job in studio.jobs()))


def test_who_is_silent_for_long_is_computed_for_no_more(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(host, "ALIVE_SECONDS", 0.05)
    slowed(studio, step_seconds=0.1)
    picture = ImageRequest(prompt="a fox", width=64, height=64, steps=50, seed=7, model="demo-image")
    worker, lives = Host(studio), threading.Event()
    told = [actors.read(one) for one in worker.part("gone", message(picture))]
    assert told[-1]["status"] == "cancelled"

    def say() -> None:
        while not lives.wait(0.05):
            worker.state("there")

    thread = threading.Thread(target=say)
    thread.start()
    told = [actors.read(one) for one in worker.part("there", message(replace(picture, steps=8)))]
    lives.set()
    thread.join()
    assert told[-1]["status"] == "done"


def test_a_models_files_are_fetched_once_whoever_waits(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    card = studio.catalog.cards["demo-chat"]
    far = replace(card, starter=False, source=replace(card.source, kind="hub", repo="a/b"))
    object.__setattr__(studio.catalog, "cards", MappingProxyType({**studio.catalog.cards, "demo-chat": far}))
    there, fetches, go = [False], [], threading.Event()

    def fetch(wanted: Any, progress: Any, *_: Any) -> None:
        fetches.append(wanted.id)
        progress(1, 10)
        assert go.wait(10)
        there[0] = True

    before = studio.store.state
    monkeypatch.setattr(studio.store, "fetch", fetch)
    monkeypatch.setattr(
        studio.store, "state", lambda one: before(one) if one.id != "demo-chat" else "ready" if there[0] else "absent"
    )
    monkeypatch.setattr(studio.store, "path", lambda _: Path())
    worker = Host(studio)
    assert read_known(actors.read(worker.state("a"))).models["demo-chat"].here is False
    ends: list[str] = []
    kinds: set[str] = set()

    def ask(id: str) -> None:
        for said in worker.part("a", message(ASK, id)):
            told = actors.read(said)
            kinds.add(told.get("status", ""))
        ends.append(told["status"])

    threads = [threading.Thread(target=ask, args=(id,)) for id in ("x", "y")]
    for one in threads:
        one.start()
    assert until(lambda: "downloading" in kinds and len(worker._parts) == 2)
    go.set()
    for one in threads:
        one.join(20)
    assert ends == ["done", "done"]
    assert fetches == ["demo-chat"]
    assert read_known(actors.read(worker.state("a"))).models["demo-chat"].here is True


def test_without_a_network_nothing_is_said_to_be_fetched(tmp_path: Path) -> None:
    studio = studio_for({"home": str(tmp_path), "offline": True, "device": "cpu", "keep_free_gb": 0, "worker": "w"})
    try:
        known = read_known(actors.read(Host(studio).state("a")))
        assert known.models
        assert all(one.here for one in known.models.values())
    finally:
        studio.close()


def test_without_ray_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from studio.cluster.node import Node, require_ray
    from studio.settings import Settings

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StudioError) as error:
        require_ray()
    assert error.value.code == "ray_missing"
    assert "python start.py ray" in error.value.next()
    with pytest.raises(StudioError):
        Node.start(Settings(_env_file=None))  # pyright: ignore[reportCallIssue]
