"""Sketches: the same pixels as the job, kept nowhere, overtaken by newer ones and out of everybody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from held import Held
from PIL import Image

from studio.engines.demo.fake import FakeModel
from studio.errors import StudioError
from studio.jobs import live, sketches
from studio.request_parts import Lora
from studio.requests import ImageRequest
from studio.service import Studio

HILLS = ImageRequest(prompt="hills", steps=3, width=64, height=64)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(monkeypatch)


def later(act: Callable[[], object]) -> Callable[[], object]:
    """Start something; what is returned waits for what came of it."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(act()))
    thread.start()

    def wait() -> object:
        thread.join(10)
        assert found
        return found[0]

    return wait


def until(there: Callable[[], bool]) -> None:
    for _ in range(2000):
        if there():
            return
        time.sleep(0.005)
    pytest.fail("It never came.")


def sketch(studio: Studio, who: str = "me", **changes: object) -> sketches.Sketch:
    found = studio.easel.paint(replace(HILLS, **changes), who)  # pyright: ignore[reportArgumentType]
    assert found is not None
    return found


def test_a_sketch_has_the_pixels_of_the_job(studio: Studio) -> None:
    seen = sketch(studio, seed=7)
    made = studio.submit(replace(HILLS, seed=7, count=2)).result()
    assert Image.open(made.files[0]).tobytes() == seen.picture.tobytes()
    assert seen.seed == 7


def test_nothing_of_it_is_kept_or_listed(studio: Studio) -> None:
    sketch(studio)
    assert studio.jobs() == ()
    assert not list(studio.home.outputs.rglob("*.*"))
    assert studio.prompts() == ()


def test_what_is_typed_keeps_its_seed_until_it_is_kept(studio: Studio) -> None:
    first, second = sketch(studio, prompt="a"), sketch(studio, prompt="ab")
    assert first.seed == second.seed
    assert sketch(studio, "somebody else").seed != first.seed
    asked = replace(HILLS, prompt="ab", count=3)
    assert studio.easel.take(asked, "me").seed == first.seed
    assert studio.easel.take(asked, "me") == asked  # the next one is another picture
    assert sketch(studio, prompt="ab").seed != first.seed


@pytest.mark.parametrize("changes", [{"prompt": "other"}, {"steps": 2}, {"loras": (Lora("a", 1.0),)}, {"seed": 3}])
def test_what_was_not_seen_gets_no_seed_of_a_sketch(studio: Studio, changes: dict[str, object]) -> None:
    sketch(studio)
    asked = replace(HILLS, **changes)  # pyright: ignore[reportArgumentType]
    assert studio.easel.take(asked, "me") == asked
    assert studio.easel.take(HILLS, "somebody else") == HILLS


def test_another_page_is_another_picture(studio: Studio) -> None:
    before = sketch(studio).seed
    studio.easel.turn_page("me")
    assert sketch(studio).seed != before


def test_a_newer_one_takes_the_place_of_the_one_in_work(studio: Studio, held: Held) -> None:
    first = later(lambda: studio.easel.paint(HILLS, "me"))
    assert held.came.wait(10)
    second = later(lambda: studio.easel.paint(replace(HILLS, prompt="hills and"), "me"))
    line = studio.easel._live.line
    until(lambda: line.newest["me"] is not line.turns[0])  # the second has come
    held.go.set()
    assert first() is None
    assert isinstance(second(), sketches.Sketch)


def test_of_those_that_wait_only_the_newest_is_painted(studio: Studio, held: Held) -> None:
    somebody = later(lambda: studio.easel.paint(HILLS, "somebody else"))
    assert held.came.wait(10)
    line = studio.easel._live.line
    waiting, last = [], []
    for words in ("a", "ab", "abc"):
        waiting.append(later(lambda words=words: studio.easel.paint(replace(HILLS, prompt=words), "me")))
        until(lambda last=last: [turn for turn in line.turns if turn is line.newest.get("me")] not in ([], last))
        last = [line.newest["me"]]
    held.go.set()
    found = [wait() for wait in waiting]
    assert [one is None for one in found] == [True, True, False]
    assert somebody() is not None


def test_it_gives_way_to_a_job_at_its_next_step(studio: Studio, held: Held) -> None:
    seen = later(lambda: studio.easel.paint(HILLS, "me"))
    assert held.came.wait(10)
    job = studio.submit(HILLS, "somebody else")
    held.go.set()
    assert seen() is None
    assert job.result().files


def test_none_is_begun_while_a_job_runs(studio: Studio, held: Held) -> None:
    job = studio.submit(HILLS, "somebody else")
    assert held.came.wait(10)
    assert studio.easel.paint(HILLS, "me") is None
    held.go.set()
    assert job.result().files
    assert studio.easel.paint(HILLS, "me") is not None


def test_a_sketch_of_somebody_else_is_waited_for_so_long_only(
    studio: Studio, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.1)
    first = later(lambda: studio.easel.paint(HILLS, "somebody else"))
    assert held.came.wait(10)
    assert studio.easel.paint(HILLS, "me") is None
    held.go.set()
    assert first() is not None


def test_one_place_has_a_share_of_the_line(studio: Studio, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 5.0)
    line = studio.easel._live.line
    waits = []
    for number in range(live.LINE_HERE):
        waits.append(later(lambda number=number: studio.easel.paint(HILLS, f"name {number}", "one address")))
        until(lambda number=number: len(line.turns) > number)
    assert studio.easel.paint(HILLS, "one more", "one address") is None
    other = later(lambda: studio.easel.paint(HILLS, "a neighbour", "another address"))
    held.go.set()
    assert all(wait() is not None for wait in [*waits, other])


def test_what_cannot_be_painted_is_said(studio: Studio) -> None:
    with pytest.raises(StudioError) as caught:
        studio.easel.paint(replace(HILLS, steps=0), "me")
    assert caught.value.code == "out_of_range"


def test_words_that_are_drawn_are_those_of_the_job(studio: Studio) -> None:
    seen = sketch(studio, seed=7, prompt="a {red|blue|green|pink} hill")
    made = studio.submit(replace(HILLS, seed=7, count=3, prompt="a {red|blue|green|pink} hill")).result()
    assert Image.open(made.files[0]).tobytes() == seen.picture.tobytes()


def test_a_painter_that_fails_is_said_and_the_place_is_free(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(FakeModel, "_paint", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(StudioError) as caught:
            studio.easel.paint(HILLS, "me")
    assert caught.value.code == "out_of_memory"
    assert studio.easel.paint(HILLS, "me") is not None


def test_people_that_are_remembered_are_not_without_end(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "_REMEMBERED", 2)
    for who in "abc":
        sketch(studio, who)
    assert list(studio.easel._people) == ["b", "c"]
