"""A studio that computes for another one is killed: while the job waits there, loads, runs, and is seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import png, served, until
from studios import Nursery, Peer, ask, away, slowed, studio_with, warm

from studio.errors import StudioError
from studio.requests import CaptionRequest, ImageRequest
from studio.service import Studio
from studio.tasks.caption.runs import Manner

FOX = ImageRequest(prompt="a fox", width=64, height=64, steps=40, seed=7)


@pytest.fixture
def two(nursery: Nursery, tmp_path: Path) -> Iterator[Any]:
    """`two("demo-chat", step_seconds=1)`: a studio to kill with that in memory, and one here that knows it."""
    opened: list[Any] = []

    def make(*models: str, **options: Any) -> tuple[Peer, Studio]:
        peer = nursery.peer(tmp_path / "there", *models, **options)
        within = studio_with(tmp_path / "here", peer.url)
        opened.append((within, peer))
        return peer, within.__enter__()

    yield make
    for within, peer in opened:
        within.__exit__(None, None, None)
        peer.kill()


@pytest.fixture
def pair(nursery: Nursery, tmp_path: Path) -> Iterator[tuple[Peer, Peer]]:
    """Two studios to kill, which take a second to load a model."""
    found = tuple(nursery.peer(tmp_path / name, load_seconds=1.0) for name in ("one", "two"))
    yield found[0], found[1]
    for peer in found:
        peer.kill()


def test_while_it_waits_there_it_is_done_here(two: Any) -> None:
    peer, here = two("demo-chat", step_seconds=0.2)
    peer.busy("demo-chat")
    assert until(lambda: peer.jobs()[0]["status"] == "running")
    job = here.submit(ask())
    assert until(lambda: job.kind == "loading"), "it waits where it is computed, and that is seen"
    assert [one["status"] for one in peer.jobs()] == ["running", "queued"]
    peer.kill()
    assert job.result().text.startswith("You asked: Why is the sky blue?")
    assert (job.device, job.result().recipe["device"]) == ("cpu", "cpu")


def test_while_it_loads_there_another_one_does_it(pair: tuple[Peer, Peer], tmp_path: Path) -> None:
    with studio_with(tmp_path, ", ".join(one.url for one in pair)) as here:
        away(here, "demo-chat")
        job = here.submit(ask())
        assert until(lambda: job.kind == "loading")
        first, second = pair if pair[0].name == job.device else reversed(pair)
        assert [one["status"] for one in first.jobs()] == ["loading"]
        first.kill()
        assert job.result().text.startswith("You asked: Why is the sky blue?")
        assert job.result().recipe["hardware"] == second.name


def test_while_it_runs_there_and_nothing_was_seen_it_is_done_here(two: Any) -> None:
    peer, here = two("demo-image", step_seconds=0.1)
    job = here.submit(FOX)
    assert until(lambda: job.snapshot().step > 1)
    peer.kill()
    artifact = job.result()
    assert (len(artifact.files), artifact.recipe["device"]) == (1, "cpu")


def test_while_it_is_seen_it_fails_with_one_clear_error_and_keeps_the_words(two: Any) -> None:
    peer, here = two("demo-chat", step_seconds=0.1)
    job = here.submit(ask())
    assert until(lambda: len(job.snapshot().text) > 5)
    peer.kill()
    assert until(lambda: job.done)
    last = job.snapshot()
    assert last.error is not None
    assert (last.kind, last.error.code) == ("failed", "remote_gone")
    assert last.error.params == {"host": peer.name}
    assert last.text.startswith("You a")


def test_a_picture_that_was_seen_on_its_way_fails_too(two: Any) -> None:
    peer, here = two("demo-image", step_seconds=0.1)
    job = here.submit(FOX, previews=True)
    assert until(lambda: job.snapshot().previews)
    peer.kill()
    assert until(lambda: job.done)
    error = job.snapshot().error
    assert error is not None
    assert error.code == "remote_gone"


def test_before_it_was_asked_it_is_done_here(two: Any) -> None:
    peer, here = two("demo-chat")
    assert here.peers.having(here.catalog.get("demo-chat"))
    peer.kill()
    job = here.submit(ask())
    assert job.result().text
    assert job.device == "cpu"
    assert not here.peers.having(here.catalog.get("demo-chat")), "nothing goes there any more"


def test_where_nobody_else_has_the_model_it_fails_and_nothing_is_fetched(two: Any) -> None:
    peer, here = two("demo-chat", step_seconds=0.2)
    away(here, "demo-chat")
    job = here.submit(ask())
    assert until(lambda: job.snapshot().step > 0 or job.snapshot().text or job.kind == "running")
    peer.kill()
    with pytest.raises(StudioError) as error:
        job.result()
    assert error.value.code == "remote_gone"
    assert job.snapshot().bytes_total == 0
    with pytest.raises(StudioError) as then:
        here.submit(ask())
    assert then.value.code == "not_on_disk"


def test_a_folder_keeps_what_is_written_and_goes_on_later(two: Any, tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(png(size=(8 + number, 8)))
    peer, here = two("demo-caption", step_seconds=0.03)
    run = here.captions.of_folder(tmp_path, Manner())
    job = here.caption_all(run, CaptionRequest(image=b"", seed=5))
    assert until(lambda: job.snapshot().step >= 2)
    peer.kill()
    assert until(lambda: job.done)
    error = job.snapshot().error
    assert error is not None
    assert error.code == "remote_gone"
    assert 2 <= len(list(tmp_path.glob("*.txt"))) < 6
    here.caption_all(run, CaptionRequest(image=b"")).result()
    assert len(list(tmp_path.glob("*.txt"))) == 6


def test_what_fails_twice_is_not_tried_again(pair: tuple[Peer, Peer], tmp_path: Path) -> None:
    with studio_with(tmp_path, ", ".join(one.url for one in pair)) as here:
        away(here, "demo-chat")
        job = here.submit(ask())
        assert until(lambda: job.kind == "loading")
        for _ in pair:
            gone = job.device
            next(one for one in pair if one.name == gone).kill()
            assert until(lambda gone=gone: job.done or (job.device not in ("", gone) and job.kind == "loading"))
        error = job.snapshot().error
        assert error is not None
        assert (error.code, error.params["host"]) == ("remote_gone", gone)


def test_a_studio_that_ends_says_so_and_the_job_goes_on_here(tmp_path: Path) -> None:
    with served(tmp_path / "ends") as place:
        slowed(place.studio, step_seconds=0.1)
        warm(place.studio, "demo-image")
        with studio_with(tmp_path / "asks", place.url) as here:
            job = here.submit(FOX)
            assert until(lambda: job.snapshot().step > 1)
            place.studio.close()
            assert job.result().recipe["device"] == "cpu"
